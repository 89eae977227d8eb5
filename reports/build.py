"""From results to a folder: the page, and its tables and figures as files."""

from __future__ import annotations

import os
from pathlib import Path

from reports import charts, page, svg, tables
from reports.analysis import analyse
from reports.results import StudyResults

PAGE = "report.html"
"""Name of the page's file."""


def build_report(results: StudyResults, folder: Path) -> Path:
    """Write the report of a study, and return the path of its page.

    Writes `report.html`, `tables/*.csv` and `figures/*.svg`, each file atomically and the page
    last; a figure that the data don't allow any more is removed. The same results give the same
    bytes.

    Args:
        results: The study.
        folder: Where to write; made if it isn't there.
    """
    folder = Path(folder)
    analysis = analyse(results)
    drawn = {chart.name: (chart, svg.draw(chart)) for chart in charts.charts(analysis)}
    csv = {name: tables.to_csv(frame) for name, frame in tables.tables(analysis).items()}
    html = page.render(analysis, drawn, csv)
    for name, text in csv.items():
        _write(folder / "tables" / f"{name}.csv", text)
    for name, (chart, element) in drawn.items():
        _write(folder / "figures" / f"{name}.svg", svg.alone(element, chart))
    for name in set(charts.NAMES) - set(drawn):
        (folder / "figures" / f"{name}.svg").unlink(missing_ok=True)
    _write(folder / PAGE, html)
    return folder / PAGE


def _write(path: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
