"""The commands of `bpsweep` that write reports."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reports.figures import NAMES
from sweeps.cli._options import DONE, Commands, folder_at
from sweeps.errors import ResourceError, UsageError, did_you_mean, refuse_links, shown, write
from sweeps.store.folder import FILE, with_study

if TYPE_CHECKING:
    from reports.schema import StudyResults

_PER_INCH = {"in": 1.0, "cm": 2.54, "mm": 25.4, "pt": 72.27}  # of a unit; the point is TeX's
_NARROWEST, _WIDEST = 2.5, 20.0


def add_report_commands(commands: Commands) -> None:
    """Add `report` and `watch`."""
    text = "write the report of a study again, or compare several studies"
    report = commands.add(_report, "Start", "report", text, "folder")
    report.add_argument(
        "others", type=with_study, nargs="*", metavar="folder", help="of studies to compare it with"
    )
    report.add_argument("--out", **folder_at("where to (default: the study's folder)"))
    report.add_argument(
        "--format",
        choices=("html", "pdf", "svg", "png"),
        default="html",
        help="a page, or figures and tables for a manuscript, by default in `paper` in the folder",
    )
    report.add_argument(
        "--width", metavar="WIDTH", help="of the figures, such as 3.25in or 84mm (default: 3.25in)"
    )
    report.add_argument("--figures", nargs="+", metavar="NAME", help="these only (default: all)")
    commands.add(_watch, "Look", "watch", "write the report of a study while it runs", "folder")


def _report(options: argparse.Namespace) -> int:
    if options.format != "html":
        return _paper(options)
    if options.width or options.figures:
        raise UsageError("--width and --figures are for --format pdf, svg or png.")
    if options.others:
        return _compare([options.folder, *options.others], options.out)
    from sweeps.store import results

    write(str(write_report(results(options.folder), options.out or options.folder)))
    return DONE


def _compare(folders: list[Path], out: Path | None) -> int:
    if out is None or (out / FILE).exists():
        raise UsageError("A report of several studies needs a folder of its own: give it by --out.")
    from reports import build_comparison
    from sweeps.store import results

    again = f"bpsweep report {' '.join(map(str, folders))} --out {out}"
    with _writable(out, again):
        page = build_comparison({name: results(at) for name, at in _named(folders)}, out)
    write(str(page))
    return DONE


def _paper(options: argparse.Namespace) -> int:
    names = options.figures or ()
    strangers = [name for name in names if name not in NAMES]
    if strangers:
        raise UsageError(
            f"There is no figure {shown(strangers[0])}; there are {', '.join(NAMES)}."
            f"{did_you_mean(strangers[0], NAMES)}"
        )
    if options.others:
        raise UsageError("Figures for a manuscript are of one study: give one folder.")
    width = _inches(options.width or "3.25in")
    from reports.output.manuscript import build_paper
    from sweeps.store import results

    study, out = results(options.folder), options.out or options.folder / "paper"
    if not options.out:
        refuse_links(out)
    again = f"bpsweep report {options.folder} --format {options.format}"
    with _writable(out, again):
        try:
            paths = build_paper(study, out, kind=options.format, width=width, names=names)
        except ValueError as error:
            raise UsageError(str(error)) from None
    write(*map(str, paths))
    return DONE


def _inches(text: str) -> float:
    """Return a length in inches."""
    length = re.fullmatch(r"(\d+(?:\.\d+)?)(in|cm|mm|pt)", text)
    inches = float(length[1]) / _PER_INCH[length[2]] if length else 0.0
    if not _NARROWEST <= inches <= _WIDEST:
        raise UsageError(
            f"--width must be {_NARROWEST:g}in to {_WIDEST:g}in, in in, cm, mm or pt, but is "
            f"{shown(text)}."
        )
    return inches


def _named(folders: list[Path]) -> list[tuple[str, Path]]:
    """Return folders with names that distinguish them: their own, or else their paths."""
    from sweeps.store.rows import storable

    paths = [folder.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        raise UsageError("A study can't be compared with itself: name every folder once.")
    names = [path.name for path in paths]
    return [
        (storable(name if names.count(name) == 1 else str(folder)), folder)
        for name, folder in zip(names, folders, strict=True)
    ]


def current_report(results: StudyResults, folder: Path) -> Path | None:
    """Return the page of a folder's report if it would be written again as it is, or else None."""
    from reports.output.unchanged import unchanged

    with _writable(folder, f"bpsweep report {folder}"):
        return unchanged(results, folder)


def write_report(results: StudyResults, folder: Path) -> Path:
    """Write a report and return its page."""
    from reports import build_report
    from reports.output.unchanged import seal

    with _writable(folder, f"bpsweep report {folder}"):
        page = build_report(results, folder)
        seal(results, folder)
    return page


@contextmanager
def _writable(folder: Path, again: str) -> Iterator[None]:
    """Turn what the system refuses into an error that a user can mend."""
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"{error.filename or folder} can't be written: {error.strerror or error}. The results "
            f"are kept: `{again}` writes the report again."
        ) from None


def _watch(options: argparse.Namespace) -> int:
    from sweeps.run.live_report import watch

    with _writable(options.folder, f"bpsweep report {options.folder}"):
        page = watch(options.folder)
    write(str(page))
    return DONE
