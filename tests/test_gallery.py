"""The gallery and the pages that show what steps print show what the code does now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sweeps.worker import measure as timing

pytestmark = [
    pytest.mark.no_cover,  # that lines run in a whole study proves little of them
    pytest.mark.slow,
]

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    """The script that draws it."""
    spec = importlib.util.spec_from_file_location("make_gallery", DOCS / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(gallery: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its studies."""
    folder = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(timing, "LEAST_SECONDS", 1e-4)
        gallery.studies(folder)
    return folder


@pytest.fixture(scope="module")
def shown(gallery: ModuleType, folder: Path) -> list[Any]:
    """Its figures."""
    from sweeps import results  # noqa: PLC0415 - after the script has been loaded

    made: list[Any] = gallery.entries(
        {name: results(folder / name) for name in ("gallery", "other")}
    )
    return made


def test_the_page_shows_what_the_code_does(gallery: ModuleType, shown: list[Any]) -> None:
    """Some figures depend on times: those that the page has beyond these need not be drawn here."""
    written = (DOCS / "gallery" / "index.md").read_text("utf-8")
    now = gallery.page(shown).split("## Parts of the page")[0]
    for text in re.split(r"^(?=## )", now, flags=re.MULTILINE):
        assert text.strip() in written, "run `python docs/make_gallery.py`"
    drawn = {path.name for path in (DOCS / "gallery").glob("*.svg")}
    assert drawn == set(re.findall(r"\]\((.*\.svg)\)$", written, re.MULTILINE))
    known = {*gallery.drawing_functions().values()}
    assert set(re.findall(r"^`([\w.]+)\(", written, re.MULTILINE)) <= known


def test_the_code_of_the_page_gives_its_figures(
    gallery: ModuleType, shown: list[Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    code = re.findall(r"^```python\n(.*?)^```$", gallery.page(shown), re.MULTILINE | re.DOTALL)
    assert len(code) == 1 + len(shown)
    names: dict[str, Any] = {}
    for text in code:
        exec(text, names)  # noqa: S102 - our own page
        names["plt"].close("all")
    assert names["ax"].get_figure() is not None


def test_a_function_that_no_figure_uses_is_named(gallery: ModuleType, shown: list[Any]) -> None:
    _, others = gallery.page(shown[1:2]).split("## Parts of the page")
    assert (
        "`reports.charts._accuracy.accuracy(ax, table, seeds, label, measure, reference)`: Draw"
        in others
    )


def skeleton(text: str) -> str:
    """Return a page without what depends on times, versions and the machine."""
    dropped = r"^(?:(?:note|warning|Confidence):|Add|Batch sizes?|For the|\d+ more|$).*\n"
    text = re.sub(dropped, "", text, flags=re.MULTILINE)
    text = re.sub(r"^(Use batch size) .*", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^([A-Z a-z'-]+: |  \d+: ).*", r"\1", text, flags=re.MULTILINE)
    return re.sub(r" *\d+\.\d+", " #", text)


def labels(drawing: Path) -> list[str]:
    """Return the texts of a figure that are no numbers."""
    return re.findall(r">([^<>\d]{3,})</text>", drawing.read_text("utf-8"))


@pytest.mark.parametrize(
    "name", ["README.md", *(f"docs/{page}.md" for page in ("tutorial", "install", "trainers"))]
)
def test_a_page_shows_what_its_steps_print(gallery: ModuleType, name: str, tmp_path: Path) -> None:
    written = (DOCS.parent / name).read_text("utf-8")
    followed = gallery.follow(written, tmp_path)
    assert "\n```text\n" in followed
    assert skeleton(followed) == skeleton(written), "run `python docs/make_gallery.py`"
    for shown in gallery.FIGURES.finditer(written):
        figure = DOCS / "images" / f"{shown['study']}-{shown['figure']}.svg"
        drawn = tmp_path / shown["study"] / "figures" / f"{shown['figure']}.svg"
        assert labels(figure) == labels(drawn) != []
