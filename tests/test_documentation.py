"""What the documentation says is so: its examples run, its lists are complete."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from sweeps.cli import main as cli
from sweeps.store._schema import TABLES, columns_of
from sweeps.worker import measure as timing

pytestmark = pytest.mark.no_cover  # that lines run in a whole study proves little of them

ROOT = Path(__file__).parent.parent


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def blocks(path: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(path), re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-4)


def test_the_commands_of_the_readme_do_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study,) = blocks("README.md", "toml")
    (tmp_path / "wine.toml").write_text(study)
    commands = re.findall(r"^\| `bpsweep (.*?)` \|", read("README.md"), re.MULTILINE)
    assert [command.split()[0] for command in commands] == [
        "validate",
        "plan",
        "run",
        "status",
        "report",
        "time",
    ]
    for command in commands:
        assert cli.main(command.split()) == 0, command
    assert (tmp_path / "wine" / "report.html").is_file()
    # Four batch sizes, three rates, five seeds; then the best rates on five more; and what was
    # added where the best rate lay at the edge.
    done, planned = re.findall(
        r"^wine: (\d+) of (\d+) trials$", capsys.readouterr().out, re.MULTILINE
    )[0]
    assert done == planned
    assert int(done) >= 4 * 3 * 5 + 4 * 5


@pytest.mark.slow
def test_the_python_of_the_interface_runs(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for code in blocks("docs/python.md", "python"):
        exec(compile(code, "python.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
        printed.append(capsys.readouterr().out)
    *_, table, study, critical, best = printed
    assert any(level in table for level in ("high", "moderate", "low"))
    assert study.startswith("Use batch size ")
    assert "'accuracy'" in study
    assert critical.startswith("100.0")
    assert best.startswith("{'backpropclassifier__batch_size': ")


def test_the_readme_shows_the_answer_of_the_tutorial() -> None:
    answer = " ".join(blocks("README.md", "text")[0].split())
    assert answer.startswith("Use batch size ")
    assert answer in " ".join(read("docs/tutorial.md").split())


def test_the_install_page_has_the_command_of_the_readme_and_every_extra() -> None:
    (command,) = blocks("docs/install.md", "sh")
    assert command in blocks("README.md", "sh")
    project = tomllib.loads(read("pyproject.toml"))["project"]
    rows = re.findall(r"^\| `(\w+)` \|", read("docs/install.md"), re.MULTILINE)
    assert sorted(rows) == sorted(project["optional-dependencies"])
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in read(
        "docs/install.md"
    )
    assert f"\nversion: {project['version']}\n" in read("CITATION.cff")


def test_every_column_of_the_store_is_documented() -> None:
    page = read("docs/store.md") + read("docs/tables.md")
    for table in TABLES:
        for name in columns_of(table):
            assert f"`{name}`" in page, name


def test_every_room_is_in_the_architecture_and_every_file_it_names_is_there() -> None:
    page = read("docs/architecture.md")
    for package in ("bpengine", "sweeps", "reports"):
        for path in (ROOT / package).glob("*/__init__.py"):
            assert f"| `{package}/{path.parent.name}` |" in page, path.parent.name
    for name in re.findall(r"`((?:bpengine|sweeps|reports|tests)/[\w/.]+)`", page):
        assert (ROOT / name).exists(), name


def test_generated_pages_show_what_the_code_does() -> None:
    path = ROOT / "docs" / "generate.py"
    specification = importlib.util.spec_from_file_location("generate", path)
    assert specification is not None
    assert specification.loader is not None
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    for page, text in generate.pages().items():
        assert page.read_text("utf-8") == text, f"{page.name} is stale: python docs/generate.py"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
