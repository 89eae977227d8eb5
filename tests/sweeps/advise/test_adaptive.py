"""A study within a time: what is decided, with a clock that stands still unless a test moves it."""

from __future__ import annotations

import json
import shlex
import tomllib
from pathlib import Path

import pytest

import reports
from reports.recommend.analysis import analyse
from reports.schema.results import StudyResults
from sweeps.advise import _grid_choice as grid_choice
from sweeps.advise import adaptive
from sweeps.advise.adaptive import TimeBudget, advice_content, advise
from sweeps.advise.request import Request
from sweeps.cli import main as cli
from sweeps.errors import UsageError
from sweeps.spec.model import given
from sweeps.store.study_results import results
from sweeps.worker import measure as timing

pytestmark = pytest.mark.slow

LEAST = {
    "name": "iris",
    "dataset": "iris",
    "batch_sizes": [4, 8],
    "learning_rates": [0.1, 1.0],
    "seeds": [1, 2],
    "epochs": 1,
}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.time


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-4)
    monkeypatch.setattr(timing, "ROUNDS", 2)
    monkeypatch.chdir(tmp_path)


def request(folder: Path) -> Request:
    return Request("iris", "iris", folder, 1)


def test_time_is_kept_for_timing_and_report() -> None:
    clock = Clock()
    budget = TimeBudget(60, 0, clock, reserve=20)
    clock.time = 15.0
    assert (budget.spent, budget.kept, budget.spare) == (15, 20, 25)
    clock.time = 50.0
    assert budget.spare == 0
    assert not budget.fits(0)


def test_what_would_end_too_late_does_not_start() -> None:
    budget = TimeBudget(60, 0, Clock(), reserve=20, slowdown=2)
    assert budget.fits(19)
    assert not budget.fits(20)


def test_more_is_kept_and_less_fits_as_the_load_rises() -> None:
    budget = TimeBudget(100, 0, Clock(), reserve=10, slowdown=2)
    for _ in range(4):
        budget.took(0.5, 1.0)
    assert budget.kept == pytest.approx(10)
    assert budget.fits(44)
    for _ in range(20):
        budget.took(0.5, 3.0)
    assert budget.kept == pytest.approx(30, rel=0.01)
    assert budget.fits(11)
    assert not budget.fits(12)
    # Others have gone.
    for _ in range(20):
        budget.took(0.5, 0.5)
    assert budget.kept == 10


def test_training_that_failed_at_once_shows_nothing() -> None:
    budget = TimeBudget(100, 0, Clock(), reserve=10)
    budget.took(0.5, 0.0)
    assert budget.kept == 10


def test_a_machine_is_as_slow_as_its_updates(tmp_path: Path) -> None:
    experiment = request(tmp_path).experiment(LEAST)
    budget = TimeBudget(60, 0, Clock())
    adaptive.calibrate(budget, experiment)
    assert budget.slowdown >= 1
    assert budget.kept >= adaptive.REPORT_SECONDS


def test_too_little_time_is_reported_before_anything_is_trained(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with pytest.raises(UsageError, match=r"^iris: 0.05 minutes are too few for ") as refused:
        advise(request(folder), TimeBudget(3, 0, Clock()))
    assert not folder.exists()
    (option,) = refused.value.options
    assert float(option.removeprefix("--minutes=")) > 0.05


@pytest.mark.parametrize("spent", [5.0, 7.0, 60.0])
def test_what_is_not_refused_early_is_the_least_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spent: float
) -> None:
    clock = Clock()
    clock.time = spent
    monkeypatch.setattr(adaptive, "refuse_busy", lambda *_: None)
    monkeypatch.setattr(adaptive, "calibrate", lambda *_: None)
    budget = TimeBudget(60, 0, clock, slowdown=1e6)
    if spent != 7.0:
        with pytest.raises(UsageError, match="90 training examples"):
            adaptive.first_study(request(tmp_path), budget)
        return
    least = adaptive.first_study(request(tmp_path), budget)
    assert least.specification.epochs == (1,)
    assert [*least.groups[0].grid] == [8, 16]
    advice = advise(request(tmp_path), budget)
    assert advice.page.is_file()
    assert advice.analysis.answer.batch_size is None


def test_a_refusal_for_time_ends_with_the_command_that_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["recommend", "iris", "--minutes", "0.01", "--out", "my own"]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    *command, minutes = shlex.split(last)[-6:]
    assert command == ["bpsweep", "recommend", "iris", "--out", "my own"]
    assert float(minutes.removeprefix("--minutes=")) > 0.01


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, adaptive.Advice]:
    """Advice on iris, with all the time of the world."""
    folder = tmp_path_factory.mktemp("advice") / "iris"
    patch = pytest.MonkeyPatch()
    patch.setattr(timing, "LEAST_SECONDS", 1e-4)
    patch.setattr(timing, "ROUNDS", 2)
    patch.setattr(adaptive, "FURTHER_SEEDS", (5,))
    patch.setattr(grid_choice, "EPOCHS", 2)
    patch.setattr(grid_choice, "MORE_EPOCHS", ())
    advice = advise(request(folder), TimeBudget(1e9, 0, Clock()))
    patch.undo()
    return folder, advice


