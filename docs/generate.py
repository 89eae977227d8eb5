"""Write the generated pages and parts of pages again: `python docs/generate.py`.

`tests/test_documentation.py` fails when one of them no longer says what the code does.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from bpengine.optim._optimizers import OPTIMIZERS
from reports.output.csv import COLUMNS
from reports.schema.results import Column
from sweeps.cli.main import parser
from sweeps.data.files.file_sources import FORMATS
from sweeps.data.registry import NAMES, parameters_of
from sweeps.errors import pairs_text
from sweeps.spec.axes import TABLES
from sweeps.spec.model import StudySpecification
from sweeps.spec.reference import allowed, default_of, schemas_of, sections

DOCS = Path(__file__).parent

_CLI = """\
# Commands

`bpsweep COMMAND --help` shows the same in a terminal. Results go to standard output, progress and
errors to standard error. Names and messages from files, stores and libraries can't act on a
terminal: characters that would end a line, steer it, turn text around or can't be encoded are
written as escapes such as `\\u001b`. `--json` is ASCII. A stream that is closed, or whose reader
leaves, changes neither what a command does nor its exit code; results that find no room end it
with 6.

{exit_codes}
"""

_TABLES = """\
# Tables

A study's folder holds these tables as `tables/NAME.csv`, written with the report; `bpsweep export`
writes the first tables of a study as CSV, Parquet or JSON lines. A **volatile** column may differ
between two runs of the same study: times do. Everything else is the same to the byte.
`workers` is written only where the specification names a `simulated_cluster`, `claims` and
`claim-evidence` only where it says `claims = true`.

In CSV files a missing value is an empty cell; a text that a spreadsheet would take for a formula
has an apostrophe in front.
"""

START, END = "<!-- keys: generated -->", "<!-- keys: end -->"


def pages() -> Mapping[Path, str]:
    """Return every generated page, whole, by its path."""
    specification, data = DOCS / "specification.md", DOCS / "data.md"
    models = {name: parameters_of(name) for name in (*NAMES, "openml:NAME@VERSION")} | FORMATS
    return {
        DOCS / "commands.md": commands_page(parser()),
        DOCS / "tables.md": tables_page(COLUMNS),
        specification: with_tables(specification.read_text("utf-8")),
        data: with_parameters(data.read_text("utf-8"), models),
    }


def commands_page(command_line: argparse.ArgumentParser) -> str:
    """Return the page about every command with its arguments.

    Args:
        command_line: What understands them.
    """
    (group,) = (a for a in command_line._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001 - argparse shows it nowhere else
    exit_codes = " ".join((command_line.epilog or "").split("\n", 1)[1].split())
    parts = [_CLI.format(exit_codes=exit_codes)]
    parts += [_command(name, command) for name, command in group.choices.items()]
    return "\n".join(parts)


def _command(name: str, command: argparse.ArgumentParser) -> str:
    actions = [a for a in command._actions if a.dest != "help"]  # noqa: SLF001 - the same
    usage = " ".join(["bpsweep", name, *map(_usage, actions)])
    rows = [f"| {_argument(a)} | {_cell(_help(a))} |" for a in actions]
    head = [f"## `{name}`", "", command.description or "", "", "```text", usage, "```", ""]
    return "\n".join([*head, "| argument | meaning |", "|---|---|", *rows, ""])


def _usage(action: argparse.Action) -> str:
    """Return an argument as a usage line has it."""
    value = _value(action)
    if action.option_strings:
        text = f"{action.option_strings[0]} {value}".strip()
        return text if action.required else f"[{text}]"
    several = {"+": f"{value} [{value} ...]", "*": f"[{value} ...]", "?": f"[{value}]"}
    return several.get(str(action.nargs), value)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    name = action.metavar or action.dest
    return str(name if isinstance(name, str) else name[0]).upper()


def _argument(action: argparse.Action) -> str:
    names = [f"`{option}`" for option in action.option_strings] or [f"`{_value(action)}`"]
    value = f" `{_value(action)}`" if action.option_strings and _value(action) else ""
    return _cell(f"{', '.join(names)}{value}")


def _help(action: argparse.Action) -> str:
    text = action.help or ""
    return f"{text[:1].upper()}{text[1:]}"


def tables_page(tables: Mapping[str, Iterable[Column]]) -> str:
    """Return the page about every table of a report, column by column.

    Args:
        tables: The columns of each, by name.
    """
    return "\n".join([_TABLES, *(_table(name, columns) for name, columns in tables.items())])


def _table(name: str, columns: Iterable[Column]) -> str:
    rows = [
        f"| `{c.name}` | {c.dtype} | {c.unit} | {_cell(c.meaning)} | {'yes' * c.volatile} |"
        for c in columns
    ]
    head = [f"## `{name}`", "", "| column | type | unit | meaning | volatile |"]
    return "\n".join([*head, "|---|---|---|---|---|", *rows, ""])


def with_tables(page: str) -> str:
    """Return a page with fresh tables of all keys between its marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{_keys()}\n{END}{after}"


def with_parameters(page: str, models: Mapping[str, type[BaseModel]]) -> str:
    """Return a page with a fresh table of parameters in the section of each of the names."""

    def section(match: re.Match[str]) -> str:
        model = models.get(match["name"])
        table = _rows(model, model.model_fields, "parameter") if model else match["table"]
        return f"{match['head']}{table}"

    return _PARAMETERS.sub(section, page)


_PARAMETERS = re.compile(
    r"(?P<head>^### `(?P<name>[^`]+)`\n(?:(?![#|]).*\n)*)(?P<table>(?:\|.*\n)+)", re.MULTILINE
)


def _keys() -> str:
    parts = [
        f"### {title}\n\n{_rows(StudySpecification, keys, 'key')}"
        for title, keys in sections().items()
    ]
    parts.append(_hyperparameters())
    parts += [
        f"### Table for a value of `{key}`\n\n{_rows(model, model.model_fields, 'field')}"
        for key, model in TABLES.items()
    ]
    return "\n".join(parts)


def _hyperparameters() -> str:
    head = "### Optimizers\n\n| `optimizer` | hyperparameters with their defaults |\n|---|---|\n"
    rows = (f"| `{name}` | {pairs_text(o.defaults)} |\n" for name, o in OPTIMIZERS.items())
    return head + "".join(rows)


def _rows(model: type[BaseModel], keys: Iterable[str], what: str) -> str:
    """Return a table of keys of a model."""
    schemas = schemas_of(model)
    rows = [
        f"| `{key}` | {_cell(allowed(schemas[key]))} | {schemas[key].get('unit', '')} "
        f"| {_cell(default_of(key, model.model_fields[key]))} "
        f"| {_cell(schemas[key].get('description', ''))} |\n"
        for key in keys
    ]
    head = f"| {what} | allowed | unit | default | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, "utf-8")
