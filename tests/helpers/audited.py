"""Reads and runs under an audit hook, in a process of its own: a hook can't be taken back.

`python audited.py read FILE...` tries every file as data, checkpoint or store; `python audited.py
run LINE...` runs the command with every line's words. Either prints, as JSON, what was said, what
was unpickled or started, and which paths were written to.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import urllib.parse
from pathlib import Path

import matplotlib as mpl

from sweeps import Study, results
from sweeps.cli.main import main
from sweeps.errors import UserError
from sweeps.worker import checkpoints, workspace

CALLS = {"pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"}
"""What would make something out of a file, or start something."""
PATHS = {"os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.rename": 1, "os.link": 1,
         "os.symlink": 1, "os.truncate": 0, "os.chmod": 0, "sqlite3.connect": 0,
         "shutil.rmtree": 0}  # fmt: skip
"""What changes files, and where it names them."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

calls: list[str] = []
written: set[str] = set()


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Remember what is looked for."""
    if event in CALLS:
        calls.append(event)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        remember(arguments[0])
    # Relative to a folder that is open is what the removal of a whole folder removes.
    if event in PATHS and not (event in {"os.remove", "os.rmdir"} and arguments[1] != -1):
        remember(arguments[PATHS[event]])


def remember(path: object) -> None:
    """Remember a path that was written to; SQLite's may be addresses."""
    if isinstance(path, bytes | str | os.PathLike) and path != ":memory:":
        bare = urllib.parse.urlsplit(os.fsdecode(path).removeprefix("file:")).path
        written.add(os.path.abspath(urllib.parse.unquote(bare)))  # noqa: PTH100 - keeps links


def read(path: Path) -> str:
    """Try a file as whatever it may be, and return how that ended."""
    if path.parent.name == "data":
        return attempt(lambda: workspace.handed_over(path.name, path.parent))
    if path.is_dir():
        return attempt(lambda: results(path))
    attempt(lambda: checkpoints._read(path))  # noqa: SLF001 - what every reader of one calls
    keys = {"batch_sizes": 2, "learning_rates": 0.5, "seeds": 1, "epochs": 1}
    if path.suffix == ".toml":
        return attempt(lambda: Study.from_toml(path))
    target = {"target": "y"}
    return attempt(lambda: Study(dataset={"path": str(path)} | target, **keys))


def attempt(action: object) -> str:
    """Return what an action says of a file."""
    try:
        action()  # type: ignore[operator]
    except (UserError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "read"


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    sys.addaudithook(watch)
    with contextlib.redirect_stdout(io.StringIO()):
        said = [
            read(Path(argument)) if what == "read" else str(main(argument.split()))
            for argument in rest
        ]
    kept = {"said": said, "calls": calls, "written": sorted(written), "cache": mpl.get_cachedir()}
    sys.stdout.write(f"{json.dumps(kept)}\n")
