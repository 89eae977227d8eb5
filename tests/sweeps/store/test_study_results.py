"""Assembly: a study as its store holds it, complete or not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.schema.results import REFINE, Cluster
from sweeps import Study, results
from sweeps.data.facts import DataFacts, facts_of, key_of
from sweeps.data.files.file_sources import FORMATS
from sweeps.data.parameters import pairs_of, read_parameters
from sweeps.data.registry import load
from sweeps.data.splits import Preparation, Source
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment, trials_of
from sweeps.errors import StoreError
from sweeps.spec.model import to_toml
from sweeps.store._store import Store
from sweeps.store.study_results import (
    Plan,
    describe,
    from_json,
    read_experiment,
    results_of,
    save_experiment,
    to_json,
)


def checked(keys: dict[str, Any], **changes: object) -> Experiment:
    return experiment_of(keys | changes, "study.toml", Path())


@pytest.mark.parametrize(
    ("name", "scales"),
    [("examples", [90, 90, 106, 106]), ("epochs", [2, 3] * 2), ("width", [12, 5] * 2)],
)
def test_a_study_says_what_its_optima_may_follow(name: str, scales: list[int]) -> None:
    keys = {"name": "scaled", "dataset": ["iris", "wine"], "hidden_layers": [[8, 4], [5]]}
    keys |= {"batch_sizes": 8, "learning_rates": 0.1, "seeds": 1, "scale_with": name}
    keys |= {"epochs": [2, 3], "zip": ["hidden_layers", "epochs"]}
    description = describe(experiment_of(keys, "study.toml", Path()), {}, {"specification": ""})
    assert [plan.scale for plan in description.groups] == scales
    assert (description.scale_name, description.has_optima) == (name, True)


def test_a_store_gives_the_same_study_back(keys: dict[str, Any], tmp_path: Path) -> None:
    study = checked(keys, dataset=["iris", {"name": "diabetes"}], optimizer=["sgd", "adam"])
    with Store.write(tmp_path / "study", "small") as store:
        save_experiment(store, study)
        assert read_experiment(store) == study
        assert read_experiment(store).groups == study.groups


def test_a_study_of_another_version_is_reported(experiment: Experiment, tmp_path: Path) -> None:
    with Store.write(tmp_path / "study", "small") as store:
        save_experiment(store, experiment)
        right = to_toml(experiment.specification)
        for broken in (
            {"specification": "validation_fraction = 0.2"},
            {"specification": right.replace("seeds = [1, 2]", "seeds = [1, 1]")},
            {"specification": right.replace('"iris"', '"wine"')},
            {"data": '{"x": {}}'},
            {"data": "[" * 10_000},
        ):
            store.set_facts(broken)
            with pytest.raises(StoreError, match=r"^The store.s facts `specification` and"):
                read_experiment(store)
            save_experiment(store, experiment)


def test_before_anything_has_run_only_the_first_stage_is_planned(
    experiment: Experiment, tmp_path: Path
) -> None:
    with Store.write(tmp_path / "study", "small") as store:
        save_experiment(store, experiment)
        stages = Plan(store, experiment).stages()
        stored = results_of(Plan(store, experiment))
    assert {stage: len(planned) for stage, planned in stages.items()} == {"explore": 8}
    # What is certain to be confirmed is counted, though its rates are not known.
    assert stored.description.planned_trials == 8 + 4
    assert stored.trials.empty
    assert stored.curves.empty
    assert stored.timing.empty


def test_a_description_shows_what_groups_are(keys: dict[str, Any]) -> None:
    change = {
        "epochs": [2],
        "include": [{"updates": 30, "optimizer": {"name": "momentum", "l2": 0.1}, "shards": 2}],
        "rate_rule": "sqrt",
        "reference_batch_size": 5,
        "schedule": "cosine",
    }
    description = describe(checked(keys, **change), {}, {"specification": "as written"})
    first, second = description.groups
    assert description.title == "Batch sizes on iris"
    assert (first.budget, first.epochs, first.hyperparameters) == ("2 epochs", 2.0, {})
    assert (second.budget, second.epochs) == ("30 updates", None)
    assert second.hyperparameters == {"momentum": 0.9, "l2": 0.1}
    assert (second.optimizer, second.shards, second.rate_rule) == ("momentum", 2, "sqrt")
    assert second.schedule == "cosine by updates"
    assert (first.train_items, first.validation_items, first.test_items) == (90, 30, 30)
    assert first.learning_rates == (0.5, 1.414, 2.0, 5.657)
    assert (first.architecture, first.batch_sizes) == ("4-4-3", (5, 40))
    assert description.specification == "as written"
    # Two layers of 4 inputs, each with a bias, into 4 and 3 units.
    assert first.gradient_bytes == (5 * 4 + 5 * 3) * 4


def test_what_the_report_is_asked_for_is_described_and_changes_no_trial(
    keys: dict[str, Any],
) -> None:
    cluster = {"latency": 1e-6, "bandwidth": 1e10, "combine": "ring", "workers": [1, 1000]}
    plain, other = (
        checked(keys, dtype="float64", **change)
        for change in (
            {},
            {"simulated_cluster": cluster, "claims": True, "margin": 0.005, "target_loss": 0.25},
        )
    )
    identities = [[trial.identity for _, trial in study.explored] for study in (plain, other)]
    assert identities[0] == identities[1]
    unasked = describe(plain, {}, {"specification": ""})
    assert (unasked.claims, unasked.margin) == (False, None)
    description = describe(other, {}, {"specification": ""})
    assert description.claims
    assert (description.target_metric, description.target_loss) == (None, 0.25)
    assert description.margin == 0.005
    assert description.cluster == Cluster(1e-6, 1e10, "ring", (1, 1000))
    assert description.groups[0].gradient_bytes == (5 * 4 + 5 * 3) * 8


def test_what_no_simulation_is_made_of_is_described(keys: dict[str, Any]) -> None:
    change = {"simulated_cluster": "none", "growth": {"factor": 2, "every": 1}}
    description = describe(checked(keys, **change), {}, {"specification": ""})
    assert description.cluster is None
    assert description.groups[0].growth.startswith("batches times 2 every 1 epoch")


def test_a_group_that_two_limits_end_has_no_fixed_epochs(keys: dict[str, Any]) -> None:
    (group,) = describe(checked(keys, updates=30), {}, {"specification": ""}).groups
    assert group.epochs is None
    assert group.budget == "2 epochs or 30 updates, whichever comes first"


def test_a_description_shows_what_the_budget_and_the_seeds_of_each_batch_size_are(
    keys: dict[str, Any],
) -> None:
    study = checked(keys, refinement_seeds=2)
    stages = {REFINE: trials_of([(study.groups[0], 40, 0.5)], (13, 14, 15), evaluate_test=True)}
    ended = {planned.trial.identity for planned in stages[REFINE][:2]}
    description = describe(study, stages, {"specification": ""}, ended)
    (described,) = description.groups
    assert described.budget_updates == {5: 2 * 18, 40: 2 * 3}
    assert described.budget_examples == {5: 180, 40: 180}
    assert described.refinement_seeds == {40: (13, 14)}
    assert description.tuning_seeds.tolist() == [2, 2]
    assert description.fresh_seeds.tolist() == [2, 4]
    assert (
        not describe(checked(keys, seconds=1.0), {}, {"specification": ""}).groups[0].budget_updates
    )


def test_results_can_be_looked_at_while_the_study_is_incomplete(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    study = Study(**keys | {"batch_sizes": 5, "timing": False})
    study.run(tmp_path / "study", n_jobs=1, backend="sequential")
    more = Study(**keys | {"timing": False}).experiment
    with Store.write(tmp_path / "study", "small") as store:
        save_experiment(store, more)
    stored = results(tmp_path / "study")
    assert set(stored.trials["batch_size"]) == {5}
    assert set(stored.trials["stage"]) == {"explore"}
    assert stored.description.planned_trials == 8 + 4


PARAMETERS = {"target": ["a", "b"], "ignore": "c", "limit_gb": 1}
SOURCE = Source(
    "iris.csv",
    pairs_of(read_parameters(PARAMETERS, FORMATS[".csv"], "it")[0]),
    "abc",
    "/home/me/iris.csv",
)


@pytest.fixture
def facts() -> DataFacts:
    """Return facts of iris under a name with everything a name can have."""
    return facts_of(load(Source("iris")), SOURCE, Preparation(0.2, 30, "none", split_seed=4))


def test_json_gives_the_same_facts_back(facts: DataFacts) -> None:
    scaled = replace(facts, target_scales=((1, (0.1, 1 / 3)), (2, (0.5, 2.0))))
    data = {key_of("iris"): facts, key_of({"name": "iris"}): scaled}
    assert from_json(to_json(data)) == data


def test_where_a_file_lies_is_not_kept(facts: DataFacts) -> None:
    text = to_json({"x": facts})
    assert "/home/me" not in text
    assert from_json(text)["x"].source.path == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("train_items", "90"),
        ("train_items", 0),
        ("outputs", None),
        ("target_names", "ab"),
        ("target_scales", [[1, 2]]),
        ("preparation", {"validation": 30, "test": 30, "scaling": "none", "split_seed": [1]}),
        ("preparation", {"validation": 30, "test": 30, "scaling": "evil"}),
        ("preparation", {"validation": 0.3, "test": 30, "scaling": "none"}),
        ("task", "clustering"),
        ("source", {"name": "iris.csv", "parameters": [["target", {}]], "content": "abc"}),
        ("source", {"name": "no such data"}),
        ("source", {"name": "/etc/passwd"}),
        ("source", {"name": "moons", "parameters": [["noise", -1]]}),
        ("source", {"name": "moons", "parameters": [["path", "moons.csv"]]}),
        ("source", {"name": "olivetti_faces", "parameters": [["data_home", "here"]]}),
        ("source", {"name": "openml:../../../home/me@1"}),
    ],
)
def test_what_no_specification_can_say_is_refused(
    facts: DataFacts, field: str, value: object
) -> None:
    content = json.loads(to_json({"x": facts}))
    content["x"][field] = value
    with pytest.raises((ValueError, KeyError)):
        from_json(json.dumps(content))
