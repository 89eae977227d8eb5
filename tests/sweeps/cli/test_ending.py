"""How a run ends: the answer in six lines, the severest warnings, what to type next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import ran

from sweeps import results
from sweeps.cli._ending import commands_of_run, ending

KINDS = {"large-batch": 1, "untuned": 2, "nothing-learned": 4, "edge": 3, "saturated": 1}
"""Kinds of warnings with their severity."""


def report(folder: Path, *groups: dict[str, Any]) -> Path:
    plain = {"group": "sgd", "answer": ["Use it."], "surer": [], "warnings": []}
    document = {"groups": [plain | group for group in groups]}
    (folder / "report.json").write_text(json.dumps(document), encoding="utf-8")
    return folder / "report.html"


def test_three_warnings_come_first_by_severity(tmp_path: Path) -> None:
    warnings = [
        {"kind": kind, "text": f"This is {kind}.", "severity": severity}
        for kind, severity in KINDS.items()
    ]
    page = report(tmp_path, {"warnings": warnings})
    *shown, more, answer, last = ending(page, {})
    assert [line.split()[-1] for line in shown] == ["nothing-learned.", "edge.", "untuned."]
    assert more.startswith("2 ")
    assert (answer, last) == ("Use it.", str(page))


@pytest.mark.parametrize("count", [1, 4, 5, 6, 100])
def test_the_answer_takes_six_lines_at_most(tmp_path: Path, count: int) -> None:
    remedies = [{"kind": "seeds", "text": "Add 3 fresh seeds.", "amount": 3}] * 2
    page = report(tmp_path, *[{"answer": ["Use it."] * 4, "surer": remedies}] * count)
    lines = ending(page, {"seeds": lambda amount: ["more", str(amount)]})
    assert len(lines) <= 6
    assert lines[-1] == str(page)
    assert any("more 3" in line for line in lines) == (count == 1)


def test_what_makes_it_surer_is_a_command(tmp_path: Path) -> None:
    folder = ran.copy(tmp_path / "my study")
    study = ran.study().specification
    page = report(tmp_path, {"surer": [{"kind": "seeds", "text": "Add.", "amount": 2}]})
    commands = commands_of_run(["a b.toml"], study, folder, results(folder))
    assert "bpsweep run 'a b.toml' --set 'confirmation_seeds=" in ending(page, commands)[-2]
    assert f"batch_sizes={[*study.batch_sizes, 90]}" in commands["larger"](90)
    assert commands["time"](0)[:2] == ["bpsweep", "time"]
