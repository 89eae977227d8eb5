"""Contradictions within a specification: each told once, with what to change."""

from __future__ import annotations

from typing import Any

import pytest

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


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "shared seeds": (
        {"confirmation_seeds": [2, 3]},
        "confirmation_seeds",
        "must be fresh seeds, but [2] are in `seeds` too.",
    ),
    "no training part": (
        {"validation": 0.5, "test": 0.75},
        "test",
        "`validation + test < 1` must hold, but they add up to 1.25.",
    ),
    "two targets": (
        {"target_metric": 0.9, "target_loss": 0.1},
        "target_loss",
        "can't be given with `target_metric`: the report measures the way to one of them.",
    ),
    "refining nothing": (
        {"refinement_seeds": 5, "confirmation_seeds": []},
        "refinement_seeds",
        "is 5, but without `confirmation_seeds` there is nothing to refine.",
    ),
    "no seed left": (
        {"refinement_seeds": 5, "confirmation_seeds": [2**63 - 1]},
        "refinement_seeds",
        f"must leave every seed at most {2**63 - 1}, but adds 5 to the largest.",
    ),
    "one gradient": (
        {"noise_examples": 1},
        "noise_examples",
        "must be 0 or at least 2, but is 1: a single gradient has no spread.",
    ),
    "curvature of no gradients": (
        {"noise_curvature": True},
        "noise_curvature",
        "needs `noise_examples` and `confirmation_seeds`: only fresh seeds measure it.",
    ),
    "curvature without fresh seeds": (
        {"noise_curvature": True, "noise_examples": 8, "confirmation_seeds": []},
        "noise_curvature",
        "needs `noise_examples` and `confirmation_seeds`: only fresh seeds measure it.",
    ),
    "rule without reference": (
        {"rate_rule": ["none", "linear"]},
        "reference_batch_size",
        "is required by `rate_rule` 'linear', but missing.",
    ),
    "reference without rule": (
        {"reference_batch_size": 8},
        "reference_batch_size",
        "is 8, but has no meaning without a `rate_rule`, or `memory` in examples.",
    ),
    "memory without reference": (
        {"memory": "examples"},
        "reference_batch_size",
        "is required by `memory` 'examples', but missing.",
    ),
    "memory of growing batches": (
        {
            "memory": ["updates", "examples"],
            "reference_batch_size": 8,
            "growth": {"factor": 2, "every": 1},
        },
        "memory[1]",
        "can't be 'examples' with `growth`: a trial keeps the same shares all along.",
    ),
    "bundle of unequal axes": (
        {"zip": ["batch_sizes", "shards"]},
        "zip",
        "must be axes of the same length, but batch_sizes has 2, shards has 1.",
    ),
    "rates of one's own in a bundle": (
        {
            "zip": ["batch_sizes", "learning_rates"],
            "optimizer": ["sgd", {"name": "adam", "learning_rates": 0.1}],
        },
        "zip",
        "can't hold 'learning_rates': the optimizer 'adam' has rates of its own.",
    ),
    "axis in two bundles": (
        {
            "zip": [["batch_sizes", "learning_rates"], ["batch_sizes", "activation"]],
            "activation": ["relu", "tanh"],
        },
        "zip",
        "must hold an axis once, but holds 'batch_sizes' more than once.",
    ),
    "more trials than can be held": (
        {
            "learning_rates": {"logspace": [0.001, 1.0], "count": 900},
            "batch_sizes": {"powers_of_two": [1, 64]},
            "seeds": {"first": 1000, "count": 20_000},
        },
        "seeds",
        (
            "make 126,000,000 trials, 6,300 combinations of axes with 20,000 seeds each, but at "
            "most 1,000,000 are allowed. Split the study."
        ),
    ),
    "empty exclusion": ({"exclude": [{}]}, "exclude[0]", "must name at least one axis."),
    "empty inclusion": ({"include": {}}, "include", "must name at least one axis."),
    "hyperparameter of another": (
        {"optimizer": ["sgd", {"name": "momentum", "beta1": 0.5, "momentum": 0.5}]},
        "optimizer[1].beta1",
        "is no hyperparameter of 'momentum'. It has momentum, l2, weight_decay, clip_norm.",
    ),
    "hyperparameter of another in an inclusion": (
        {"include": [{"optimizer": {"name": "sgd", "momentum": 0.5}}]},
        "include[0].optimizer.momentum",
        "is no hyperparameter of 'sgd'. It has l2, weight_decay, clip_norm.",
    ),
    "step without a length": (
        {"schedule": [{"kind": "step", "decay": 0.5}]},
        "schedule[0]",
        "must have 'every', for it is 'step'.",
    ),
    "decay by a name": (
        {"schedule": "inverse"},
        "schedule",
        "must have 'decay', for it is 'inverse'.",
    ),
    "cosine with a decay": (
        {"schedule": {"kind": "cosine", "decay": 0.5}},
        "schedule.decay",
        "is 0.5, but has no meaning for the schedule 'cosine'.",
    ),
    "constant by epochs": (
        {"schedule": {"kind": "constant", "per": "epoch"}},
        "schedule.per",
        "is 'epoch', but has no meaning for a constant rate without warm-up.",
    ),
    "decay that grows": (
        {"schedule": {"kind": "exponential", "decay": 1.5}},
        "schedule.decay",
        "must be above 0 and at most 1, but is 1.5.",
    ),
    "cosine without an end": (
        {"schedule": ["constant", "cosine"], "epochs": [3], "seconds": 2.0},
        "schedule[1]",
        "can't be 'cosine' with a budget in `seconds`: it needs to know its end.",
    ),
}


