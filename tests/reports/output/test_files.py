"""Files of a report are there whole or not at all, whoever reads and whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reports.output import files
from reports.output.files import remove_leftovers, write

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from files import write  # alone: the package loads pandas
path, number = Path(sys.argv[2]), 0
while True:
    number += 1
    write(path, f"{number}\\n" + 200_000 * "x" + f"\\n{number}</html>\\n")
"""
KILLS, PAGES = 10, 5


def is_complete(text: str) -> bool:
    first, *_, last = text.splitlines()
    return text.endswith("</html>\n") and last == f"{first}</html>"


def test_a_reader_sees_a_whole_page_while_its_writers_are_killed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write(page, "0\n0</html>\n")
    command = [sys.executable, "-c", WRITER, str(Path(files.__file__).parent), str(page)]
    for _ in range(KILLS):
        seen: set[str] = set()
        with subprocess.Popen(command) as writer:
            while len(seen) < PAGES:
                text = page.read_text()
                assert is_complete(text)
                seen.add(text)
            os.kill(writer.pid, signal.SIGKILL)
        assert is_complete(page.read_text())
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_reader_would_see_a_part_of_a_page_that_is_written_in_place(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with page.open("w") as file:
        file.write("1\n" + 200_000 * "x")
        file.flush()
        assert not is_complete(page.read_text())


@pytest.mark.parametrize("name", ["tables", "figures", "figures/01-sgd"])
def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    left = tmp_path / "elsewhere" / f".a.csv.{2**22 + 1}.tmp"  # more than any process's number
    write(left, "precious")
    link = tmp_path / "report" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(left.parent)
    with pytest.raises(OSError, match="it is a symbolic link, remove it") as refused:
        remove_leftovers(tmp_path / "report")
    assert refused.value.filename == str(link)
    assert left.read_text() == "precious"


def test_a_link_in_a_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    for name in ("page.html", f".page.html.{os.getpid()}.tmp"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    write(tmp_path / "page.html", "page")
    assert (tmp_path / "page.html").read_text() == "page"
    assert (tmp_path / "precious").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "precious"]


@pytest.mark.parametrize("folder", [".", "tables", "figures", "figures/01-sgd"])
def test_what_the_dead_left_is_removed_and_nothing_else(tmp_path: Path, folder: str) -> None:
    target = tmp_path / folder
    target.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    left = [f".a.csv.{pid}.tmp" for pid in (process.pid, os.getpid(), 1, 10**30)]
    for name in (*left, ".mine.tmp", "a.csv"):
        (target / name).touch()
    remove_leftovers(tmp_path)
    assert {path.name for path in target.iterdir() if path.is_file()} == {
        *left[1:],
        ".mine.tmp",
        "a.csv",
    }
