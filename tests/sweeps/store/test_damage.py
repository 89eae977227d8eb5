"""Damage: every flipped bit is found, its row computed again, the rest kept."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stored import fill, outcome, trials

from sweeps.errors import StoreError
from sweeps.store.store import FILE, Store

SOME = trials(5)


def contents(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    with Store.read(folder) as store:
        found = store.stored_trials().set_index("trial")
        return found, store.curves_table(found.index), store.facts()


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, seed: int) -> None:
    fill(tmp_path / "good", SOME)
    content = (tmp_path / "good" / FILE).read_bytes()
    rows, curves, facts = contents(tmp_path / "good")
    rng = np.random.default_rng(seed)
    for number in range(25):
        folder = tmp_path / str(number)
        folder.mkdir()
        flipped = bytearray(content)
        # The first bytes are those that SQLite looks at first.
        flipped[rng.integers(100 if number < 5 else len(flipped))] ^= 1 << int(rng.integers(8))
        (folder / FILE).write_bytes(flipped)
        try:
            found_rows, found_curves, found_facts = contents(folder)
        except StoreError:
            assert (folder / FILE).read_bytes() == flipped
            continue
        pd.testing.assert_frame_equal(found_rows, rows.loc[found_rows.index])
        kept = curves[curves["trial"].isin(found_rows.index)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found_curves, kept)
        assert found_facts.items() <= facts.items()


def flip(folder: Path, text: bytes, change: bytes, place: int = -1) -> None:
    """Change one of the places of a text in a store's file behind SQLite's back.

    An identity has two places: the index, which comes first, and its row.
    """
    path = folder / FILE
    parts = path.read_bytes().split(text)
    changed = [text] * (len(parts) - 1)
    changed[place] = change
    path.write_bytes(b"".join(a + b for a, b in zip(parts, [*changed, b""], strict=True)))


def test_damaged_rows_are_left_out_run_again_and_recorded(tmp_path: Path) -> None:
    fill(tmp_path, SOME)
    flip(tmp_path, SOME[2].content.encode(), SOME[2].content.replace("4", "5").encode())
    damaged = (tmp_path / FILE).read_bytes()
    others = [trial.identity for trial in SOME if trial != SOME[2]]
    with Store.read(tmp_path) as store:
        assert store.damaged() == 1
        assert list(store.statuses()) == others
        assert len(store.curves_table([trial.identity for trial in SOME])) == 3 * 4
    with Store.write(tmp_path, "made") as store:
        assert store.damaged() == 0
        assert store.done() == set(others)
        store.add([SOME[2]], [outcome(SOME[2])])
        (incident,) = store.incidents()
    assert (incident["kind"], incident["place"]) == ("damaged", "trials")
    assert incident["trial"] == SOME[2].identity
    assert json.loads(incident["details"])["seed"] == 2
    assert incident["curve"] == outcome(SOME[2]).curve.tobytes()
    with closing(sqlite3.connect(tmp_path / "study-damaged-1.db")) as copy:
        assert copy.execute("SELECT count(*) FROM trials").fetchone() == (5,)
    assert len(damaged) == (tmp_path / "study-damaged-1.db").stat().st_size
    with Store.read(tmp_path) as store:
        assert store.damaged() == 0
        assert len(store.done()) == 5


def test_a_damaged_identity_damages_the_row_and_the_index(tmp_path: Path) -> None:
    fill(tmp_path, SOME)
    name = SOME[0].identity.encode()
    flip(tmp_path, name, b"g" + name[1:])
    fill(tmp_path, SOME)
    with Store.read(tmp_path) as store:
        assert store.done() == {trial.identity for trial in SOME}
    flip(tmp_path, SOME[1].identity.encode(), b"\xff" * 32)
    fill(tmp_path, SOME)
    with Store.read(tmp_path) as store:
        assert store.done() == {trial.identity for trial in SOME}
        assert len(store.incidents()) == 2
    assert (tmp_path / "study-damaged-2.db").is_file()


def test_a_damaged_index_costs_no_row(tmp_path: Path) -> None:
    fill(tmp_path, SOME)
    name = SOME[0].identity.encode()
    flip(tmp_path, name, b"g" + name[1:], place=0)
    with Store.read(tmp_path) as store:
        assert len(store.done()) == 5
    with Store.write(tmp_path, "made") as store:
        store.add(SOME, [outcome(trial) for trial in SOME])
        assert len(store.stored_trials()) == 5
        assert not store.incidents()


def test_damaged_facts_are_unknown(tmp_path: Path) -> None:
    with Store.write(tmp_path, "made") as store:
        store.set_facts({"jobs": "twelve"})
    flip(tmp_path, b"twelve", b"twelWe")
    with Store.read(tmp_path) as store:
        assert store.facts() == {"name": "made"}
    with Store.write(tmp_path, "made") as store:
        assert [row["place"] for row in store.incidents()] == ["facts"]


def test_a_damaged_structure_is_refused_and_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, trials(40))
    content = bytearray((tmp_path / FILE).read_bytes())
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'trials'"
        ).fetchone()
    # The number of cells of the table's root.
    content[4096 * (page - 1) + 4] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="is damaged and was left as it is: "):
        fill(tmp_path, trials(40))
    assert (tmp_path / FILE).read_bytes() == content
