"""Contradictions within a specification: each reported once, with what to change."""

from __future__ import annotations

from typing import Any

import pytest
from refused import states

from bpengine import Schedule
from bpengine.optim.schedules import SCHEDULES
from sweeps.design._grid import schedule_of
from sweeps.design.checks.contradictions import contradictions
from sweeps.spec.axes import ScheduleChoice
from sweeps.spec.model import parse


def mistakes_of(keys: dict[str, Any]) -> list[tuple[str, str]]:
    specification, problems, wrong = parse(keys)
    assert not problems
    faults = [fault.problem(keys) for fault in contradictions(specification, wrong)]
    return [(problem.path, problem.text) for problem in faults]


CONTRADICTIONS: dict[str, tuple[Any, ...]] = {
    "shared seeds": (
        {"confirmation_seeds": [2, 3]},
        "confirmation_seeds",
        "fresh",
        "[2]",
        "`seeds`",
    ),
    "no training set": ({"validation": 0.5, "test": 0.75}, "test", "validation + test < 1", "1.25"),
    "two targets": ({"target_metric": 0.9, "target_loss": 0.1}, "target_loss", "`target_metric`"),
    "refining nothing": (
        {"refinement_seeds": 5, "confirmation_seeds": []},
        "refinement_seeds",
        *("is 5", "`confirmation_seeds`"),
    ),
    "no seed left": (
        {"refinement_seeds": 5, "confirmation_seeds": [2**63 - 1]},
        "refinement_seeds",
        *(f"at most {2**63 - 1}", "adds 5"),
    ),
    "one gradient": ({"noise_examples": 1}, "noise_examples", "0 or at least 2", "is 1"),
    "curvature of no gradients": ({"noise_curvature": True}, "noise_curvature", "`noise_examples`"),
    **{
        f"{key} without fresh seeds": (
            {key: True, "noise_examples": 8, "confirmation_seeds": [], "optimizer": "adam"},
            key,
            "`confirmation_seeds`",
        )
        for key in ("noise_curvature", "noise_geometry", "sharpness")
    },
    "geometry of plain descent": (
        {"noise_geometry": True, "noise_examples": 8, "optimizer": ["momentum", "lars"]},
        "noise_geometry",
        *("'adam'", "not 'momentum'"),
    ),
    "rule without reference": (
        {"rate_rule": ["none", "linear"]},
        "reference_batch_size",
        *("required", "`rate_rule` 'linear'"),
    ),
    "reference without rule": (
        {"reference_batch_size": 8},
        "reference_batch_size",
        *("is 8", "`rate_rule`", "`memory`"),
    ),
    "memory without reference": (
        {"memory": "examples"},
        "reference_batch_size",
        *("required", "`memory` 'examples'"),
    ),
    "memory of growing batches": (
        {
            "memory": ["updates", "examples"],
            "reference_batch_size": 8,
            "growth": {"factor": 2, "every": 1},
        },
        "memory[1]",
        *("'examples'", "`growth`"),
    ),
    "Adam's rule for another": (
        {"optimizer": ["adam", "momentum"], "rate_rule": "adam", "reference_batch_size": 8},
        "rate_rule",
        *("'adam'", "`epsilon`", "'momentum'"),
    ),
    "measured growth without branches": (
        {"growth": ["none", "measured"]},
        "growth[1]",
        *("'measured'", "`branch`"),
    ),
    "seesaw at a constant rate": ({"growth": "seesaw"}, "growth", "falling `schedule`"),
    "branches after the end": ({"branch": {"at": [0.5, 400]}}, "branch.at", "but is 400"),
    "bundle of unequal axes": (
        {"zip": ["batch_sizes", "shards"]},
        "zip",
        *("same length", "batch_sizes has 2", "shards has 1"),
    ),
    "optimizer with its own rates in a bundle": (
        {
            "zip": ["batch_sizes", "learning_rates"],
            "optimizer": ["sgd", {"name": "adam", "learning_rates": 0.1}],
        },
        "zip",
        *("'learning_rates'", "'adam'"),
    ),
    "axis in two bundles": (
        {
            "zip": [["batch_sizes", "learning_rates"], ["batch_sizes", "activation"]],
            "activation": ["relu", "tanh"],
        },
        "zip",
        *("'batch_sizes'", "more than once"),
    ),
    "more trials than can be held": (
        {
            "learning_rates": {"logspace": [0.001, 1.0], "count": 900},
            "batch_sizes": {"powers_of_two": [1, 64]},
            "seeds": {"first": 1000, "count": 20_000},
        },
        "seeds",
        *("126,000,000", "6,300 combinations", "20,000 seeds", "1,000,000", "Split the study"),
    ),
    "empty exclusion": ({"exclude": [{}]}, "exclude[0]", "at least one axis"),
    "empty inclusion": ({"include": {}}, "include", "at least one axis"),
    "hyperparameter of another": (
        {"optimizer": ["sgd", {"name": "momentum", "beta1": 0.5, "momentum": 0.5}]},
        "optimizer[1].beta1",
        *("'momentum'", "momentum, l2, weight_decay, clip_norm"),
    ),
    "hyperparameter of another in an inclusion": (
        {"include": [{"optimizer": {"name": "sgd", "momentum": 0.5}}]},
        "include[0].optimizer.momentum",
        *("'sgd'", "l2, weight_decay, clip_norm"),
    ),
    "step without a length": (
        {"schedule": [{"kind": "step", "decay": 0.5}]},
        "schedule[0]",
        *("'every'", "'step'"),
    ),
    "decay by a name": ({"schedule": "inverse"}, "schedule", "'decay'", "'inverse'"),
    "cosine with a decay": (
        {"schedule": {"kind": "cosine", "decay": 0.5}},
        "schedule.decay",
        *("is 0.5", "'cosine'"),
    ),
    "constant by epochs": (
        {"schedule": {"kind": "constant", "per": "epoch"}},
        "schedule.per",
        *("'epoch'", "constant"),
    ),
    "decay that grows": (
        {"schedule": {"kind": "exponential", "decay": 1.5}},
        "schedule.decay",
        *("above 0 and at most 1", "is 1.5"),
    ),
    "cosine without an end": (
        {"schedule": ["constant", "cosine"], "epochs": [3], "seconds": 2.0},
        "schedule[1]",
        *("'cosine'", "`seconds`"),
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_reported_with_path_and_remedy(
    case: tuple[Any, ...], keys: dict[str, Any]
) -> None:
    change, path, *words = case
    ((where, text),) = mistakes_of(keys | change)
    assert where == path
    states(text, *words)


def test_a_study_without_contradictions_has_none(keys: dict[str, Any]) -> None:
    assert mistakes_of(keys) == []
    assert mistakes_of(keys | {"rate_rule": "sqrt", "reference_batch_size": 8}) == []
    assert mistakes_of(keys | {"schedule": {"warmup": 3, "per": "epoch"}}) == []


def test_what_is_missing_is_reported_at_once() -> None:
    missing = dict(mistakes_of({}))
    assert [*missing] == ["dataset", "batch_sizes", "seeds", "learning_rates", "epochs"]
    assert all("required" in text for text in missing.values())
    states(missing["epochs"], "`updates`", "`examples`", "`seconds`")


def test_optimizers_with_rates_of_their_own_need_no_others(keys: dict[str, Any]) -> None:
    del keys["learning_rates"]
    rated = {"name": "sgd", "learning_rates": [0.1, 1.0]}
    assert mistakes_of(keys | {"optimizer": rated}) == []
    for change in (
        {"optimizer": [rated, "adam"]},
        {"optimizer": rated, "include": [{"optimizer": "adam"}]},
    ):
        ((path, text),) = mistakes_of(keys | change)
        assert path == "learning_rates"
        assert "required" in text


def test_without_exploring_the_confirmation_seeds_are_all_there_are(keys: dict[str, Any]) -> None:
    del keys["seeds"]
    assert mistakes_of(keys | {"explore": False}) == []
    ((path, text),) = mistakes_of(keys | {"explore": False, "confirmation_seeds": []})
    assert path == "confirmation_seeds"
    states(text, "required", "`explore`")


def test_keys_that_are_wrong_anyway_are_not_reported_again(keys: dict[str, Any]) -> None:
    specification, _, wrong = parse(keys | {"epochs": 0, "seeds": [-1]})
    assert not [*contradictions(specification, wrong)]


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("decay", [None, 0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("every", [None, 3])
def test_the_engine_takes_every_schedule_that_is_let_through(
    kind: str, decay: float | None, every: int | None, keys: dict[str, Any]
) -> None:
    table = {"kind": kind, "decay": decay, "every": every}
    choice = {name: value for name, value in table.items() if value is not None}
    if not mistakes_of(keys | {"schedule": choice}):
        schedule = schedule_of(ScheduleChoice.model_validate(choice))
        assert schedule == Schedule(**choice)
