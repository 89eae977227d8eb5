"""What is refused is refused at once: nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"dask", "joblib", "matplotlib", "pandas", "rich", "scipy", "seaborn", "sklearn"}
STUDY = "dataset = 'iris'\nbatch_sizes = 5\nlearning_rates = 0.5\nseeds = 1\nepochs = 1\n"
FILES = {
    "key.toml": f"{STUDY}epoks = 1",
    "value.toml": f"{STUDY}target = 'x'",
    "broken.toml": "dataset = [",
    "nodata.toml": STUDY.replace("iris", "missing.csv"),
    "junk.csv": "\x00\x01\xff",
}
CODE = "import sys\nfrom sweeps.cli.main import main\nprint(main(sys.argv[1:]), *sys.modules)"


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("run nonsense.toml", 2),
        ("run nonsense", 2),
        ("run digits --set nonsense=1", 2),
        ("run key.toml", 2),
        ("run value.toml", 2),
        ("run broken.toml", 2),
        ("run nodata.toml", 3),
        ("run key.toml --set epochs", 2),
        ("run missing.csv --target y", 3),
        ("run junk.csv --target y", 3),
        ("run missing --retry-failed", 4),
        ("plan nonsense.toml", 2),
        ("validate digits --set nonsense=1", 2),
        ("time nonsense", 2),
        ("recommend missing.csv --target y", 3),
        ("analyze missing.csv", 3),
        ("recommend digits --set nonsense=1", 2),
        ("recommend digits --minutes 0.1", 2),
        ("new missing.csv --target y", 3),
        ("report missing/", 4),
        ("report . --format svg --figures nonsense", 2),
        ("status missing", 4),
        ("show missing 1a", 4),
        ("export missing", 4),
        ("merge missing missing --out both", 4),
        ("watch missing", 4),
    ],
)
def test_a_refusal_imports_nothing_heavy(command: str, exit_code: int, tmp_path: Path) -> None:
    (tmp_path / "study.db").touch()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "latin-1")
    words = [sys.executable, "-c", CODE, *command.split()]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    code, *loaded = run.stdout.split()
    assert (int(code), HEAVY & {*loaded}) == (exit_code, set())
    assert run.stderr.startswith("error: ")


def test_a_command_does_not_look_for_garbage_when_it_ends() -> None:
    code = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "from sweeps.cli.main import main\n"
        "sys.argv = ['bpsweep', 'list', 'figures']\n"
        "main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "True"
