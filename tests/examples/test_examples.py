"""The trainers that ship as examples are short, learn, and do the same again.

Those marked `peers` fail where PyTorch, JAX or Keras is missing: `.ci/run --full` installs them.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.output.interactive import Results
from sweeps import Study

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT, TRAINER = (EXAMPLES / "from_script" / name for name in ("script.py", "trainer.py"))
SMALL: dict[str, Any] = {
    "batch_sizes": [32, 256],
    "learning_rates": 0.03,
    "seeds": [1],
    "confirmation_seeds": [101],
    "epochs": 2,
    "extensions": 0,
}
OF_PEERS = ("torch_cnn", "jax_mlp", "keras_mlp", "from_script/study")


def run(study: str, folder: Path, **options: Any) -> Results:
    """Run the study of an example at a small size."""
    path = EXAMPLES / f"{study}.toml"
    keys = tomllib.loads(path.read_text("utf-8"))
    keys["trainer"] = str(path.parent / keys["trainer"])
    return Study("example", **keys | SMALL).run(folder, **options)


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def norms_of(gradients: np.ndarray, batch_size: int) -> dict[int, float]:
    """Return squared norms from the gradients of examples, one a row."""
    means = gradients.reshape(-1, batch_size, gradients.shape[1]).mean(axis=1)
    small, large = (means**2).sum(axis=1).mean(), (gradients.mean(axis=0) ** 2).sum()
    return {batch_size: small, len(gradients): large}


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.stem)
def test_an_example_has_at_most_80_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 80


def test_the_folder_has_at_most_12_entries() -> None:
    assert len([path for path in EXAMPLES.iterdir() if not path.name.startswith("__")]) <= 12


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.toml")), ids=lambda path: path.stem)
def test_a_study_says_what_it_asks_how_long_it_takes_and_what_it_found(path: Path) -> None:
    header = re.findall(r"^# ?(.*)$", path.read_text("utf-8"), re.MULTILINE)
    assert "?" in header[0]
    assert re.search(r"\bminutes?\b", " ".join(header))
    assert re.search(r"Use batch size \d+ with learning rate [\d.]+\.", " ".join(header))


@pytest.mark.parametrize("study", ["numpy_softmax", "sklearn_partial_fit"])
def test_an_example_learns_and_does_the_same_again(study: str, tmp_path: Path) -> None:
    check_study(study, tmp_path, backend="sequential", timing=False)


@pytest.mark.peers
@pytest.mark.parametrize("study", OF_PEERS)
def test_an_example_with_peers_learns_and_does_the_same_again(study: str, tmp_path: Path) -> None:
    results = check_study(study, tmp_path)
    assert {*results.timing["batch_size"]} == {32, 256}
    if study in {"torch_cnn", "jax_mlp"}:
        assert results.curves["gradient_trace"].gt(0).all()
        assert results.curves["gradient_squared_norm"].notna().all()


def check_study(study: str, folder: Path, **options: Any) -> Results:
    results, again = (run(study, folder / name, **options) for name in ("first", "second"))
    assert {*results.trials["status"]} == {"ok"}
    of_small = results.trials[results.trials["batch_size"] == 32]
    assert of_small["validation_metric"].gt(0.2).all()  # of 10 digits
    assert results.trials["test_metric"].notna().eq(results.trials["stage"] == "confirm").all()
    assert results.curves.groupby("trial").size().ge(4).all()
    pd.testing.assert_frame_equal(results.curves, again.curves)
    return results


@pytest.mark.peers
def test_norms_of_torch_are_those_of_the_gradients_of_examples() -> None:
    import torch  # noqa: PLC0415 - is there in a full run only

    trainer = example("torch_cnn")
    torch.manual_seed(1)
    model, (images, labels) = trainer.network().double(), trainer.split()["train"]
    images = images.double()
    rows = []
    for image, label in zip(images[:512, None], labels[:512, None], strict=True):
        loss = torch.nn.functional.cross_entropy(model(image), label)
        gradient = torch.autograd.grad(loss, [*model.parameters()])
        rows.append(torch.cat([array.ravel() for array in gradient]).numpy())
    expected = norms_of(np.array(rows), 32)
    assert trainer.noise(model, images, labels) == pytest.approx(expected, rel=1e-10)


@pytest.mark.peers
def test_norms_of_jax_are_those_of_the_gradients_of_examples() -> None:
    import jax  # noqa: PLC0415 - is there in a full run only

    trainer = example("jax_mlp")
    rng = np.random.default_rng(1)
    images, labels = trainer.split(rng)["train"]
    with jax.enable_x64(True):
        weights = {"hidden": rng.normal(size=(64, 32)) / 8, "output": rng.normal(size=(32, 10))}
        of_each = jax.vmap(trainer.gradient, in_axes=(None, 0, 0))
        gradients = jax.tree.leaves(of_each(weights, images[:512, None], labels[:512, None]))
        rows = np.concatenate([np.reshape(array, (512, -1)) for array in gradients], axis=1)
        assert trainer.noise(weights, images, labels) == pytest.approx(
            norms_of(rows, 32), rel=1e-10
        )


def test_six_lines_make_a_trainer_of_a_script() -> None:
    script = SCRIPT.read_text("utf-8").partition("def train")[2].replace("args", "trial")
    trainer = TRAINER.read_text("utf-8").partition("def train")[2]
    changes = [*difflib.ndiff(script.splitlines(), trainer.splitlines())]
    assert sum(change.startswith("+ ") for change in changes) <= 6


def test_the_difference_of_script_and_trainer_is_the_one_shown() -> None:
    (shown,) = re.findall(
        r"^```diff\n(.*?)^```$",
        (EXAMPLES / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    lines = (path.read_text("utf-8").splitlines(keepends=True) for path in (SCRIPT, TRAINER))
    assert "".join(difflib.unified_diff(*lines, SCRIPT.name, TRAINER.name)) == shown


@pytest.mark.peers
def test_the_script_runs() -> None:
    command = [sys.executable, str(SCRIPT), "--epochs=2", "--learning-rate=0.01"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(printed.split()[-1]) > 0.5
