"""Any sequence of what can happen to a store keeps its promises."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stored import failure, other, outcome, trials

from sweeps.design.trials import Trial
from sweeps.errors import OwnedError
from sweeps.manage.merge import merge
from sweeps.store import FILE, Store
from sweeps.store.rows import DONE, curve_bytes
from sweeps.worker.train import Outcome

pytestmark = pytest.mark.slow

SOME = trials(6)
some_trials = st.lists(st.sampled_from(SOME), min_size=1, max_size=4)
what = st.sampled_from(["ok", "other", "diverged", "error", "crashed", "timeout"])


class StoreMachine(RuleBasedStateMachine):
    """A store next to a dictionary that does the same."""

    @initialize()
    def begin(self) -> None:
        """Make a store."""
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.number = 0
        self.results: dict[str, Outcome] = {}
        self.facts = {"name": "model"}
        self.open(self.folder / "0")

    def open(self, folder: Path) -> None:
        """Open a store for writing."""
        self.home = folder
        self.writing = ExitStack()
        self.store = self.writing.enter_context(Store.write(folder, "model"))

    def moved(self) -> Path:
        """Return a new place."""
        self.number += 1
        return self.folder / str(self.number)

    @rule(chosen=some_trials, kind=what)
    def add(self, chosen: list[Trial], kind: str) -> None:
        """Add outcomes: new, the same again, or others."""
        made = [self.made(trial, kind) for trial in chosen]
        differ = []
        for result in made:
            before = self.results.get(result.trial)
            if before is None or before.status not in DONE:
                self.results[result.trial] = result
            elif result.status in DONE:
                same = curve_bytes(before.curve) == curve_bytes(result.curve)
                differ += [result.trial] * (not (same and before.status == result.status))
        assert self.store.add(chosen, made) == differ

    def made(self, trial: Trial, kind: str) -> Outcome:
        """Return an outcome of a kind."""
        if kind == "other":
            return other(trial)
        make = outcome if kind in DONE else failure
        return make(trial, status=kind)

    @rule(key=st.sampled_from("ab"), value=st.text(st.characters(codec="utf-8"), max_size=5))
    def set_fact(self, key: str, value: str) -> None:
        """Set a fact."""
        self.store.set_facts({key: value})
        self.facts[key] = value

    @rule()
    def reopen(self) -> None:
        """Close the store and open it again."""
        self.writing.close()
        self.open(self.home)

    @rule()
    def crash(self) -> None:
        """Go on with the files as a kill would have left them."""
        home = self.moved()
        shutil.copytree(self.home, home)
        self.writing.close()
        self.open(home)

    @rule()
    def own_twice(self) -> None:
        """Try to write from elsewhere."""
        with pytest.raises(OwnedError), Store.write(self.home, "model"):
            pass

    @precondition(lambda self: self.results)
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """Change a row behind the store's back."""
        name = data.draw(st.sampled_from(sorted(self.results)))
        self.writing.close()
        with closing(sqlite3.connect(self.home / FILE)) as connection, connection:
            connection.execute("UPDATE trials SET updates = updates + 1 WHERE trial = ?", (name,))
        with Store.read(self.home) as reader:
            assert reader.damaged() == 1
            assert name not in reader.statuses()
        del self.results[name]
        self.open(self.home)

    @rule()
    def merge(self) -> None:
        """Go on with what this store and itself make."""
        home = self.moved()
        assert not merge([self.home, self.home], home).conflicts
        self.writing.close()
        self.open(home)

    @invariant()
    def the_store_is_what_the_model_says(self) -> None:
        """Compare what a reader sees with the model."""
        expected = {name: result.status for name, result in self.results.items()}
        with Store.read(self.home) as reader:
            assert reader.statuses() == expected
            assert reader.facts().items() >= self.facts.items()
            assert reader.damaged() == 0
            curves = {row["trial"]: row["curve"] for row in reader.rows()}
        assert curves == {name: curve_bytes(result.curve) for name, result in self.results.items()}

    def teardown(self) -> None:
        """Remove the files."""
        self.writing.close()
        self.stack.close()


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
