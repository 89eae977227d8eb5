"""Whatever a specification or a file of data holds, it is read or refused in words."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.cli.main import main
from sweeps.data._generators import GENERATORS

USAGE, DATA, RESOURCES = 2, 3, 6
QUICK = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SPECIFICATION = """\
name = "fuzzed"
dataset = "iris"
hidden_layers = [[4], [5, 4]]
batch_sizes = [5, {powers_of_two = [8, "full"]}]
learning_rates = [0.5, {logspace = [0.1, 1.0], count = 3}]
seeds = [1, {first = 2, count = 3}]
confirmation_seeds = 11
epochs = 2
optimizer = ["sgd", {name = "adam", beta1 = [0.8, 0.9], l2 = 0.001, epsilon = 1e-8}]
schedule = {kind = "step", per = "epoch", decay = 0.5, every = 2, warmup = 1}
growth = {factor = 2, every = 1, limit = 40}
reduction = ["mean", "sum"]
dtype = "float32"
validation = 0.2
test = 30
split_seed = 7
scaling = "standardise"
initial_scale = 0.5
shards = [1, 2]
exclude = [{batch_sizes = 5, shards = 2}]
target = 0.9
patience = 3
noise_examples = 16
noise_curvature = true
noise_geometry = false
trial_seconds = 60
extensions = 1
refinement_seeds = 2
simulated_cluster = {latency = 1e-5, bandwidth = 1e9, combine = "ring", workers = [1, 2]}
"""

NUMBERS = (
    0, 1, -1, 2, 3, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 10**400, -(10**400),
    0.0, -0.0, 5e-324, 1e-310, 1e-300, 1e-40, 1e-8, 0.5, 1.0 - 1e-16, 1.5, 3.5e38, 1e100, 1e154,
    1e308, -1e308, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
TEXTS = ("", "x", "full", "none", "auto", "iris", "a/b.csv", "\u0661", "1_000", "\u202e", "inf")
VALUES = st.recursive(
    st.sampled_from((*NUMBERS, *TEXTS, True, False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


def toml(value: Any) -> str:
    """Return a value as TOML, Infinity and big numbers too."""
    if isinstance(value, bool | str):
        return {True: "true", False: "false"}.get(value) or '"' + value + '"'  # type: ignore[call-overload]
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    return repr(value)


def refused_or_read(
    arguments: list[str], capfd: pytest.CaptureFixture[str], codes: tuple[int, ...]
) -> None:
    """Call the command, which must end with 0 or one of the codes, and only in its own words."""
    code = main(arguments)
    message = capfd.readouterr().err
    assert code in {0, *codes}, message
    assert bool(message) == (code != 0)
    assert all(line.startswith("error: ") for line in message.splitlines())
    assert not re.search("Traceback|Warning", message)


@st.composite
def specifications(draw: st.DrawFn) -> str:
    """Draw a specification with other values, or with lines and characters out of place."""
    lines = SPECIFICATION.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(lines) - 1))
        numbers = [*re.finditer(r"(?<![\w.])[\d.]+(e-?\d+)?(?!\w)", lines[number])]
        if numbers and draw(st.booleans()):
            chosen, value = draw(st.sampled_from(numbers)), draw(st.sampled_from(NUMBERS))
            start, end = chosen.span()
            lines[number] = f"{lines[number][:start]}{value!r}{lines[number][end:]}"
        else:
            lines[number] = f"{lines[number].partition(' = ')[0]} = {toml(draw(VALUES))}"
    return "\n".join(lines)


@QUICK
@given(text=specifications())
def test_any_value_of_a_specification_is_read_or_refused(
    text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text(text, "utf-8")
    refused_or_read(["validate", str(tmp_path / "s.toml")], capfd, (USAGE, DATA))


def value_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values of a parameter's kind, its limits kept or not."""
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    if schema["type"] == "integer":
        return st.sampled_from([least, least + 1, 3, 20, 10**5, *NUMBERS])
    if schema["type"] == "number":
        return st.sampled_from([least, *NUMBERS])
    return st.booleans() if schema["type"] == "boolean" else st.just([0.5, 0.5])


