"""The commands that tell what there is: text or JSON, and an exit code that scripts can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweeps.cli import doctor
from sweeps.cli import main as cli


def test_datasets_are_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["datasets"]) == 0
    assert capsys.readouterr().out.startswith("name ")
    assert cli.main(["datasets", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["datasets"]
    assert {"name": "iris", "network": False}.items() <= found[3].items()


def test_the_doctor_exits_with_7_if_a_study_could_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["doctor"]) == 0
    assert "free space" not in capsys.readouterr().out
    assert cli.main(["doctor", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    monkeypatch.setattr(doctor, "_folder_problems", lambda _folder: ["It is full."])
    assert cli.main(["doctor", str(tmp_path)]) == 7
    assert "problem: It is full.\n" in capsys.readouterr().out
