"""Stores with values that no run writes, rightly digested: every command ends in words."""

from __future__ import annotations

import contextlib
import json
import math
import random
import shutil
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ran
from stored import failure, outcome, trials

from sweeps.cli import main as cli
from sweeps.spec.model import to_toml
from sweeps.store import FILE, Store
from sweeps.store._schema import columns_of
from sweeps.store.rows import digest_of, insert
from sweeps.worker import measure as timing

CODES = {0, 1, 2, 3, 4, 5, 6, 7}
"""How a command may end that was not stopped and met no bug."""

TEXTS = (
    "",
    "x",
    "nan",
    "inf",
    "-1",
    "1e999",
    "0x1p-1",
    "null",
    "[]",
    "{}",
    '{"a": 1}',
    "[" * 3000,
    "ok",
    "error",
    "confirm",
    "\x00",
    "\x1b[31m\u202e\nFAKED",
    "é" * 300,
    "=1+1",
)
WHOLES = (-(2**63), -1, 0, 1, 2, 7, 10_000, 2**31, 2**53, 2**63 - 1, None)
REALS = (-math.inf, -1.5, -0.0, 0.0, 5e-324, 0.5, 1e9, math.inf, None)


def other(value: object, kind: str, chance: random.Random) -> object:
    """Return another value of the same column."""
    if kind == "BLOB":
        return bytes_like(value if isinstance(value, bytes) else b"", chance)
    return chance.choice({"TEXT": TEXTS, "INTEGER": WHOLES, "REAL": REALS}[kind])


