"""Studies that ship: each runs, made small, to a report with what it is there for."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.claims.evidence import NOT_STUDIED
from reports.claims.judgement import claims_of
from reports.output.build import build_report
from reports.recommend.analysis import analyse
from reports.schema.results import StudyResults
from sweeps.spec.load import preset_names
from sweeps.study import Study

pytestmark = [
    pytest.mark.no_cover,  # that lines run in a whole study proves little of them
    pytest.mark.slow,
]

FEW = ("epochs=2", "seeds=[1, 2]", "confirmation_seeds=[101, 102]", "extensions=0")
TWO = (
    'optimizer=[{name="sgd", learning_rates=[0.9851, 3.139]}, '
    '{name="adam", learning_rates=[0.01, 0.03]}]'
)
SETTINGS: dict[str, tuple[str, ...]] = {
    "data-size": ("batch_sizes=[8, 32, 128]", "timing=false"),
    "digits": ("batch_sizes=[16, 64]", "timing=false"),
    "large-batch": ("batch_sizes=[32, 128]", "timing=false", "epochs=6"),
    "mnist": ('dataset="digits"', "batch_sizes=[16, 64]", "timing=false"),
    "noise-scale": ("batch_sizes=[32, 128, 512]",),
    "paper": ('dataset="wine"', "batch_sizes=[1, 16, 64]", TWO, "exclude=[]"),
    "sharpness": ("batch_sizes=[32, 128]", "timing=false", 'stop_loss=["none", 2.0]'),
    "small-batch": ("batch_sizes=[32, 128]", "timing=false"),
    "time-to-accuracy": ("batch_sizes=[32, 128, 512]", TWO),
    "warm-up": ("batch_sizes=[8, 32]", "branch.at=[0.5, 1]", 'dataset="digits"'),
}
"""What makes each study small."""


def nothing_special(_results: StudyResults, page: str) -> bool:
    return 'batch-sizes-heading"' in page


def every_claim(results: StudyResults, page: str) -> bool:
    studied = [each for each in claims_of(analyse(results)) if each.verdict != NOT_STUDIED]
    shown = [f"<h3>{each.claim.name}, {each.verdict}." in page for each in studied]
    # Of two rates each is at an edge: nothing is fitted, and no rule is there for C7 to judge.
    return {each.claim.name for each in studied} >= {f"C{n}" for n in range(1, 7)} and all(shown)


def every_remedy(results: StudyResults, page: str) -> bool:
    labels = " / ".join(plan.group for plan in results.description.groups)
    remedies = (
        "momentum",
        "lars",
        "lamb",
        "linear rates",
        "sqrt rates",
        "warm-up",
        "batches times",
    )
    return all(remedy in labels for remedy in remedies) and 'id="groups"' in page


def several_targets(results: StudyResults, _page: str) -> bool:
    groups = analyse(results)
    return all(len(group.scaling.targets) > 2 and group.scaling.fresh for group in groups)


def noise_beside_the_critical_size(results: StudyResults, _page: str) -> bool:
    (group,) = analyse(results)
    curved = group.scaling.noise["b_noise_low"].notna().any()
    return bool(curved) and group.scaling.main is not None


def optima_over_sizes(results: StudyResults, page: str) -> bool:
    scales = [plan.scale for plan in results.description.groups]
    return scales == [900, 2400, 4800, 9600, 19200] and 'id="optima"' in page


def sharpness_twice(results: StudyResults, _page: str) -> bool:
    groups = analyse(results)
    return len(groups) > 1 and all(group.measured["sharpness"].notna().all() for group in groups)


def both_memories(results: StudyResults, _page: str) -> bool:
    groups = [(plan.optimizer, plan.memory_reference) for plan in results.description.groups]
    return groups == [("adam", None), ("adam", 64), ("sgd", None)]


def growth_of_every_kind(results: StudyResults, _page: str) -> bool:
    kinds = {plan.growth for plan in results.description.groups}
    measured = analyse(results)[0].scaling.branched
    return kinds == {"", "measured growth", "seesaw"} and not measured.critical.empty


WANTED: dict[str, Callable[[StudyResults, str], bool]] = {
    "data-size": optima_over_sizes,
    "digits": nothing_special,
    "large-batch": every_remedy,
    "mnist": nothing_special,
    "noise-scale": noise_beside_the_critical_size,
    "paper": every_claim,
    "sharpness": sharpness_twice,
    "small-batch": both_memories,
    "time-to-accuracy": several_targets,
    "warm-up": growth_of_every_kind,
}


@pytest.mark.parametrize("name", preset_names())
def test_a_study_runs_to_a_report_with_what_it_is_there_for(name: str, tmp_path: Path) -> None:
    results = Study.from_target(name, [*FEW, *SETTINGS[name]]).run(tmp_path, n_jobs=1)
    assert set(results.trials["status"]) <= {"ok", "diverged"}
    page = html.unescape(build_report(results, tmp_path).read_text(encoding="utf-8"))
    assert WANTED[name](results, page)