@pytest.mark.parametrize(("change", "path", "text"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_told_with_place_and_remedy(
    change: dict[str, Any], path: str, text: str, keys: dict[str, Any]
) -> None:
    assert mistakes_of(keys | change) == [(path, text)]


def test_a_study_without_contradictions_has_none(keys: dict[str, Any]) -> None:
    assert mistakes_of(keys) == []
    assert mistakes_of(keys | {"rate_rule": "sqrt", "reference_batch_size": 8}) == []
    assert mistakes_of(keys | {"schedule": {"warmup": 3, "per": "epoch"}}) == []


def test_what_is_missing_is_told_at_once() -> None:
    assert mistakes_of({}) == [
        ("dataset", "is required, but missing."),
        ("batch_sizes", "is required, but missing."),
        ("seeds", "is required, but missing."),
        ("learning_rates", "is required, but missing."),
        (
            "epochs",
            "is required, but missing; `updates`, `examples` or `seconds` may take its place.",
        ),
    ]


def test_optimizers_with_rates_of_their_own_need_no_others(keys: dict[str, Any]) -> None:
    del keys["learning_rates"]
    rated = {"name": "sgd", "learning_rates": [0.1, 1.0]}
    assert mistakes_of(keys | {"optimizer": rated}) == []
    assert mistakes_of(keys | {"optimizer": [rated, "adam"]}) == [
        ("learning_rates", "is required, but missing.")
    ]
    assert mistakes_of(keys | {"optimizer": rated, "include": [{"optimizer": "adam"}]}) == [
        ("learning_rates", "is required, but missing.")
    ]


def test_without_exploring_the_confirmation_seeds_are_all_there_are(keys: dict[str, Any]) -> None:
    del keys["seeds"]
    assert mistakes_of(keys | {"explore": False}) == []
    assert mistakes_of(keys | {"explore": False, "confirmation_seeds": []}) == [
        (
            "confirmation_seeds",
            "is required, but missing. Without `explore` trials have no other seeds.",
        )
    ]


def test_keys_that_are_wrong_anyway_are_not_told_of_again(keys: dict[str, Any]) -> None:
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
