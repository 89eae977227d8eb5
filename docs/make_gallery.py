"""Draw the gallery and the tutorial's figures again: `python docs/make_gallery.py`.

The gallery shows every figure that studies of data at hand allow, and names the functions that draw
something else. Pages that are followed get what their commands print. `tests/test_gallery.py` fails
when these pages no longer show what the code does.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from matplotlib.figure import Figure

import reports
from reports import StudyResults
from reports.charts.base import svg
from reports.charts.base._chart import Chart
from reports.charts.catalogue import charts
from reports.charts.groups import group_charts
from reports.charts.timeline import timeline_charts
from reports.compare._figures import match_charts
from reports.compare._matches import match_studies
from reports.recommend.analysis import analyse_study
from sweeps import Study

DOCS = Path(__file__).parent
GALLERY = DOCS / "gallery"
WITH_OUTPUT = (
    DOCS.parent / "README.md",
    *(DOCS / f"{name}.md" for name in ("tutorial", "install", "trainers")),
)
"""Pages that show what their commands print."""
FIGURES = re.compile(
    r"\]\(images/(?P<study>[\w-]+)-(?P<figure>accuracy|rates)\.svg\)$", re.MULTILINE
)
"""A figure of a study on such a page."""
_STEP = re.compile(
    r"^```(?P<language>console|python|toml)\n(?P<code>.*?)^```\n(?P<output>\n```text\n.*?^```\n)?",
    re.MULTILINE | re.DOTALL,
)
STUDY: dict[str, Any] = {
    "dataset": "iris",
    "hidden_layers": [8],
    "batch_sizes": [1, 4, 16, 64],
    "learning_rates": [0.1, 0.5, 2.0],
    "seeds": [1, 2, 3, 4, 5],
    "confirmation_seeds": [11, 12, 13, 14, 15],
    "epochs": 20,
    "simulated_cluster": {},
}

_HEAD = """\
# Gallery

Every figure of the report, drawn from a study of two optimizers on iris and, for comparisons, from
a second one. Each is drawn by a function that takes matplotlib's `ax` and a table; a report hands
it the table together with title and caption, as a `Chart`. This gets at the charts:

```python
from matplotlib import pyplot as plt

from reports.charts.catalogue import charts
from reports.charts.groups import group_charts
from reports.recommend.analysis import analyse_study
from reports.compare._figures import match_charts
from reports.compare._matches import match_studies
from reports.charts.timeline import timeline_charts
from sweeps import results

study = analyse_study(results("gallery"))
other = analyse_study(results("other"))
matches = match_studies({"gallery": study, "other": other})
```
"""
_ENTRY = """\
## {heading}

![{heading}]({name}.svg)

```python
chart = next(chart for chart in {source} if chart.name == "{name}")
ax = chart.draw(plt.figure(layout="constrained").add_subplot())
```

