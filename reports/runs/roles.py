"""Which column of a table of runs is what: as named, or guessed from the names that are common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import pandas as pd

from reports.schema import listing

ROLES: Mapping[str, tuple[str, ...]] = {
    "batch_size": (
        *("batch_size", "batchsize", "bs", "batch", "mini_batch_size", "minibatch_size"),
        *("global_batch_size", "train_batch_size", "per_device_train_batch_size"),
    ),
    "learning_rate": (
        *("learning_rate", "lr", "base_lr", "max_lr", "peak_lr", "initial_lr", "init_lr"),
        *("learning_rate_init", "lr_adamw", "lr_sgd", "eta0", "eta", "step_size"),
    ),
    "seed": ("seed", "random_seed", "random_state", "rng_seed", "replicate", "repeat"),
    "updates": (
        *("updates", "global_step", "step", "steps", "iteration", "iterations", "iter", "n_iter"),
        *("train_steps", "num_steps", "total_steps", "train_global_step"),
    ),
    "examples": (
        *("examples", "examples_seen", "samples", "samples_seen", "tokens", "tokens_seen"),
        *("num_tokens", "num_examples", "train_samples"),
    ),
    "epoch": ("epoch", "epochs"),
    "seconds": (
        *("seconds", "runtime", "duration", "train_runtime", "wall_seconds", "wall_time"),
        *("time_seconds", "elapsed", "train_seconds", "fit_time", "time_total_s"),
    ),
    "loss": (
        *("val_loss", "valid_loss", "validation_loss", "eval_loss", "dev_loss", "test_loss"),
        *("final_loss", "loss", "smooth_loss", "perplexity", "train_loss"),
    ),
    "metric": (
        *("val_accuracy", "val_acc", "valid_accuracy", "validation_accuracy", "eval_accuracy"),
        *("dev_accuracy", "test_accuracy", "test_acc", "accuracy", "acc", "score", "val_f1"),
        *("val_auc", "r2", "value", "objective", "values_0"),
    ),
    "steps": ("steps_to_target", "steps_to_goal", "updates_to_target", "steps_to_loss"),
    "reached": ("reached", "reached_target", "target_reached"),
    "run": ("run_id", "run", "trial_id", "trial", "number", "run_name", "experiment_name", "id"),
    "state": ("state", "status"),
}
"""What a column can be, and the names by which it is guessed, the likeliest first."""
_JUDGED = {"metric", "loss", "steps"}
_PREFIXES = re.compile(
    r"^((params?|metrics?|config|hparams?|hyperparameters|user_attrs|system_attrs|attributes|"
    r"summary|trainer|train_config)[._/]+|values?_(?=[a-z]))"
)
LOWER = re.compile(r"(^|_)(loss|error|err|perplexity|ppl|nll|mae|mse|rmse|bpb|bpc|wer|cer)(_|$)")
"""Names of what is better the lower it is."""


class RunsError(ValueError):
    """A table of runs can't be read as it is; a line for each obstacle, with what to type."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(" ".join(lines))
        self.lines = [*lines]


@dataclass(frozen=True)
class Choice:
    """What a user says of the columns; "" for what is to be guessed."""

    columns: Mapping[str, str] = field(default_factory=dict)  # names by role in `ROLES`
    by: Sequence[str] = ()  # columns whose values make configurations
    scale_with: str = ""  # column of numbers that optimum and critical batch size are to follow
    maximize: bool | None = None  # whether more is better; None for what the metric's name says


@dataclass(frozen=True)
class Roles:
    """The columns of a table by role, and which of them were guessed."""

    columns: Mapping[str, str]
    by: tuple[str, ...]
    scale: str
    guessed: frozenset[str]

    def __getitem__(self, role: str) -> str:
        return self.columns.get(role, "")

    @property
    def judged(self) -> str:
        """The role of what is judged: metric, or else loss; "" for updates to a target alone."""
        return next((role for role in ("metric", "loss") if self[role]), "")


def plain(name: str) -> str:
    """Return a column's name without prefixes, capitals and signs."""
    bare = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    previous = ""
    while bare != previous:
        previous, bare = bare, _PREFIXES.sub("", bare)
    return bare


def roles_of(frame: pd.DataFrame, choice: Choice) -> Roles:
    """Return what each column is, or refuse names that aren't there and tables without a need."""
    given, obstacles = _given(frame, choice)
    names = [*frame.columns]
    by = tuple(dict.fromkeys(_matching(names, name) for name in choice.by if name))
    scale = _matching(names, choice.scale_with) if choice.scale_with else ""
    roles = _guesses(frame, {*given.values(), *by}) | given
    if given.keys() & _JUDGED:
        # Where one was named, what is judged is not guessed.
        roles = {role: name for role, name in roles.items() if role in given or role not in _JUDGED}
    if "batch_size" not in roles:
        whole = [name for name, each in _numeric(frame).items() if (each % 1 == 0).all()]
        obstacles.append(
            "No column is known to be the batch size: name it with --batch-size COLUMN. "
            f"Columns of whole numbers: {listing(whole) or 'none'}."
        )
    if not roles.keys() & _JUDGED and not obstacles:
        rest = [name for name in _numeric(frame) if name not in roles.values()]
        obstacles.append(
            "No column is known to be what is judged: name it with --loss COLUMN, --metric COLUMN "
            "or, for updates to a target, --steps COLUMN. "
            f"Columns of numbers: {listing(rest) or 'none'}."
        )
    if obstacles:
        raise RunsError(obstacles)
    return Roles(roles, by, scale, frozenset(roles.keys() - given.keys()))


def _given(frame: pd.DataFrame, choice: Choice) -> tuple[dict[str, str], list[str]]:
    """Return the columns that were named by role, and what is wrong with other names."""
    names = [*map(str, frame.columns)]
    named = {role: name for role, name in choice.columns.items() if name}
    wanted = [(f"--{role.replace('_', '-')}", name) for role, name in named.items()]
    wanted += [("--by", name) for name in choice.by]
    wanted += [("--scale-with", choice.scale_with)] if choice.scale_with else []
    obstacles = []
    for option, name in wanted:
        if not _matching(names, name):
            close = "".join(get_close_matches(name, names, n=1))
            hint = f" Did you mean {close!r}?" if close else ""
            obstacles.append(
                f"{option} {name!r} is not a column; there are {listing(names)}.{hint}"
            )
    obstacles += [
        f"{role!r} is nothing that a column can be; there are {listing([*ROLES], 20)}."
        for role in named.keys() - ROLES.keys()
    ]
    return {role: _matching(names, name) or name for role, name in named.items()}, obstacles


def _matching(names: Sequence[str], wanted: str) -> str:
    """Return the column with a name: as it is, or but for prefixes, capitals and signs."""
    if wanted in names:
        return wanted
    alike = [name for name in names if plain(name) == plain(wanted)]
    return alike[0] if len(alike) == 1 else ""


def _guesses(frame: pd.DataFrame, taken: Iterable[str]) -> dict[str, str]:
    """Return the likeliest column of each role; of several with one name the first with values."""
    by_name: dict[str, str] = {}
    for name in map(str, frame.columns):
        if name not in taken and frame[name].notna().any():
            by_name.setdefault(plain(name), name)
    guessed: dict[str, str] = {}
    for role, names in ROLES.items():
        known = next((by_name[name] for name in names if name in by_name), "")
        if known and known not in guessed.values():
            guessed[role] = known
    return guessed


def _numeric(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """The numbers of each column that has any."""
    numbers = {str(n): pd.to_numeric(frame[n], errors="coerce").dropna() for n in frame}
    return {name: each for name, each in numbers.items() if len(each)}
