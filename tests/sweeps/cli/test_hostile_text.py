"""What reaches the terminal: no text acts on it, and no stream that fails changes an exit code."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from ran import SMALL
from refused import states
from stored import failure, forget

from reports.recommend.analysis import analyse
from sweeps.advise import adaptive as advice
from sweeps.advise.adaptive import Advice
from sweeps.cli import main as cli
from sweeps.errors import write
from sweeps.run._progress import progress
from sweeps.spec.model import toml_value
from sweeps.store._store import Store
from sweeps.store.study_results import Plan, read_experiment, results

PAYLOADS = (
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\link",
    "\x1bc\x1b(0",
    "\x9b31m\x90q\x9d0;title\x9c",
    "\nFAKED: all is well",
    "\r\nFAKED: all is well",
    "\rFAKED: all is well",
    "\x85FAKED: all is well",
    "\u2028FAKED: all is well\u2029FAKED",
    "\x0bFAKED\x0cFAKED\x1cFAKED",
    "\x08\x08\x08\x7f\x00\t",
    "\u202egnp.txt\u202c",
    "\u2066hidden\u2069\u061c\u200f",
    "\u200b\u2060\ufeff\u00ad\U000e0041",
    "[red]x[/red][link=https://evil.example]y[/link]",
    "{task.description} %s \\x1b",
)
"""Texts that steer a terminal, fake a line, hide, turn text around, or are markup."""
EVIL = "".join(PAYLOADS).replace("\x00", "")
"""All of them, but for what no file's name can hold."""


def harmless(text: str) -> bool:
    """Return whether nothing but ends of lines is in a text that is not to be seen."""
    return all(
        character == "\n" or character.isprintable() or unicodedata.category(character) == "Zs"
        for character in text
    ) and not any(line.startswith("FAKED") for line in text.splitlines())


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_line_is_one_line_and_harmless(payload: str) -> None:
    stream = io.StringIO()
    write(f"before {payload} after", "next", stream=stream)
    assert harmless(stream.getvalue())
    first, second, rest = stream.getvalue().split("\n")
    assert (second, rest) == ("next", "")
    assert first.startswith("before ")
    assert first.endswith(" after")


def test_what_is_harmless_stays_as_it_is() -> None:
    stream = io.StringIO()
    write("dät 東京\u3000\xa0é 😀 \\x1b", stream=stream)
    assert stream.getvalue() == "dät 東京\u3000\xa0é 😀 \\x1b\n"


def test_what_a_stream_cant_encode_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write("dät 😀", "\udcff", stream=stream)
    stream.seek(0)
    assert stream.read() == "d\\u00e4t \\U0001f600\n\\udcff\n"


def test_toml_holds_what_it_held() -> None:
    text = toml_value(EVIL + "\x00")
    assert harmless(text)
    assert tomllib.loads(f"x = {text}") == {"x": EVIL + "\x00"}


class Said:
    """What commands say, each looked at."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command and return what it wrote."""
        self.capsys.readouterr()
        try:
            ended = cli.main(arguments)
        except SystemExit as left:
            ended = int(left.code or 0)
        shown = self.capsys.readouterr()
        assert (ended, harmless(shown.out), harmless(shown.err)) == (code, True, True), shown
        return shown.out + shown.err


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Return what runs a command and looks at what it writes."""
    return Said(capsys)


DATA, COLUMN, TARGET = f"d {EVIL[:90]}.csv".replace("/", "|"), f"c{EVIL}", f"y{EVIL}"
"""A file's name, a feature's, a target's."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, a specification and a store in which every text is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    with (folder / DATA).open("w", encoding="utf-8", newline="") as file:
        rows = [[f"{number * 0.37 % 1:.3f}", f"{'ab'[number % 2]}{EVIL}"] for number in range(60)]
        csv.writer(file).writerows([[COLUMN, TARGET], *rows])
    data = toml_value({"path": DATA, "target": TARGET})
    text = SMALL.replace('"iris"', data).replace("[5, 40]", "[4, 9]")
    (folder / "own.toml").write_text(
        f"title = {toml_value(EVIL)}\noptimizer = ['sgd', 'adam']\n{text}"
    )
    with contextlib.chdir(folder):
        command = ["run", "own.toml", "--out", "out", "--backend", "sequential", "--no-timing"]
        assert cli.main(command) == 0
        shutil.copytree("out", "failed")
        with Store.write(Path("failed"), "own") as store:
            stages = Plan(store, read_experiment(store)).stages().values()
            failing = [trial for planned in stages for _, trial in planned][:3]
            forget(Path("failed"), *(trial.identity for trial in failing))
            store.add(failing, [failure(trial, error=f"Trace\n{EVIL}") for trial in failing])
    return folder


