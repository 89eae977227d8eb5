"""The command `bpsweep analyze`: finished runs of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.cli._options import DONE, Commands, folder_at
from sweeps.errors import UsageError, refuse_missing, tell, write

if TYPE_CHECKING:
    from reports.output.interactive import Results

COLUMNS = {
    "batch-size": "the batch size",
    "learning-rate": "the learning rate",
    "seed": "the seed; runs of one cell that differ in it are repetitions",
    "updates": "updates made",
    "examples": "examples, or tokens, processed",
    "seconds": "seconds of training",
    "loss": "what is judged, if lower is better",
    "metric": "what is judged, if higher is better",
    "steps": "updates to a target",
    "reached": "whether the run reached the target; otherwise its steps were not enough",
    "run": "the run's name, where it has a row for each evaluation",
}


def add_analyze(commands: Commands) -> None:
    """Add `analyze`."""
    text = "report on finished runs of any program, from their tables"
    analyze = commands.add(_analyze, "Start", "analyze", text, "--json")
    analyze.add_argument("runs", nargs="+", help="a table of runs, or files or a folder of runs")
    for name, text in COLUMNS.items():
        analyze.add_argument(f"--{name}", default="", metavar="COLUMN", help=f"column of {text}")
    analyze.add_argument(
        "--by", default="", metavar="COLUMNS", help="columns, with commas, that make configurations"
    )
    analyze.add_argument(
        "--scale-with", default="", metavar="COLUMN", help="column that the optimum is to follow"
    )
    direction = analyze.add_mutually_exclusive_group()
    direction.add_argument("--maximize", action="store_true", help="more of it is better")
    direction.add_argument("--minimize", action="store_true", help="less of it is better")
    analyze.add_argument("--target", type=float, metavar="LEVEL", help="level to be reached")
    analyze.add_argument("--margin", type=float, metavar="LOSS", help="loss that is accepted")
    analyze.add_argument("--unit", default="examples", help="what examples are (default: examples)")
    analyze.add_argument(
        "--examples-per-item",
        type=float,
        default=1.0,
        metavar="N",
        help="how many of the unit the batch size counts as one, such as tokens of a sequence",
    )
    analyze.add_argument(
        "--seconds-per-update", metavar="FILE", help="table of batch size and seconds of an update"
    )
    out = "where to write the page (default: `RUNS-analysis`)"
    analyze.add_argument("--out", **folder_at(out))


def _analyze(options: argparse.Namespace) -> int:
    for path in options.runs:
        refuse_missing(path)
    from reports.runs.roles import Choice
    from sweeps.manage.run_tables import analyze_runs
    from sweeps.study import answering

    choice = Choice(
        {role.replace("-", "_"): getattr(options, role.replace("-", "_")) for role in COLUMNS},
        tuple(name for name in options.by.split(",") if name),
        options.scale_with,
        True if options.maximize else False if options.minimize else None,
    )
    finished, notes = analyze_runs(
        options.runs,
        choice,
        _seconds(options.seconds_per_update),
        target=options.target,
        margin=options.margin,
        unit=options.unit,
        examples_per_item=options.examples_per_item,
    )
    tell(*notes)
    results = answering(finished)
    page = results.report(options.out or Path(f"{results.description.name}-analysis"))
    if options.json:
        write(*(page.parent / "report.json").read_text(encoding="utf-8").splitlines())
    else:
        write(*_lines(results), f"Report: {page}")
    return DONE


def _seconds(path: str | None) -> dict[int, float] | None:
    """Return the seconds of an update by batch size that a table of two columns holds."""
    from sweeps.manage.run_tables import read_run_files

    if path is None:
        return None
    frame, _ = read_run_files([path])
    try:
        pairs = frame.iloc[:, :2].astype("float64").to_numpy().tolist()
    except ValueError:
        pairs = []
    known = {int(size): seconds for size, seconds in pairs if size >= 1 and seconds > 0}
    if not known:
        raise UsageError(
            f"--seconds-per-update {path} must be a table of two columns: batch size and seconds "
            "of an update."
        )
    return known


def _lines(results: Results) -> list[str]:
    """Return what the page says first."""
    from reports.text import across
    from reports.text.instruction import answer_lines

    study = results.analysis
    if study.several:
        return [statement.text for statement in across(study)]
    return answer_lines(study.groups[0])
