"""What the commands of `bpsweep` share: how one is added, its options, its JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweeps.store.folder import with_study

DONE, SOME_FAILED = 0, 1
GROUPS = ("Start", "Look", "Prepare", "More")

DATA = ("--target", "--ignore", "--task", "--missing", "--sample")
"""Options that describe data."""


def repeatable(metavar: str, text: str) -> dict[str, Any]:
    """Return an option that may be given several times."""
    return {"action": "append", "default": [], "metavar": metavar, "help": f"{text} (repeatable)"}


def folder_at(text: str) -> dict[str, Any]:
    """Return an option that names a folder."""
    return {"type": Path, "metavar": "DIR", "help": text}


PARAMETER = repeatable(
    "KEY=VALUE", "another parameter of the data, such as 'rare=\"drop\"'; the value is TOML"
)
"""The option `--set` of commands that take data."""

_SHARED: Mapping[str, dict[str, Any]] = {
    "folder": {"type": with_study, "help": "the study's folder"},
    "--json": {"action": "store_true", "help": "as one JSON document"},
    "--jobs": {
        "type": int,
        "metavar": "N",
        "help": "worker processes (default: all cores; 1 for a trainer)",
    },
    "--target": repeatable("COLUMN", "column of the file to learn; several are a regression"),
    "--ignore": repeatable("COLUMN", "column of the file to leave out"),
    "--task": {"metavar": "TASK", "help": "classification or regression"},
    "--missing": {"metavar": "HOW", "help": "what becomes of missing values"},
    "--sample": {"type": int, "metavar": "ROWS", "help": "use this many, at random"},
}
"""What commands have in common."""


class Commands:
    """The commands of a parser, in groups: those to start with come first in its help."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(
            prog=parser.prog, metavar="COMMAND", help=argparse.SUPPRESS
        )
        self._texts: dict[str, dict[str, str]] = {group: {} for group in GROUPS}

    def add(
        self,
        function: Callable[[argparse.Namespace], int],
        group: str,
        name: str,
        text: str,
        *shared: str,
    ) -> argparse.ArgumentParser:
        """Add a command that runs a function to a group of `GROUPS`, with options."""
        command = self._parsers.add_parser(name, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(command=function)
        for option in shared:
            command.add_argument(option, **_SHARED[option])
        self._texts[group][name] = text
        return command

    def overview(self) -> str:
        """Return the commands with what they do, group by group."""
        blocks = [
            "\n".join([f"{group}:", *(f"  {name:<10} {text}" for name, text in texts.items())])
            for group, texts in self._texts.items()
        ]
        return "\n\n".join(blocks)


def data_settings(options: argparse.Namespace) -> list[str]:
    """Return the parameters of data that a command was given, as `--set` takes them."""
    given = {name[2:]: getattr(options, name[2:]) for name in DATA[1:]}
    return [f"{name}={json.dumps(value)}" for name, value in given.items() if value]


def data_words(options: argparse.Namespace, *others: str) -> list[str]:
    """Return the options that describe data, and others, as they were typed."""
    words = []
    for name in (*DATA, *others):
        value = getattr(options, name[2:]) or []
        for item in value if isinstance(value, list) else [value]:
            words += [name, str(item)]
    return words


def document(content: Any) -> list[str]:  # noqa: ANN401 - a dictionary or a dataclass
    """Return what a command found as the lines of one JSON document."""
    from dataclasses import asdict

    return json.dumps(content, indent=2, allow_nan=False, default=asdict).split("\n")