def test_it_is_a_study_like_any_other(advised: tuple[Path, adaptive.Advice]) -> None:
    folder, advice = advised
    kept = tomllib.loads((folder / "study.toml").read_text("utf-8"))
    assert kept == given(advice.experiment.specification)
    assert kept["name"] == "iris"
    assert advice.page == folder / "report.html"
    assert cli.main(["validate", str(folder / "study.toml")]) == 0
    stored = results(folder)
    assert set(stored.trials["stage"]) >= {"explore", "confirm"}
    assert not stored.timing.empty


def test_batch_sizes_are_extended_where_the_best_may_lie(
    advised: tuple[Path, adaptive.Advice],
) -> None:
    _, advice = advised
    tried = [*advice.experiment.groups[0].grid]
    assert tried[0] == 1
    # The first grid ends at 16, a quarter of the examples.
    assert tried[-1] in {16, 32, 64}


def test_with_all_the_time_a_size_is_named_or_every_seed_has_run(
    advised: tuple[Path, adaptive.Advice],
) -> None:
    _, advice = advised
    specification, answer = advice.experiment.specification, advice.analysis.answer
    assert len(specification.confirmation_seeds) >= grid_choice.MORE_FRESH
    assert answer.batch_size is not None
    assert answer.learning_rate is not None
    assert specification.refinement_seeds == 5


def test_advice_is_json(advised: tuple[Path, adaptive.Advice]) -> None:
    _, advice = advised
    content = json.loads(json.dumps(advice_content(advice), allow_nan=False))
    assert content["budget_seconds"] == 1e9
    assert [answer["goal"] for answer in content["answers"]] == ["accuracy", "time to target"]


