"""How a command that runs a study ends: with warnings, and then the answer and its page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.errors import counted

if TYPE_CHECKING:
    from reports.schema import StudyResults
    from sweeps.spec import StudySpecification

MOST_LINES = 6  # of the answer with the path of the page
MOST_WARNINGS = 3

Commands = Mapping[str, Callable[[int], Sequence[str]]]
"""What to type for each kind of remedy, by its amount."""


def ending(page: Path, commands: Commands) -> list[str]:
    """Return the warnings and then the answer of the report next to a page."""
    document = json.loads((page.parent / "report.json").read_text(encoding="utf-8"))
    groups = document["groups"]
    if len(groups) > 1:
        return [*_of_groups(groups), str(page)]
    (group,) = groups
    remedies = [_remedy(remedy, commands) for remedy in group["surer"][:1]]
    return [*_warnings(group["warnings"]), *group["answer"], *remedies, str(page)]


def _of_groups(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = groups if len(groups) < MOST_LINES else groups[: MOST_LINES - 2]
    lines = [f"{group['group']}: {group['answer'][0]}" for group in shown]
    left = len(groups) - len(shown)
    return [*lines, f"{counted(left, 'more configuration')} on the page"] if left else lines


def _warnings(warnings: Sequence[Mapping[str, Any]]) -> list[str]:
    severest = sorted(warnings, key=lambda warning: -warning["severity"])
    lines = [f"warning: {warning['text']}" for warning in severest]
    left = len(lines) - MOST_WARNINGS
    shown = lines[:MOST_WARNINGS]
    return [*shown, f"{counted(left, 'more warning')} on the page"] if left > 0 else shown


def _remedy(remedy: Mapping[str, Any], commands: Commands) -> str:
    command = commands.get(remedy["kind"])
    if command is None:
        return str(remedy["text"])
    return f"{remedy['text']} Type: {shlex.join(command(remedy['amount']))}"


def commands_of_run(
    words: Sequence[str], specification: StudySpecification, folder: Path, results: StudyResults
) -> Commands:
    """Return what to type after `bpsweep run` with these words, which name the study."""
    from reports.schema import FRESH_STAGES
    from sweeps.spec import toml_value

    command, out = ["bpsweep", "run", *words], ["--out", str(folder)]
    fresh = results.trials.loc[results.trials["stage"].isin(FRESH_STAGES), "seed"].tolist()
    seeds = sorted({*specification.confirmation_seeds, *fresh})

    def more_seeds(amount: int) -> list[str]:
        following = 1 + max(seeds or [*specification.seeds], default=0)
        wanted = [*seeds, *range(following, following + amount)]
        compact = {"first": wanted[0], "count": len(wanted)}
        consecutive = wanted[-1] - wanted[0] == len(wanted) - 1
        value = toml_value(compact if consecutive else wanted)
        return [*command, "--set", f"confirmation_seeds={value}", *out]

    def larger(amount: int) -> list[str]:
        sizes = toml_value([*specification.batch_sizes, amount])
        return [*command, "--set", f"batch_sizes={sizes}", *out]

    return {
        "seeds": more_seeds,
        "larger": larger,
        "time": lambda _amount: ["bpsweep", "time", *words, *out],
    }