{functions}
"""


class Entry(NamedTuple):
    """A figure of the gallery.

    Attributes:
        chart: The figure.
        source: Where a reader finds it, as code.
    """

    chart: Chart
    source: str


def studies(folder: Path) -> dict[str, StudyResults]:
    """Run the studies of the gallery.

    Args:
        folder: Where to.
    """
    several = Study("gallery", **STUDY | {"optimizer": ["sgd", "momentum"]})
    other = Study("other", **STUDY | {"optimizer": ["sgd"], "activation": "relu"})
    return {
        study.specification.name: study.run(folder / study.specification.name, n_jobs=1)
        for study in (several, other)
    }


def entries(results: Mapping[str, StudyResults]) -> list[Entry]:
    """Return all figures of studies.

    Args:
        results: Their results, by name.
    """
    analysed = {name: analyse_study(result) for name, result in results.items()}
    study = next(iter(analysed.values()))
    by_source = {
        "charts(study.groups[0])": charts(study.groups[0]),
        "group_charts(study)": group_charts(study),
        "match_charts(matches)": match_charts(match_studies(analysed)),
        "timeline_charts(study)": timeline_charts(study),
    }
    return [Entry(chart, source) for source, drawn in by_source.items() for chart in drawn]


def drawing_functions() -> dict[CodeType, str]:
    """Return the public functions of `reports` that take an `ax` and a table, by their code."""
    return {
        function.__code__: f"{module}.{name}"
        for module, name, function in _functions()
        if [p.annotation for p in inspect.signature(function).parameters.values()][:2]
        == ["Axes", "pd.DataFrame"]
        if not module.startswith("reports.charts.base") and _summary(function).startswith("Draw")
    }


def _functions() -> Iterator[tuple[str, str, Any]]:
    for module_info in pkgutil.walk_packages(reports.__path__, "reports."):
        module = importlib.import_module(module_info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module_info.name and not name.startswith("_"):
                yield module_info.name, name, function


def _summary(function: Any) -> str:  # noqa: ANN401
    return (inspect.getdoc(function) or "").split("\n\n", 1)[0].replace("\n", " ")


def drawn_by(chart: Chart) -> list[str]:
    """Draw a figure, and return the functions that drew it.

    Args:
        chart: The figure.
    """
    known, called = drawing_functions(), list[str]()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code in known:
            called.append(known[frame.f_code])

    sys.setprofile(note)
    try:
        chart.draw(Figure().add_subplot())
    finally:
        sys.setprofile(None)
    return list(dict.fromkeys(called))


def page(shown: list[Entry]) -> str:
    """Return the gallery's page.

    Args:
        shown: Its figures.
    """
    used = {entry.chart.name: drawn_by(entry.chart) for entry in shown}
    left = {*drawing_functions().values()} - {name for names in used.values() for name in names}
    texts = [
        _ENTRY.format(
            heading=entry.chart.heading,
            name=entry.chart.name,
            source=entry.source,
            functions="\n\n".join(map(_function, used[entry.chart.name])),
        )
        for entry in shown
    ]
    if left:
        texts.append("\n\n".join(["## Parts of the page", *map(_function, sorted(left)), ""]))
    return "\n".join([_HEAD, *texts])


def _function(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    function = getattr(importlib.import_module(module), attribute)
    parameters = ", ".join(inspect.signature(function).parameters)
    return f"`{name}({parameters})`: {_summary(function)}"


def follow(text: str, folder: Path) -> str:
    """Do what a page says, and return it with what each step prints below the step.

    Args:
        text: The page; its steps are blocks of Python or of commands behind `$`, and files, which
            begin with their name in a comment.
        folder: Where to follow it; made if it isn't there.

    Raises:
        CalledProcessError: A step fails.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def followed(step: re.Match[str]) -> str:
        code, language = step["code"], step["language"]
        if file := re.match(r"# (\S+\.(?:py|toml))\n", code):
            (folder / file[1]).write_text(code, "utf-8")
        if file or language == "toml":
            return step[0]
        output = "".join(_run(line, folder) for line in _lines(code, language))
        output = re.sub(r" +$", "", output, flags=re.MULTILINE).rstrip()
        shown = f"\n```text\n{output}\n```\n" if output else ""
        return f"```{language}\n{code}```\n{shown}"

    return _STEP.sub(followed, text)


def _lines(code: str, language: str) -> list[list[str]]:
    """Return the command lines of a step."""
    if language == "python":
        return [[sys.executable, "-c", code]]
    bpsweep = str(Path(sys.executable).with_name("bpsweep"))
    commands = re.findall(r"^\$ bpsweep (.*)$", code, re.MULTILINE)
    return [[bpsweep, *shlex.split(command)] for command in commands]


def _run(line: list[str], folder: Path) -> str:
    return subprocess.run(line, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own pages


def write_followed(page: Path, folder: Path) -> None:
    """Follow a page, and keep what its steps print and the figures that it shows.

    Args:
        page: Its path.
        folder: Where to follow it.
    """
    text = follow(page.read_text("utf-8"), folder)
    page.write_text(text, "utf-8")
    for shown in FIGURES.finditer(text):
        study, figure = shown["study"], shown["figure"]
        drawn = folder / study / "figures" / f"{figure}.svg"
        shutil.copy(drawn, DOCS / "images" / f"{study}-{figure}.svg")


def write_answer() -> None:
    """Show in the README the answer that the tutorial's study prints."""
    printed = (DOCS / "tutorial.md").read_text("utf-8").splitlines()
    first = next(n for n, line in enumerate(printed) if line.startswith("Use batch size"))
    answer = "\n".join(textwrap.fill(line, 100) for line in printed[first : first + 2])
    before, block, rest = (DOCS.parent / "README.md").read_text("utf-8").partition("```text\n")
    _, end, after = rest.partition("\n```")
    (DOCS.parent / "README.md").write_text(f"{before}{block}{answer}{end}{after}", "utf-8")


def main() -> None:
    """Write the pages and their figures; figures of the gallery that there no longer are go."""
    for path in WITH_OUTPUT:
        with tempfile.TemporaryDirectory() as folder:
            write_followed(path, Path(folder))
    write_answer()
    with tempfile.TemporaryDirectory() as folder:
        shown = entries(studies(Path(folder)))
    GALLERY.mkdir(exist_ok=True)
    for path in GALLERY.glob("*.svg"):
        path.unlink()
    for entry in shown:
        drawing = svg.alone(svg.draw(entry.chart), entry.chart)
        (GALLERY / f"{entry.chart.name}.svg").write_text(drawing, "utf-8")
    (GALLERY / "index.md").write_text(page(shown), "utf-8")


if __name__ == "__main__":
    main()