@st.composite
def generators(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a generator with some of its parameters."""
    name = draw(st.sampled_from([*GENERATORS]))
    properties = GENERATORS[name].parameters.model_json_schema()["properties"]
    chosen = draw(st.lists(st.sampled_from([*properties]), max_size=3))
    return {"name": name, "samples": 30, **{key: draw(value_of(properties[key])) for key in chosen}}


SMALL = """\
dataset = {dataset}
batch_sizes = 4
learning_rates = 0.1
seeds = 1
epochs = 1
"""


@QUICK
@given(dataset=generators())
def test_any_parameters_of_a_generator_give_data_or_are_refused(
    dataset: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text(SMALL.format(dataset=toml(dataset)), "utf-8")
    refused_or_read(["validate", str(tmp_path / "s.toml")], capfd, (USAGE, DATA))


def csv_bytes() -> bytes:
    """Return a table of numbers with a gap, flags, categories and classes."""
    rows = [f"{n / 7},{n},{n % 3 == 0},{'uvw'[n % 3]},{'ab'[n % 2]}" for n in range(12)]
    return ("\r\n".join(["x,n,flag,c,y", *rows, ',9,True,"u",b']) + "\n").encode()


def npz_bytes() -> bytes:
    """Return an archive of features and classes."""
    stream = io.BytesIO()
    np.savez(stream, X=np.arange(24.0).reshape(12, 2), y=np.array(["a", "b"] * 6))
    return stream.getvalue()


def parquet_bytes() -> bytes:
    """Return a table of numbers with a gap, categories and classes."""
    table = {
        "x": [n / 7 for n in range(11)] + [None],
        "c": pa.array(["u", "v", "w"] * 4).dictionary_encode(),
        "t": ["1", "2", "NA"] * 4,
        "y": ["a", "b"] * 6,
    }
    stream = io.BytesIO()
    pq.write_table(pa.table(table), stream)
    return stream.getvalue()


FILES = {"my.csv": csv_bytes(), "my.npz": npz_bytes(), "my.parquet": parquet_bytes()}
PIECES = (
    b"", b",", b"\n", b"\r", b'"', b"\0", b"\xff", b"\xc3\xa9", b"\xd9\xa1", b"nan", b"inf", b"-1",
    b"1e-310", b"1e308", b"1e999", b"9" * 40, b"1_0", b"(True, 2)", b"(12, 1e3)", b"(-1, 2)",
    b"(0, 9999999999999999999999)", b"(12L, 2)", b"((12, 2))", b"'|O'", b"'<U0'", b"'>f2'", b"PAR1",
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw a file with bytes changed, left out, repeated or put in."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        shapes = [m.span() for m in re.finditer(rb"\(\d+, ?\d*\)|'<[a-zA-Z]\d+'", content)]
        if shapes and draw(st.booleans()):
            start, end = draw(st.sampled_from(shapes))
        else:
            end = start + draw(st.sampled_from((0, 0, 1, 1, 2, 8, 100)))
        piece = draw(
            st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(content[start:end] * 2)
        )
        content = content[:start] + piece + content[end:]
    return content


@pytest.mark.parametrize("name", FILES)
@QUICK
@given(data=st.data())
def test_any_bytes_of_a_file_are_read_or_refused(
    name: str, data: st.DataObject, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(data.draw(changed(FILES[name])))
    missing = data.draw(st.sampled_from(("refuse", "drop", "mean", "category")))
    dataset = {"path": name, "missing": missing} | ({} if name == "my.npz" else {"target": "y"})
    (tmp_path / "s.toml").write_text(SMALL.format(dataset=toml(dataset)), "utf-8")
    refused_or_read(["validate", str(tmp_path / "s.toml")], capfd, (USAGE, DATA))


@QUICK
@given(content=changed(SPECIFICATION.encode()))
def test_any_bytes_of_a_specification_are_read_or_refused(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_bytes(content)
    refused_or_read(["validate", str(tmp_path / "s.toml")], capfd, (USAGE, DATA))
