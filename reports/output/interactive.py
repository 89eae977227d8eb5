"""Results as one asks them in Python: the answer, figures, tables, the report."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd
from markupsafe import Markup, escape

from reports.recommend import StudyAnalysis, analyse_study
from reports.schema import StudyResults, visible
from reports.text.instruction import confidence, headline, price_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.charts.base import Chart
    from reports.output.page.cells import Table

MOST_ROWS = 30  # rows of the table
MOST_ANSWERS = 5


@dataclass(frozen=True)
class Recommendation:
    """Which batch size to use, with its learning rate."""

    batch_size: int | None  #: To use; None where none is shown to be near-optimal.
    learning_rate: float | None  #: Its tuned learning rate.
    near_optimal: tuple[int, ...]  #: All sizes that are shown to be near-optimal, ascending.
    price: str  #: What training faster than that costs, in a sentence; "" for nothing known.
    confidence: tuple[str, str]  #: "high", "moderate" or "low", and why.
    sentence: str  #: The answer as the page gives it.

    def __str__(self) -> str:
        return self.sentence


class Results(StudyResults):
    """A study's results with what they say; the analysis is made once, when it is asked for."""

    @classmethod
    def of(cls, results: StudyResults) -> Self:
        """Return results that can be asked."""
        return cls(**{field.name: getattr(results, field.name) for field in fields(StudyResults)})

    @cached_property
    def analysis(self) -> StudyAnalysis:
        """Every statistic of the report."""
        return analyse_study(self)

    @cached_property
    def recommendations(self) -> dict[str, Recommendation]:
        """Which batch size to use, for each configuration by its label."""
        return {
            analysis.plan.group: Recommendation(
                analysis.answer.batch_size,
                analysis.answer.learning_rate,
                tuple(analysis.answer.near_optimal),
                price_sentence(analysis),
                confidence(analysis),
                headline(analysis),
            )
            for analysis in (self.analysis.groups if len(self.trials) else ())
        }

    @property
    def recommendation(self) -> Recommendation:
        """Which batch size to use.

        Raises:
            ValueError: The study has several configurations, or has not run yet.
        """
        if len(self.recommendations) != 1:
            labels = ", ".join(self.recommendations) or "none, as nothing has run yet"
            raise ValueError(f"Ask `recommendations` for one of several configurations: {labels}.")
        (recommendation,) = self.recommendations.values()
        return recommendation

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """The tables of the report, by the names of their files; `columns` describes them."""
        from reports.claims.judgement import claims_of
        from reports.output import csv

        judged = claims_of(self.analysis.groups) if self.description.claims else ()
        return csv.tables(self.analysis, judged)

    @cached_property
    def plot(self) -> Plots:
        """The figures of the report, drawn by `plot("accuracy")` and listed by `plot.names()`."""
        return Plots(self.analysis)

    def report(self, folder: Path | str) -> Path:
        """Write the report into a folder, and return the path of its page."""
        from reports.output.build import build_report

        return build_report(self, Path(folder))

    def __repr__(self) -> str:
        shown = dict([*self.recommendations.items()][:MOST_ANSWERS])
        several = len(self.recommendations) > 1
        answers = (f"{visible(name)}: " * several + str(each) for name, each in shown.items())
        return "\n".join([super().__repr__(), *answers])

    def _repr_html_(self) -> str:
        from reports.charts import charts, group_charts
        from reports.charts.base import svg
        from reports.output.page._tables import group_table, page_tables
        from reports.output.page.page import summary

        study, answer = self.analysis, ""
        if study.several:
            tables, drawn = [group_table(study)], group_charts(study)
        else:
            (analysis,) = study.groups
            answer = headline(analysis) if study.counts.run else ""
            tables, drawn = page_tables(analysis) if study.counts.run else [], charts(analysis)
        parts = [Markup("<p>{}</p>").format(text) for text in (answer, summary(study)) if text]
        parts += [_table(table) for table in tables[:1]]
        # The figure is an image, so that its style and names stay its own.
        image = Markup('<img src="{}" alt="{}" style="max-width: 100%">')
        for chart in drawn[:1]:
            drawing = base64.b64encode(svg.alone(svg.draw(chart), chart).encode()).decode()
            described = f"{chart.finding}. {chart.description}"
            parts.append(image.format(f"data:image/svg+xml;base64,{drawing}", described))
        return str(Markup("").join(parts))


class Plots:
    """The figures of a study, drawn on matplotlib's axes when they are asked for."""

    def __init__(self, study: StudyAnalysis) -> None:
        self._study = study

    def names(self) -> list[str]:
        """Return the names of the figures that the data allow."""
        return list(dict.fromkeys(chart.name for chart in self._charts()))

    def __call__(
        self, name: str = "accuracy", ax: Axes | None = None, *, configuration: str = ""
    ) -> Axes:
        """Draw a figure.

        Args:
            name: One of `names()`.
            ax: Where to draw; a figure of its own by default.
            configuration: Label of the configuration, where there are several.

        Raises:
            ValueError: The data don't allow a figure of this name.
        """
        from matplotlib.pyplot import subplots

        chart = next((c for c in self._charts(configuration) if c.name == name), None)
        if chart is None:
            raise ValueError(f"There is no figure {name!r}; there are {', '.join(self.names())}.")
        drawn = chart.draw(subplots()[1] if ax is None else ax)
        drawn.set_title(chart.finding, pad=20)  # above the mark of the recommended size
        return drawn

    def _charts(self, configuration: str = "") -> Iterator[Chart]:
        from reports.charts import charts, group_charts

        for analysis in self._study.groups:
            if configuration in {"", analysis.plan.group}:
                yield from charts(analysis)
        yield from group_charts(self._study)


def _table(table: Table) -> Markup:
    bold = {True: Markup("<b>{}</b>"), False: Markup("{}")}
    rows = [[bold[cell.strong].format(cell.text) for cell in row] for row in table.rows[:MOST_ROWS]]
    frame = pd.DataFrame(rows, columns=[escape(header) for header in table.headers])
    with pd.option_context("display.max_colwidth", None):
        html = Markup(frame.to_html(index=False, border=0, escape=False))  # noqa: S704 - escaped
    left = len(table.rows) - MOST_ROWS
    return html + Markup("<p>{} more rows.</p>").format(left) if left > 0 else html
