"""What the commands of `bpsweep` share: how one is added, its options, its JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

DONE, SOME_FAILED = 0, 1


class Commands:
    """The commands of a parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        self, function: Callable[[argparse.Namespace], int], name: str, text: str
    ) -> argparse.ArgumentParser:
        """Add a command that runs a function."""
        capital = text[0].upper() + text[1:]
        command = self._parsers.add_parser(name, help=text, description=f"{capital}.")
        command.set_defaults(command=function)
        return command


def add_folder(command: argparse.ArgumentParser) -> None:
    """Add a study's folder."""
    command.add_argument("folder", type=Path, help="the study's folder")


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
    parameter = "a parameter of the data, such as 'missing=\"mean\"'; the value is TOML"
    add_repeatable(command, "--set", "KEY=VALUE", parameter)


def document(content: Any) -> list[str]:  # noqa: ANN401 - a dictionary or a dataclass
    """Return what a command found as the lines of one JSON document."""
    import json
    from dataclasses import asdict

    return json.dumps(content, indent=2, allow_nan=False, default=asdict).split("\n")