def bytes_like(curve: bytes, chance: random.Random) -> bytes:
    """Return bytes that are a curve, or nearly."""
    point = chance.randrange(max(1, len(curve) // 64)) * 64 + 8 * chance.randrange(8)
    number = chance.choice([math.nan, math.inf, -math.inf, -1.0, 0.5, 1e300, 5e-324, 2.0**60])
    with_number = bytearray(curve or bytes(64))
    with_number[point : point + 8] = struct.pack("<d", number)
    return chance.choice(
        [b"", b"x", curve[:-1], curve[:-64], curve[:64], curve * 2, b"\xff" * 64, bytes(64)]
        + [bytes(with_number)] * 8
    )


def other_json(value: Any, chance: random.Random) -> Any:
    """Return JSON of which a leaf is something else, or missing, or more."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        return value | {key: other_json(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        index = chance.randrange(len(value))
        return [*value[:index], other_json(value[index], chance), *value[index + 1 :]]
    plain = [None, True, -1, 0, 1, 3, 10**6, 10**400, 0.5, -1.5, 1e300, math.inf, "", "x", [], {}]
    return chance.choice([*plain, [value], {"x": value}, [[1]]])


def other_toml(text: str, chance: random.Random) -> str:
    """Return a specification of which a key has another value, or is missing."""
    lines = text.splitlines()
    index = chance.randrange(len(lines))
    key = lines[index].partition(" = ")[0]
    values = ("-1", "0", "1", "7", "1e300", "nan", '""', '"x"', "[]", "[1, 2]", "{}", "true", "0.5")
    lines[index] = chance.choice(["", *(f"{key} = {value}" for value in values)])
    return "\n".join(lines)


def change(folder: Path, chance: random.Random) -> str:
    """Change something in a store, digest it rightly, and return what."""
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        table = chance.choice(["facts", "facts", "trials", "trials", "trials", "timing"])
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()[:-1]
        rows = connection.execute(f"SELECT rowid, * FROM {table}").fetchall()  # noqa: S608
        number, *values, _ = chance.choice(rows)
        row = dict(zip(columns_of(table), values, strict=False))
        _, name, kind, *_ = chance.choice(columns)
        if table == "facts" and row["key"] in {"data", "provenance"} and chance.random() < 0.8:
            name, row["value"] = "value", json.dumps(other_json(json.loads(row["value"]), chance))
        elif table == "facts" and row["key"] == "specification" and chance.random() < 0.8:
            name, row["value"] = "value", other_toml(row["value"], chance)
        elif chance.random() < 0.05:
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))  # noqa: S608
            return f"{table} {row.get('key', '')} without a row"
        else:
            row[name] = other(row[name], kind, chance)
        with contextlib.suppress(sqlite3.IntegrityError):  # no value, or a key that is there
            values = [row[column] for column in columns_of(table)[:-1]]
            connection.execute(
                f"UPDATE {table} SET {name} = ?, digest = ? WHERE rowid = ?",  # noqa: S608
                (row[name], digest_of(values), number),
            )
    return f"{table} {row.get('key', '')} {name} = {row[name]!r:.300}"


def put(folder: Path, table: str, **values: object) -> None:
    """Put values into a row of a store, of facts the one with that key, digested rightly."""
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        wanted = f"key = '{values['key']}'" if table == "facts" else "true"
        rows = connection.execute(f"SELECT * FROM {table} WHERE {wanted} ORDER BY rowid")  # noqa: S608
        row = dict(zip(columns_of(table), rows.fetchone(), strict=True)) | values
        connection.execute(f"DELETE FROM {table} WHERE digest = ?", (row.pop("digest"),))  # noqa: S608
        insert(connection, table, row)


def changed(folder: Path, seed: int) -> tuple[list[str], random.Random]:
    """Return what became different in a copy of the small study."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    shutil.rmtree(folder, ignore_errors=True)
    ran.copy(folder)
    return [change(folder, chance) for _ in range(chance.choice([1, 1, 1, 2, 4]))], chance


def check(arguments: list[str], what: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a command ends as documented, and says nothing that is no message."""
    code = cli.main(arguments)
    shown = capsys.readouterr()
    assert code in CODES, (what, arguments, shown.err, log(shown.err))
    for word in ("Traceback", "Warning"):
        assert word not in shown.err, (what, arguments, shown.err)


def log(text: str) -> str:
    """Return what a bug left behind."""
    path = text.rpartition("details in ")[2].rstrip(")\n")
    return Path(path).read_text("utf-8")[-2000:] if path.endswith(".log") else ""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)
    monkeypatch.setattr(timing, "ROUNDS", 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)


IMPOSSIBLE = (
    ("trials", {"status": "confirm"}),
    ("trials", {"trial": "0" * 32}),
    ("trials", {"configuration": "{}"}),
    ("trials", {"batch_size": 11}),
    ("trials", {"learning_rate": 0.25}),
    ("trials", {"seed": 3}),
    ("trials", {"optimizer": "lamb"}),
    ("trials", {"test_metric": 0.5}),
    ("trials", {"updates": -1}),
    ("trials", {"examples": 2**60}),
    ("trials", {"attempts": 0}),
    ("trials", {"diverged_at_update": 3}),
    ("trials", {"train_seconds": math.inf}),
    ("trials", {"started": 1e9, "ended": 1e8}),
    ("trials", {"ended": 1e18}),
    ("trials", {"curve": b""}),
    ("trials", {"curve": bytes(63)}),
    ("trials", {"curve": struct.pack("<8d", math.nan, *[0.0] * 7)}),
    ("trials", {"curve": struct.pack("<8d", 0.5, *[0.0] * 7)}),
    ("trials", {"curve": struct.pack("<16d", 5.0, *[0.0] * 15)}),
    ("timing", {"engine": "steam"}),
    ("timing", {"lanes": 0}),
    ("timing", {"updates": 0}),
    ("timing", {"wall_seconds": 0.0}),
    ("timing", {"cpu_seconds": -1.0}),
)
"""Values that no run writes."""


@pytest.mark.parametrize(("table", "values"), IMPOSSIBLE)
def test_an_impossible_row_counts_as_not_there(
    table: str, values: dict[str, Any], tmp_path: Path
) -> None:
    folder = ran.copy(tmp_path / "study")
    put(folder, table, **values)
    with Store.read(folder) as store:
        assert store.damaged() == 1
        assert len(store.done()) == 20 - (table == "trials")
        assert values.get("key") not in store.facts()


def test_what_is_rare_is_possible(tmp_path: Path) -> None:
    trial = replace(trials(1)[0], seed=2**63 - 1)
    strange = outcome(trial, started=math.nan, ended=math.nan, train_loss=math.inf)
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [strange])
        store.add(trials(2)[1:], [failure(trials(2)[1], "timeout")])
        store.set_facts({"jobs": "1", "sweep_seconds": "0", "provenance": "{}", "own": "\x1b"})
    with Store.read(tmp_path) as store:
        assert (store.damaged(), len(store.statuses())) == (0, 2)


FACTS = {
    "specification": ("", "colour = 'red'", "a = " + "[" * 3000, "batch_sizes = [5]"),
    "data": ("", "1", "[" * 100_000, "{}", '{"\\"iris\\"": {}}'),
}


@pytest.mark.parametrize(("key", "value"), [(key, v) for key, all_ in FACTS.items() for v in all_])
def test_facts_that_cant_be_used_are_reported(
    key: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.copy(tmp_path / "study")
    put(tmp_path / "study", "facts", key=key, value=value)
    assert cli.main(["report", "study"]) == 4
    assert "don't make a study for this bpsweep" in capsys.readouterr().err
    assert cli.main(["status", "study"]) == 0
    assert cli.main(["export", "study"]) == 0


def seeds(first: int, after: int, quick: int) -> list[pytest.ParameterSet]:
    """Return seeds, of which all but the first few are slow."""
    return [
        pytest.param(seed, marks=() if seed < first + quick else pytest.mark.slow)
        for seed in range(first, after)
    ]


@pytest.mark.parametrize("seed", seeds(0, 200, quick=40))
def test_what_describes_a_store_describes_any(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what, chance = changed(tmp_path / "study", seed)
    with closing(sqlite3.connect("study/study.db")) as connection:
        trials = [trial for (trial,) in connection.execute("SELECT trial FROM trials")]
    command = chance.choice(["status", "status", "show", "export"])
    arguments = {"status": ["--json"] * chance.randrange(2), "show": [chance.choice(trials)]}
    check([command, "study", *arguments.get(command, [])], what, capsys)


@pytest.mark.parametrize("seed", seeds(1000, 1024, quick=4))
def test_a_report_comes_out_of_any_store(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what, _ = changed(tmp_path / "study", seed)
    check(["report", "study"], what, capsys)


@pytest.mark.parametrize("seed", seeds(2000, 2016, quick=4))
def test_what_goes_on_with_a_store_goes_on_with_any(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what, chance = changed(tmp_path / "study", seed)
    quick = ["--backend", "sequential"]
    Path("ran.toml").write_text(to_toml(ran.study().specification), "utf-8")
    commands = (
        ["run", "ran.toml", "--out", "study", *quick],
        ["run", "study", "--retry-failed", *quick],
        ["merge", "study", "study", "--out", "merged"],
        ["time", "study"],
        ["watch", "study"],
    )
    check(chance.choice(commands), what, capsys)
