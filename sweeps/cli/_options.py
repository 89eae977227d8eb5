"""What the commands of `bpsweep` share: how one is added, its options, its JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.store.folder import with_study

DONE, SOME_FAILED = 0, 1
_OF_DATA = ("ignore", "task", "missing", "sample")
GROUPS = ("Start", "Look", "Prepare", "More")


class Commands:
    """The commands of a parser, in groups: those to start with come first in its help."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(
            prog=parser.prog, metavar="COMMAND", help=argparse.SUPPRESS
        )
        self._texts: dict[str, dict[str, str]] = {group: {} for group in GROUPS}

    def add(
        self, function: Callable[[argparse.Namespace], int], group: str, name: str, text: str
    ) -> argparse.ArgumentParser:
        """Add a command that runs a function to a group of `GROUPS`."""
        command = self._parsers.add_parser(name, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(command=function)
        self._texts[group][name] = text
        return command

    def overview(self) -> str:
        """Return the commands with what they do, group by group."""
        blocks = [
            "\n".join([f"{group}:", *(f"  {name:<10} {text}" for name, text in texts.items())])
            for group, texts in self._texts.items()
        ]
        return "\n\n".join(blocks)


def add_folder(command: argparse.ArgumentParser) -> None:
    """Add a study's folder."""
    command.add_argument("folder", type=with_study, help="the study's folder")


def add_json(command: argparse.ArgumentParser) -> None:
    """Add the option `--json`."""
    command.add_argument("--json", action="store_true", help="as one JSON document")


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Add the option `--jobs`."""
    text = "worker processes (default: all cores)"
    command.add_argument("--jobs", type=int, default=-1, metavar="N", help=text)


def add_out(command: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    """Add the option `--out`, a folder."""
    command.add_argument("--out", type=Path, required=required, metavar="DIR", help=text)


def add_repeatable(command: argparse.ArgumentParser, name: str, metavar: str, text: str) -> None:
    """Add an option that may be given several times."""
    text = f"{text} (repeatable)"
    command.add_argument(name, action="append", default=[], metavar=metavar, help=text)


def add_data_options(command: argparse.ArgumentParser) -> None:
    """Add what describes data that a command names."""
    target = "column of the file to learn; several are a regression"
    add_repeatable(command, "--target", "COLUMN", target)
    add_repeatable(command, "--ignore", "COLUMN", "column of the file to leave out")
    command.add_argument("--task", metavar="TASK", help="classification or regression")
    command.add_argument("--missing", metavar="HOW", help="what becomes of missing values")
    command.add_argument("--sample", type=int, metavar="ROWS", help="use this many, at random")


def add_data_settings(command: argparse.ArgumentParser) -> None:
    """Add the option that sets any other parameter of the data."""
    parameter = "another parameter of the data, such as 'rare=\"drop\"'; the value is TOML"
    add_repeatable(command, "--set", "KEY=VALUE", parameter)


def data_settings(options: argparse.Namespace) -> list[str]:
    """Return the parameters of data that a command was given, as `--set` takes them."""
    given = {name: getattr(options, name) for name in _OF_DATA}
    return [f"{name}={json.dumps(value)}" for name, value in given.items() if value]


def data_words(options: argparse.Namespace, *others: str) -> list[str]:
    """Return the options that describe data, and others, as they were typed."""
    words = []
    for name in ("target", *_OF_DATA, *others):
        value = getattr(options, name) or []
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(item)]
    return words


def document(content: Any) -> list[str]:  # noqa: ANN401 - a dictionary or a dataclass
    """Return what a command found as the lines of one JSON document."""
    from dataclasses import asdict

    return json.dumps(content, indent=2, allow_nan=False, default=asdict).split("\n")
