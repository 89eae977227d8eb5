"""The command `bpsweep analyze`: the answer on standard output, what was read on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeps.cli import main as cli


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of runs with configurations of two sizes."""
    rows = [
        (
            size,
            batch,
            rate,
            2 + np.log2(batch / (size * 8)) ** 2 / 50 + np.log2(rate / 0.1) ** 2 / 20,
        )
        for size in (1, 2, 4)
        for batch in (4, 8, 16, 32, 64)
        for rate in (0.025, 0.05, 0.1, 0.2, 0.4)
    ]
    path = tmp_path / "sweep.csv"
    pd.DataFrame(rows, columns=["n", "bs", "lr", "final loss"]).to_csv(path, index=False)
    return path


def test_configurations_are_listed_with_their_law(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page"
    words = ["analyze", str(table), "--loss", "final loss", "--by", "n", "--scale-with", "n"]
    assert cli.main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "n^1.0" in shown.out.splitlines()[0]
    assert shown.out.splitlines()[-1] == f"Report: {out / 'report.html'}"
    assert "'final loss' (lower is better)" in shown.err
    optima = pd.read_csv(out / "tables" / "optima.csv")
    np.testing.assert_allclose(optima["optimum"], [8, 16, 32], rtol=0.02)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "law-optimum" in page


def test_json_is_that_of_the_page(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["analyze", str(table), "--loss", "final loss", "--out", str(tmp_path / "page")]
    assert cli.main([*words, "--by", "n", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["groups"]) == 3


def test_times_of_updates_come_from_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    rows = [
        (size, seed, 100, 0.9 + random.normal(0, 0.001))
        for size in (8, 16, 32)
        for seed in range(10)
    ]
    path, times = tmp_path / "runs.csv", tmp_path / "times.csv"
    pd.DataFrame(rows, columns=["bs", "seed", "step", "accuracy"]).to_csv(path, index=False)
    times.write_text("bs,seconds\n8,0.01\n16,0.005\n32,0.002\n")
    words = ["analyze", str(path), "--seconds-per-update", str(times), "--out", str(tmp_path / "p")]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.startswith("Use batch size 32. ")
    times.write_text("bs,seconds\nmany,few\n")
    assert cli.main(words) == 2
    assert "--seconds-per-update" in capsys.readouterr().err
