"""Which optimizer a short study goes on with: both are tuned at two batch sizes first."""

from __future__ import annotations

from typing import Any

from reports.analysis import select_rates, summarise_cells
from reports.schema import StudyResults
from reports.schema.measures import measure_of
from sweeps.advise._grid_choice import ADAM, SGD, Grid, fresh_seeds

NO_TIME = "Optimizer sgd (no time to compare it with adam)"


def comparison(keys: dict[str, Any]) -> dict[str, Any]:
    """Return the study that compares optimizers, at the smallest and the largest batch size."""
    sizes = keys["batch_sizes"]
    few = {"batch_sizes": [sizes[0], sizes[-1]], "confirmation_seeds": []}
    return keys | few | {"optimizer": [SGD, ADAM]}


def decided(keys: dict[str, Any], results: StudyResults) -> dict[str, Any]:
    """Return the study to carry out, with the optimizer that did better in the comparison."""
    optimizer, text = better(results)
    smallest, largest = keys["batch_sizes"]
    return keys | {
        "title": f"{keys['title']} {text}",
        "optimizer": optimizer,
        "batch_sizes": Grid(smallest, largest, keys["epochs"]).batch_sizes,
        "confirmation_seeds": fresh_seeds(),
    }


def better(results: StudyResults) -> tuple[dict[str, Any], str]:
    """Return the optimizer with the best mean metric over the tuning seeds; the texts of both."""
    study = results.description
    ranking = select_rates(summarise_cells(results.trials, study.tuning_seeds))
    # Groups that differ in nothing else are labelled by their optimizers.
    groups = ranking.groupby("group")["validation_metric"].max().round(12)
    best = {str(name): float(metric) for name, metric in groups.items()}
    if len(best) < len(study.groups):
        return SGD, NO_TIME
    chosen = ADAM if best[ADAM["name"]] > best[SGD["name"]] else SGD
    measure = measure_of(study.groups[0])
    scores = ", ".join(f"{name} {measure.text(metric)}" for name, metric in best.items())
    return chosen, f"Optimizer {chosen['name']} (validation {measure.name}: {scores})"
