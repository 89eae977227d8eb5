"""Which optimizer a short study goes on with: both are tuned at two batch sizes first."""

from __future__ import annotations

from typing import Any

from reports.analysis import select_rates, summarise_cells
from reports.analysis.batch_sizes import tuned
from reports.schema import TUNING_STAGES, StudyResults
from reports.schema.measures import measure_of
from sweeps.advise._grid_choice import ADAM, SGD, Grid, fresh_seeds

NO_TIME = "Optimizer sgd (no time to compare it with adam)"


def comparison(keys: dict[str, Any]) -> dict[str, Any]:
    """Return the study that compares optimizers, at the smallest and the largest batch size."""
    sizes = keys["batch_sizes"]
    few = {"batch_sizes": [sizes[0], sizes[-1]], "confirmation_seeds": []}
    return keys | few | {"optimizer": [SGD, ADAM]}


def decided(keys: dict[str, Any], results: StudyResults) -> dict[str, Any]:
    """Return the study that was to be compared for, with the optimizer that does better."""
    optimizer, text = better(results)
    smallest, largest = keys["batch_sizes"]
    return keys | {
        "title": f"{keys['title']} {text}",
        "optimizer": optimizer,
        "batch_sizes": Grid(smallest, largest, keys["epochs"]).batch_sizes,
        "confirmation_seeds": fresh_seeds(),
    }


def better(results: StudyResults) -> tuple[dict[str, Any], str]:
    """Return adam if it gains more than the standard error over seeds, else sgd; and how much."""
    study = results.description
    ranking = select_rates(summarise_cells(results.trials, study.tuning_seeds))
    best = ranking.sort_values("validation_metric").drop_duplicates("group", keep="last")
    runs = tuned(results.trials, best, TUNING_STAGES)
    if best["group"].nunique() < len(study.groups):
        return SGD, NO_TIME
    # Groups that differ in nothing else are labelled by their optimizers; a rate that is selected
    # has run every seed.
    rows = runs.sort_values("seed").groupby("group")["validation_metric"]
    values = {str(name): metrics.to_numpy() for name, metrics in rows}
    gain = values[ADAM["name"]] - values[SGD["name"]]
    chosen = ADAM if gain.mean() > gain.std(ddof=1) / len(gain) ** 0.5 else SGD
    measure = measure_of(study.groups[0])
    scores = ", ".join(f"{name} {measure.text(each.mean())}" for name, each in values.items())
    return chosen, f"Optimizer {chosen['name']} (validation {measure.name}: {scores})"
