"""The chart of what ran when."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports.analysis import Timeline
from reports.analysis.worker_timeline import SLACK, TIMED
from reports.charts.base import Chart, in_words, sentences, style
from reports.figures import TIMELINE
from reports.recommend import StudyAnalysis, extreme
from reports.schema import percent, plural, seconds

MOST_MARKED = 200  # bars up to which the begins of cohorts are marked
MOST_SHAPES = 1_000  # cohorts that are drawn as shapes; more of them become a picture
_UNITS = ((10_800.0, 3_600.0, "h"), (180.0, 60.0, "min"), (0.0, 1.0, "s"))
_CHARACTER = 0.013  # share of the axis that a character takes
_THICKEST = 26  # points of a bar's height, at most
_THICK = 0.7  # share of a row's height that its bars take
ROW = 0.35  # inches of a row of the timeline
TALLEST = 4.0  # inches that the rows of the timeline may take together


def timeline(ax: Axes, spans: pd.DataFrame, pauses: pd.DataFrame) -> None:
    """Draw when what ran: bars for cohorts by batch size, and for the benchmark."""
    cohorts = spans[spans["stage"] != TIMED]
    passes = spans[spans["stage"] == TIMED]
    lowest, highest = int(spans["row"].min()), int(spans["row"].max())
    height = ax.figure.get_figheight() * ax.get_position().height * 72  # type: ignore[union-attr]
    thick = min(_THICK * height / (highest - lowest + 1), _THICKEST)
    length = float(spans["ended"].max())
    by_size = cohorts.groupby("batch_size")
    colors = dict(zip(by_size.groups, style.ordered_colors(len(by_size)), strict=True))
    for size, bars in by_size:
        gid, drawn = f"{style.SIZE_ID}{size}", len(spans) > MOST_SHAPES
        _bars(ax, bars, thick, color=colors[size], gid=gid, rasterized=drawn)
    for bar in cohorts.to_dict("records"):
        name, takes = str(bar["batch_size"]), bar["ended"] - bar["started"]
        if takes > length * _CHARACTER * (len(name) + 1):
            ax.text(
                bar["started"] + takes / 2, bar["row"], name, ha="center", va="center", size=7.5,
                color=style.ink_on(colors[bar["batch_size"]]), gid=f"{style.SIZE_ID}{name}",
                label=f"batch size {name}: {plural(bar['trials'], 'trial')} trained together in "
                f"{seconds(takes)} ({bar['stage']})",
            )  # fmt: skip
    if len(passes):
        _bars(ax, passes, thick, color=style.GREY)
    if len(spans) <= MOST_MARKED:
        ax.plot(cohorts["started"], cohorts["row"], "|", color=style.INK, ms=thick, mew=0.7)
    for at in pauses["at"]:
        ax.axvline(at, color=style.INK, lw=1, ls=":")
    ax.grid(visible=False)
    ax.set_ylim(lowest - 0.5, highest + 0.5)
    rows = range(lowest, highest + 1, max(1, (highest - lowest) // 8))
    style.fixed_ticks(ax.yaxis, rows, (str(row or "benchmark") for row in rows))
    ax.tick_params(axis="y", length=0)
    factor, unit = next((factor, unit) for least, factor, unit in _UNITS if length >= least)
    ticks = np.asarray(MaxNLocator(7, steps=[1, 2, 5, 10]).tick_values(0, length / factor))
    style.fixed_ticks(ax.xaxis, factor * ticks, (f"{tick:g} {unit}" for tick in ticks))
    ax.set_xlim(0, 1.01 * length)
    ax.set(xlabel="Time since the sweep began, without pauses", ylabel="Row")


def _bars(ax: Axes, spans: pd.DataFrame, thick: float, **look: Any) -> None:  # noqa: ANN401
    # A line that is cut between its pieces takes a tenth of the bytes that rectangles take.
    ends = spans.assign(cut=float("nan"))[["started", "ended", "cut"]].to_numpy().ravel()
    rows = spans["row"].repeat(3).to_numpy()
    ax.plot(ends, rows, lw=thick, solid_capstyle="butt", **look)


def timeline_charts(study: StudyAnalysis) -> list[Chart]:
    """Return the chart of what ran when; none where nothing is known."""
    history = study.timeline
    if history.spans.empty:
        return []
    drawn = Chart(
        name=TIMELINE,
        heading="The sweep along time",
        finding=_finding(history),
        caption=_caption(history),
        description=in_words(
            history.work,
            "batch size {batch_size}: {cohorts}, {work_seconds}",
            cohorts=lambda number: plural(number, "cohort"),
            work_seconds=seconds,
        ),
        table=history.spans,
        figure=partial(timeline, pauses=history.pauses),
        height=0.9 + min(ROW * (history.rows + 1), TALLEST),
    )
    return [drawn]


def _finding(history: Timeline) -> str:
    if history.work.empty:
        return f"The benchmark took {seconds(history.seconds)}"
    most = extreme(history.work, "work_share", largest=True)
    took = (
        f"Batch size {most['batch_size']:.0f} took {percent(most['work_share'])} of the training "
        "time"
    )
    if math.isnan(history.busy):
        return took
    workers = f"{plural(history.rows, 'worker')} {'was' if history.rows == 1 else 'were'}"
    return f"{took}; {workers} busy {percent(history.busy)} of the sweep"


def _caption(history: Timeline) -> str:
    total, number = seconds(history.pauses["seconds"].sum()), len(history.pauses)
    return sentences(
        "Each bar is a group of networks trained together, labelled with its batch size.",
        len(history.spans) <= MOST_MARKED and "A thin mark is its start.",
        "Busy: share of the time from the first start to the last end of a trial.",
        _passes(history),
        number == 1 and f"Dotted line: a pause of {total} is left out.",
        number > 1 and f"Dotted lines: {number} pauses of {total} in total are left out.",
        history.unknown > 0
        and f"Not drawn: {plural(history.unknown, 'trial')} whose time is not known.",
    )


def _passes(history: Timeline) -> str:
    passes = history.spans[history.spans["stage"] == TIMED]
    trials = history.spans[history.spans["stage"] != TIMED]
    if passes.empty:
        return ""
    beside = any(
        ((trials["started"] < ended) & (trials["ended"] > started + SLACK)).any()
        for started, ended in zip(passes["started"], passes["ended"], strict=True)
    )
    if beside:
        return "By these clocks, trials ran during the benchmark: stores may have been merged."
    length = (passes["ended"] - passes["started"]).sum()
    return f"The benchmark took {seconds(length)}; no trial ran during it."