def test_the_same_again_goes_on_with_the_same_study(
    advised: tuple[Path, adaptive.Advice], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, advice = advised
    asked: list[object] = []

    def first(*_arguments: object) -> None:
        asked.append("a new study")

    monkeypatch.setattr(adaptive, "first_study", first)
    monkeypatch.setattr(adaptive, "wider", lambda *_: None)
    monkeypatch.setattr(adaptive, "closer", lambda *_: None)
    monkeypatch.setattr(reports, "build_report", lambda *_: folder / "report.html")
    again = advise(request(folder), TimeBudget(1e9, 0, Clock()))
    assert asked == []
    assert again.experiment.specification == advice.experiment.specification
    assert again.analysis.counts == advice.analysis.counts


def test_the_study_says_which_optimizer_was_chosen_and_holds_no_other(
    advised: tuple[Path, adaptive.Advice],
) -> None:
    folder, advice = advised
    study = results(folder).description
    assert len(study.groups) == 1
    assert study.aside > 0
    assert "sgd " in study.title
    assert "adam " in study.title
    assert advice.experiment.specification.title == study.title


@pytest.mark.parametrize("seconds", [1e9, 120.0], ids=["plenty", "too few to compare"])
def test_optimizers_are_compared_where_time_allows(tmp_path: Path, seconds: float) -> None:
    asked, budget = request(tmp_path), TimeBudget(seconds, 0, Clock())
    (facts,) = small(tmp_path / "other")[1].data.values()
    keys = grid_choice.keys_of("iris", "iris", facts, grid_choice.Grid(1, 16, 100))
    budget.slowdown = 1.0 if seconds > 1e3 else 60.0
    begun = adaptive.compared_first(asked, keys, budget)
    assert len(begun.groups) == (2 if seconds > 1e3 else 1)
    assert ("sgd" in begun.specification.title) == (seconds < 1e3)


def test_a_comparison_that_was_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(tmp_path / "cut")
    monkeypatch.setattr(grid_choice, "EPOCHS", 1)
    monkeypatch.setattr(grid_choice, "MORE_EPOCHS", ())
    begun = adaptive.first_study(asked, TimeBudget(1e9, 0, Clock()))
    assert len(begun.groups) == 2
    adaptive.carry_on(asked, TimeBudget(-1e9, 0, Clock()), begun)
    for grow in ("fuller", "wider", "closer", "quickest"):
        monkeypatch.setattr(adaptive, grow, lambda *_: None)
    advice = advise(asked, TimeBudget(1e9, 0, Clock()))
    assert len(advice.experiment.groups) == 1
    assert advice.analysis.answer.reference is not None


def test_another_study_is_refused(advised: tuple[Path, adaptive.Advice]) -> None:
    folder, _ = advised
    other = Request("wine", "wine", folder, 1)
    with pytest.raises(UsageError, match=r"holds another study. Choose another --out.$"):
        advise(other, TimeBudget(1e9, 0, Clock()))


def test_when_the_time_has_ended_no_trial_is_started(tmp_path: Path) -> None:
    experiment = request(tmp_path).experiment(LEAST)
    none = adaptive.carry_on(request(tmp_path / "late"), TimeBudget(-1e9, 0, Clock()), experiment)
    assert none.trials.empty
    plenty = TimeBudget(1e9, 0, Clock())
    assert adaptive.wider(request(tmp_path / "late"), plenty, experiment, none) is None
    assert adaptive.closer(request(tmp_path / "late"), plenty, experiment, none) is None
    assert none.description.planned_trials == 8


def small(folder: Path) -> tuple[Request, adaptive.Experiment, StudyResults]:
    """Return a study that has run."""
    keys = LEAST | {
        "hidden_layers": [4],
        "batch_sizes": [2, 8],
        "learning_rates": [0.3, 1.0],
        "confirmation_seeds": [11, 12, 13, 14, 15],
        "epochs": 5,
    }
    asked = request(folder)
    experiment = asked.experiment(keys)
    return asked, experiment, adaptive.carry_on(asked, TimeBudget(1e9, 0, Clock()), experiment)


def test_what_does_not_fit_is_not_tried(tmp_path: Path) -> None:
    asked, experiment, advice = small(tmp_path / "study")
    plenty, nothing = TimeBudget(1e9, 0, Clock()), TimeBudget(0, 0, Clock())
    wider = adaptive.wider(asked, plenty, experiment, advice)
    assert wider is not None
    assert set(wider.groups[0].grid) > {2, 8}
    assert adaptive.wider(asked, nothing, experiment, advice) is None
    closer = adaptive.closer(asked, plenty, experiment, advice)
    assert closer is not None
    assert closer.specification.refinement_seeds == max(adaptive.FURTHER_SEEDS)
    assert adaptive.closer(asked, nothing, experiment, advice) is None
    for grow in (adaptive.fuller, adaptive.quickest):
        assert grow(asked, nothing, experiment, advice) is None


def test_smaller_sizes_and_more_fresh_seeds_are_added_as_they_fit(tmp_path: Path) -> None:
    asked, experiment, advice = small(tmp_path / "study")
    larger = adaptive.fuller(asked, TimeBudget(1e9, 0, Clock()), experiment, advice)
    assert larger is not None
    assert [*larger.groups[0].grid] == [1, 2, 8]
    assert larger.specification.confirmation_seeds == (*range(11, 21),)
    predicted = asked.seconds(larger) * adaptive.EXTENSION / adaptive.SHARE
    less = adaptive.fuller(asked, TimeBudget(0.9 * predicted, 0, Clock()), experiment, advice)
    assert less is None or asked.seconds(less) < asked.seconds(larger)


def test_what_time_runs_out_for_leaves_the_answer_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, experiment, _ = small(tmp_path / "study")
    clock = Clock()
    budget = TimeBudget(100, 0, clock)

    def late(*arguments: object) -> adaptive.Experiment | None:
        larger = fuller(*arguments)  # type: ignore[arg-type]
        clock.time = 1e9
        return larger

    fuller = adaptive.fuller
    monkeypatch.setattr(adaptive, "fuller", late)
    monkeypatch.setattr(adaptive, "_beginning", lambda *_: experiment)
    advice = advise(asked, budget)
    assert advice.experiment.specification == experiment.specification
    assert advice.analysis.answer.batch_size is not None
    kept = tomllib.loads((asked.folder / "study.toml").read_text("utf-8"))
    assert kept == given(experiment.specification)


def test_rates_for_the_target_run_last(advised: tuple[Path, adaptive.Advice]) -> None:
    _, advice = advised
    specification = advice.experiment.specification
    wanted = adaptive.quickest(
        request(advised[0]), TimeBudget(1e9, 0, Clock()), advice.experiment, advice.analysis.results
    )
    # Either they have run, or no other rate reaches the target sooner.
    assert wanted is None
    ran = "target" in set(advice.analysis.results.trials["stage"])
    assert ran == specification.target_rates


def test_what_stays_undecided_gets_as_many_seeds_as_decide(tmp_path: Path) -> None:
    asked, experiment, _ = small(tmp_path / "study")
    plenty, few = TimeBudget(1e9, 0, Clock()), experiment.specification.confirmation_seeds
    refined = asked.experiment(given(experiment.specification) | {"refinement_seeds": 40})
    (analysis,) = analyse(adaptive.carry_on(asked, plenty, refined))
    missing = analysis.answer.more_seeds
    closer = adaptive.closer(asked, plenty, refined, analysis.results)
    if missing is None:
        assert closer is None
        return
    assert closer is not None
    seeds = closer.specification.confirmation_seeds
    assert seeds[: len(few)] == few
    assert len(seeds) == analysis.judged["seed"].nunique() + min(missing, 40)


def test_the_command_prints_what_was_found(
    advised: tuple[Path, adaptive.Advice],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, advice = advised
    monkeypatch.setattr(adaptive, "advise", lambda *_: advice)
    assert cli.main(["recommend", "iris"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(advice.page)
    assert any(f"batch size {advice.analysis.recommended} with learning" in line for line in lines)
    assert cli.main(["recommend", "iris", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["study"] == "iris"