@pytest.fixture
def hostile(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that folder, in which the test works."""
    folder = Path(shutil.copytree(made, tmp_path / "hostile"))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_no_command_writes_what_acts_on_a_terminal(
    hostile: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "own.toml", "--backend", "sequential", "--no-timing")
    assert "FAKED" in said("validate", "own.toml")
    said("plan", "own.toml", "--out", "out")
    said(*run, "--out", f"o{EVIL[:60]}".replace("/", "|"))
    said(*run, "--out", "failed")
    shutil.rmtree(hostile / "failed")
    shutil.copytree(hostile / "out", hostile / "failed")
    said("new", DATA, "--target", TARGET)
    said("new", DATA, "--target", TARGET, "--out", f"{EVIL[:60]}.toml".replace("/", "|"))
    for command in ("report", "export", "watch", "status"):
        said(command, "out")
    said("merge", "out", "failed", "--out", f"m{EVIL[:60]}".replace("/", "|"))
    said("report", "out", "failed", "--out", "both")
    said("doctor", f"{EVIL[:60]}".replace("/", "|"))
    (analysis, *_) = analyse(results("out"))
    page = Path(f"p{EVIL[:60]}".replace("/", "|")) / "report.html"
    shutil.copytree(hostile / "out", page.parent)
    answer = Advice(read_experiment_of("out"), analysis, page, 1.0, 2.0)
    monkeypatch.setattr(advice, "advise", lambda *_: answer)
    said("recommend", DATA, "--target", TARGET, "--out", "new")


def read_experiment_of(folder: str) -> Any:
    with Store.read(Path(folder)) as store:
        return read_experiment(store)


def test_no_text_of_a_store_acts_on_a_terminal(hostile: Path, said: Said) -> None:
    text = said("status", "failed")
    assert "  3 ended in an error: " in text
    with Store.read(hostile / "failed") as store:
        trial = next(row["trial"] for row in store.rows() if row["error"])
    text = said("show", "failed", trial)
    # A traceback has lines of its own, which are indented.
    assert "\n  FAKED: all is well\n" in text
    said("report", "failed")
    said("export", "failed", "--out", "files")
    said("run", "failed", "--retry-failed", code=2)


def test_json_is_json_and_holds_the_text(hostile: Path, said: Said) -> None:
    (row, *_) = json.loads(said("status", "failed", "--json"))["failures"]
    assert row["reason"] == [line.strip() for line in EVIL.splitlines() if line.strip()][-1]
    with Store.read(hostile / "failed") as store:
        trial = next(row["trial"] for row in store.rows() if row["error"])
    answer = json.loads(said("show", "failed", trial, "--json"))
    assert (answer["error"], answer["dataset"]) == (f"Trace\n{EVIL}", DATA)
    assert json.loads(said("plan", "own.toml", "--json"))["trials"] == 24
    assert json.loads(said("doctor", "out", "--json"))["problems"] == []


MISTAKES = (
    (2, ("validate", EVIL)),
    (2, ("validate", f"{EVIL}.toml")),
    (2, ("validate", "keys.toml")),
    (3, ("validate", "own.toml", "--set", f"dataset={toml_value(EVIL)}")),
    (2, ("validate", "own.toml", "--set", EVIL)),
    (2, ("validate", "own.toml", "--set", f"{toml_value(EVIL)}=1")),
    (2, ("validate", "own.toml", "--set", f"name={toml_value(EVIL)}")),
    (2, ("validate", "own.toml", "--set", f"optimizer={{name={toml_value(EVIL)}}}")),
    (3, ("validate", "own.toml", "--set", f"dataset.target={toml_value(EVIL)}")),
    (3, ("validate", "own.toml", "--set", f"dataset.path={toml_value(EVIL + '.csv')}")),
    (3, ("validate", "own.toml", "--set", f"dataset={{path={toml_value('p.csv')},target='y'}}")),
    (3, ("new", EVIL)),
    (3, ("recommend", EVIL)),
    (4, ("status", EVIL)),
    (4, ("show", EVIL, EVIL)),
    (2, ("show", "out", EVIL)),
    (4, ("export", EVIL)),
    (4, ("report", EVIL)),
    (4, ("merge", EVIL, EVIL, "--out", f"m{EVIL[:50]}".replace("/", "|"))),
    (4, ("watch", EVIL)),
    (4, ("run", EVIL, "--retry-failed")),
    (2, ("time", EVIL)),
    (2, ("report", "out", "--format", "svg", "--width", EVIL)),
    (2, ("report", "out", "--format", "svg", "--figures", EVIL)),
    (2, ("run", "own.toml", "--scheduler", EVIL)),
    (2, (EVIL,)),
    (2, ("status", "out", EVIL)),
    (2, ("status", "out", f"--{EVIL}")),
    (2, ("run", "own.toml", "--jobs", EVIL)),
    (2, ("run", "own.toml", "--backend", EVIL)),
)
"""Commands that can't be carried out, and how they end."""


@pytest.mark.parametrize(("code", "arguments"), MISTAKES)
def test_no_mistake_acts_on_a_terminal(
    hostile: Path, said: Said, code: int, arguments: tuple[str, ...]
) -> None:
    (hostile / "keys.toml").write_text(
        f"{toml_value(EVIL)} = 1\n[dataset]\n{toml_value(EVIL)} = 2\n"
    )
    (hostile / "p.csv").write_text(f'"a{EVIL.replace(chr(34), "")}","y"\n1,2,3\n', "utf-8")
    assert said(*arguments, code=code)


def test_a_bug_is_reported_harmlessly(
    said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_target: str) -> None:
        raise RuntimeError(EVIL + "\udcff")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sweeps.study.read_target", fail)
    assert said("validate", "digits", code=70).startswith("internal error, a bug of bpsweep: ")


def test_progress_takes_no_text_for_markup() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    with progress("[red]trials[/red]", [1.0], 1, stream=stream) as advance:
        advance([1.0], 1)
    assert "[red]trials[/red]" in stream.getvalue()


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell in which `bpsweep` is the command."""
    return subprocess.run(
        ["/bin/bash", "-c", f'bpsweep() {{ "$PYTHON" -m sweeps "$@"; }}; {command}'],
        cwd=folder,
        env=os.environ
        | {"PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(sys.path)}
        | environment,
        capture_output=True,
        check=False,
    )


QUIET = "own.toml --backend sequential --no-timing"
STREAMS = {
    "results closed": ("bpsweep doctor >&-", 0),
    "all closed": ("bpsweep show none a <&- >&- 2>&-", 4),
    "an error nobody hears": ("bpsweep show none a 2>&-", 4),
    "a reader of results leaves": ("bpsweep doctor | true; exit ${PIPESTATUS[0]}", 0),
    "a reader of help leaves": ("bpsweep --help | true; exit ${PIPESTATUS[0]}", 0),
    "a reader of progress leaves": (
        f"bpsweep run {QUIET} --out new 2>&1 | true; exit ${{PIPESTATUS[0]}}",
        0,
    ),
    "a reader of errors leaves": ("bpsweep show none a 2>&1 | true; exit ${PIPESTATUS[0]}", 4),
    "no room for results": ("bpsweep doctor >/dev/full", 6),
    "no room for help": ("bpsweep --help >/dev/full", 6),
    "no room for errors": ("bpsweep show none a 2>/dev/full", 4),
}
"""Lines of a shell, and how the command ends; it writes nothing that is read."""
QUICK = ("all closed", "a reader of results leaves", "no room for results")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(*ended, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, ended in STREAMS.items()
    ],
)
def test_a_stream_that_fails_changes_nothing_else(hostile: Path, line: str, code: int) -> None:
    ended = shell(line, hostile)
    assert (ended.returncode, ended.stdout) == (code, b"")
    assert b"Exception ignored" not in ended.stderr
    assert b"internal error" not in ended.stderr
    if "--out new" in line:
        assert (hostile / "new" / "report.html").is_file()
    if code == 6:
        assert ended.stderr == b"error: Results can't be written: No space left on device.\n"


def test_no_file_is_taken_for_a_stream_that_is_closed(tmp_path: Path) -> None:
    code = (
        "import os; from sweeps.errors import open_streams; open_streams(); "
        "file = open('kept', 'wb', 0); file.write(b'kept'); print('lost'); os.write(2, b'lost')"
    )
    assert shell('"$PYTHON" -c "$CODE" <&- >&- 2>&-', tmp_path, CODE=code).returncode == 0
    assert (tmp_path / "kept").read_bytes() == b"kept"


EXPORTED = (b"trials", b"curves", b"timing")


@pytest.mark.slow
def test_what_cant_be_encoded_changes_no_exit_code(hostile: Path) -> None:
    shutil.copy(hostile / DATA, hostile / "dät.csv")
    data = f"dataset={toml_value({'path': 'dät.csv', 'target': TARGET})}"
    line = 'bpsweep validate own.toml --set "$DATA"'
    ascii_only = {"PYTHONIOENCODING": "ascii", "DATA": data}
    ended = shell(line, hostile, **ascii_only)
    assert ended.returncode == 0
    assert ended.stdout.startswith(b"own on d\\u00e4t.csv: ")
    ended = shell("bpsweep export out --out öut3", hostile, **ascii_only)
    assert (ended.returncode, ended.stdout) == (
        0,
        b"".join(b"\\u00f6ut3/%s.csv\n" % name for name in EXPORTED),
    )


def test_a_specification_in_ascii_is_the_same(hostile: Path) -> None:
    (hostile / "dät.csv").write_text(
        "x,größe\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(60))
    )
    line = "bpsweep new dät.csv --target größe"
    narrow = shell(line, hostile, PYTHONIOENCODING="ascii").stdout.decode("ascii")
    wide = shell(line, hostile, PYTHONIOENCODING="utf-8").stdout.decode()
    assert "größe" in wide
    assert tomllib.loads(narrow) == tomllib.loads(wide)


BYTES = os.fsdecode(b"o\xff")
"""A name that is not UTF-8, as Python reads it."""


@pytest.mark.slow
def test_a_folder_whose_name_is_not_utf_8_works(hostile: Path, said: Said) -> None:
    run = ("run", "own.toml", "--no-timing", "--out", BYTES)
    assert "\no\\udcff/report.html\n" in said(*run, "--jobs", "1")
    for command in ("status", "export", "watch", "doctor"):
        said(command, BYTES)
    said("merge", BYTES, "out", "--out", f"m{BYTES}")
    said("report", BYTES, "out", "--out", f"c{BYTES}")
    assert "o\\udcff" in (hostile / f"c{BYTES}" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", f"{BYTES}.csv", "--target", "y"),
        ("recommend", f"{BYTES}.csv", "--target", "y"),
        ("recommend", "own.csv", "--target", BYTES),
        ("recommend", "own.csv", "--set", f'target="{BYTES}"'),
        ("validate", "own.toml", "--set", f"{BYTES}=1"),
        ("validate", "own.toml", "--set", f'title="{BYTES}"'),
        ("validate", f"{BYTES}.toml"),
    ],
)
def test_what_no_specification_can_hold_is_refused_before_anything_runs(
    hostile: Path, said: Said, arguments: tuple[str, ...]
) -> None:
    (hostile / f"{BYTES}.csv").write_text(
        "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(60))
    )
    shutil.copy(hostile / "own.toml", hostile / f"{BYTES}.toml")
    before = set(hostile.iterdir())
    assert "UTF-8" in said(*arguments, code=2)
    assert set(hostile.iterdir()) == before


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_report_that_cant_be_watched_is_reported(
    said: Said, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number), "out/report.html")

    monkeypatch.setattr("reports.build_report", refuse)
    message = said("watch", "out", code=6)
    states(message, "error: out/report.html", os.strerror(number), "`bpsweep report out`")


LONG = "x" * 300


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    "arguments",
    [
        ("status", LONG),
        ("show", LONG, "a"),
        ("export", LONG),
        ("report", LONG),
        ("watch", LONG),
        ("run", LONG, "--retry-failed"),
        ("time", LONG),
        ("doctor", LONG),
        ("plan", "own.toml", "--out", LONG),
        ("run", "own.toml", "--out", LONG),
        ("merge", "out", "out", "--out", LONG),
        ("new", "--out", LONG),
    ],
)
def test_a_path_that_the_system_refuses_is_no_bug(said: Said, arguments: tuple[str, ...]) -> None:
    assert "File name too long." in said(*arguments, code=6)
