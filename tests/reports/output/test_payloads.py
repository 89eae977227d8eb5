"""Whatever data, classes or errors are called: in a report it is text and nothing else."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from reports.charts.base import svg
from reports.charts.catalogue import charts
from reports.output import build
from reports.output.build import build_report
from reports.output.page.page import fill
from reports.recommend.analysis import analyse
from reports.schema.formats import visible
from reports.schema.results import StudyResults
from tests.helpers.payloads import ACTIVE, PAYLOADS, Nodes
from tests.reports.conftest import Sketch, make_results, several

pytestmark = pytest.mark.slow

SHARED = {
    "batch_sizes": (8, 64),
    "learning_rates": (1.0,),
    "seeds": (1, 2),
    "confirmation_seeds": (11, 12),
    "epochs": 1,
}

NAMED = (
    *("dataset", "fingerprint", "activation", "output", "loss", "reduction", "optimizer"),
    *("schedule", "metric", "budget"),
)


def named(texts: tuple[str, ...]) -> StudyResults:
    """Return a study with a group for each text, in which everything is called by it."""
    groups = [
        {
            **dict.fromkeys(NAMED, text),
            "group": f"{number} {text}",
            "target_names": (text, text[::-1]),
            "notes": (text,),
            "hyperparameters": {text: 0.5},
        }
        for number, text in enumerate(texts)
    ]
    everything = " ".join(texts)
    plan = several(
        *groups,
        **SHARED,
        name=texts[0],
        title=everything,
        specification="\n".join(texts),
        provenance={text: text for text in texts} | {"all": everything},
    )
    results = make_results(Sketch(description=plan, rounds=1))
    trials = results.trials
    for number, text in enumerate(texts):
        first = trials.index[trials["group"] == f"{number} {text}"][0]
        trials.loc[first, ["status", "error", "test_metric", "test_loss"]] = [
            "error",
            text,
            None,
            None,
        ]
    return results


@pytest.fixture(scope="module", autouse=True)
def _one_figure() -> Iterator[None]:
    """Let every group have one figure only: they take long, and have tests of their own below."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "MOST_DRAWN", len(PAYLOADS))
        yield


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with names that do nothing."""
    return build_report(named(("one", "two", "three")), tmp_path_factory.mktemp("harmless"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a group for each payload."""
    return build_report(named(PAYLOADS), tmp_path_factory.mktemp("parent") / "hostile")


def test_a_page_has_no_element_or_attribute_of_a_payload(hostile: Path, harmless: Path) -> None:
    attacked, usual = (Nodes(path.read_text("utf-8")) for path in (hostile, harmless))
    assert attacked.kinds <= usual.kinds
    assert attacked.active == usual.active == ["script"]
    inside = re.compile(
        r"#|data:text/csv;|report\.json$|tables/[a-z-]+\.csv$|figures/[a-z0-9/-]*(\.svg)?$"
    )
    assert [address for address in attacked.addresses if not inside.match(address)] == []


def test_every_payload_is_there_as_text(hostile: Path) -> None:
    text = Nodes(hostile.read_text("utf-8")).text
    for payload in PAYLOADS:
        assert visible(payload, most=40).rstrip("…") in text


@pytest.mark.parametrize("title", PAYLOADS)
def test_a_title_is_text(title: str) -> None:
    usual, attacked = (Nodes(fill("base.html.jinja", title=text)) for text in ("harmless", title))
    assert attacked.found == usual.found
    assert visible(title) in attacked.text


@pytest.mark.parametrize("first", [0, 20, 33, 38], ids=["element", "handler", "link", "control"])
def test_figures_have_no_element_or_attribute_of_a_payload(first: int) -> None:
    (analysis,) = analyse(named(PAYLOADS[first : first + 1]))
    for chart in charts(analysis):
        root = ET.fromstring(svg.alone(svg.draw(chart), chart))  # noqa: S314
        for element in root.iter():
            assert element.tag.rpartition("}")[2] not in ACTIVE | {"foreignObject"}
            for name, value in element.attrib.items():
                assert not name.startswith("on")
                inside = value.startswith(("#", "data:image/png;base64,"))
                assert inside or name.rpartition("}")[2] != "href"


def test_a_table_has_no_formula(hostile: Path) -> None:
    cells = [
        cell
        for path in sorted((hostile.parent / "tables").glob("*.csv"))
        for row in csv.reader(path.read_text("utf-8").splitlines())
        for cell in row
    ]
    formulas = [cell for cell in cells if re.match(r"[=+\-@\t\r\x00]", cell) and not number(cell)]
    assert formulas == []
    assert "'=cmd|' /C calc'!A0" in cells


def number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_nothing_is_written_but_the_report(hostile: Path) -> None:
    folder = hostile.parent
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    known = re.compile(
        r"report\.(html|json)|tables/[a-z-]+\.csv|figures/(\d\d[a-z0-9-]*/)?[a-z-]+\.svg"
    )
    assert [name for name in files if not known.fullmatch(name)] == []
    assert len([name for name in files if name.count("/") == 2]) == len(PAYLOADS)
    assert [path.name for path in folder.parent.iterdir()] == ["hostile"]


def test_an_unescaped_payload_would_be_found() -> None:
    active = Nodes(" ".join(f"<p>{payload}</p>" for payload in PAYLOADS[:12])).active
    assert {"script", "img", "iframe", "object", "link", "base", "form", "onerror"} <= set(active)
    assert Nodes(f'<p title="{PAYLOADS[20]}">').active == ["onmouseover"]
