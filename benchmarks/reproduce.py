"""Published findings about batch size, each tested by a study: the table of `docs/known.md`.

Usage:
    python benchmarks/reproduce.py [FOLDER]

Runs the studies that FOLDER lacks (about ten minutes on two cores), and writes what they found into
`docs/known.md`, between its two marks.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis import TargetRecord
from reports.recommend import Analysis, StudyAnalysis
from reports.recommend.analysis import analyse_study
from reports.schema import FRESH_STAGES, GroupDescription, StudyResults
from reports.stats import Ends
from reports.stats.intervals import t_interval
from reports.stats.models.first_passage import Target, updates_to_target
from sweeps import Study
from sweeps.store.folder import FILE
from sweeps.store.study_results import results as stored

PAGE = Path(__file__).parents[1] / "docs" / "known.md"
MARKS = ("<!-- made by benchmarks/reproduce.py -->", "<!-- end -->")
TINY = 1e-9  # below, a number is rounding
MARGIN = 0.01  # accuracy that may be lost where a finding says that none is
LARGEST_SMALL = 32  # batch size (Masters and Luschi 2018)
SEEDS = {"explore": False, "confirmation_seeds": {"first": 1, "count": 20}, "timing": False}
NETWORK = {
    "dataset": "digits",
    "hidden_layers": [32],
    "activation": "relu",
    "loss": "cross_entropy",
}
GROWS, GROWS_BEYOND = Ends(0, math.inf), Ends(1, math.inf)
SMALL = 8  # batch size that grows in `warm-up`
AGREES, DISAGREES, UNDECIDED = "agrees", "**disagrees**", "undecided"


@dataclass(frozen=True)
class Effect:
    """What a study shows of a finding."""

    text: str  # what the number is
    value: float
    ends: Ends
    verdict: str

    @property
    def number(self) -> str:
        """The value with its interval."""
        low, high = (_written(end) for end in self.ends)
        value = _written(self.value)
        return f"{value} ({low} to {high})"


def _written(number: float) -> str:
    """Return a number with two digits, or a word where there is none."""
    if math.isfinite(number):
        return f"{number if abs(number) > TINY else 0:.2g}"
    return "open" if math.isnan(number) else "∞" if number > 0 else "-∞"


def judged(text: str, value: float | None, ends: Ends | None, true: Ends) -> Effect:
    """Return an effect that agrees with a finding if its interval lies within what that says."""
    if value is None or ends is None:
        return Effect(text, math.nan, Ends(-math.inf, math.inf), UNDECIDED)
    inside = true.low <= ends.low and ends.high <= true.high
    apart = ends.high < true.low or true.high < ends.low
    return Effect(text, value, ends, AGREES if inside else DISAGREES if apart else UNDECIDED)


def of_seeds(text: str, values: Sequence[float], true: Ends, *, log: bool = False) -> Effect:
    """Return the effect of one value a seed; the mean of logarithms is given as a ratio."""
    interval = t_interval(values)
    numbers = (interval.mean, interval.low, interval.high)
    mean, low, high = (math.exp(number) if log else number for number in numbers)
    return judged(text, mean, Ends(low, high), true)


Known = tuple[float | None, Ends | None]  # a value with its interval


def ratio_of(text: str, first: Known, second: Known, true: Ends) -> Effect:
    """Return the effect of a ratio of two independent numbers: log errors add in quadrature."""
    (a, of_a), (b, of_b) = first, second
    if not (a and b and of_a and of_b) or not math.isfinite(a):
        return judged(text, None, None, true)
    if math.isinf(b):
        return judged(text, math.nan, Ends(0, of_a.high / of_b.low), true)
    below = _together(a / of_a.low, of_b.high / b)
    above = _together(of_a.high / a, b / of_b.low)
    return judged(text, a / b, Ends(a / b / math.exp(below), a / b * math.exp(above)), true)


def _together(*errors: float) -> float:
    return math.hypot(*(math.log(error) for error in errors))


def target_of(analysis: Analysis) -> TargetRecord:
    """Return the way to the main target."""
    if analysis.scaling.main is None:
        raise ValueError(f"{analysis.plan.group} has no target.")
    return analysis.scaling.main


def group(study: StudyAnalysis, **settings: object) -> Analysis:
    """Return the group with these settings."""
    (match,) = (
        each
        for each in study.groups
        if all(getattr(each.plan, name) == value for name, value in settings.items())
    )
    return match


def fresh(
    results: StudyResults, plan: GroupDescription, size: int, column: str
) -> pd.Series[float]:
    """Return a column of a batch size's fresh seeds, by seed."""
    trials = results.trials
    rows = trials[trials["stage"].isin(FRESH_STAGES) & (trials["group"] == plan.group)]
    return rows[rows["batch_size"] == size].set_index("seed")[column]


def difference(
    text: str, first: pd.Series[float], second: pd.Series[float], true: Ends, *, log: bool = False
) -> Effect:
    """Return the effect of a difference paired by seed."""
    return of_seeds(text, (first - second).dropna().tolist(), true, log=log)


# Studies that are no shipped ones

RULES: dict[str, Any] = {
    "batch_sizes": [2, 8, 32, 128],
    "reference_batch_size": 8,
    "epochs": 10,
    "learning_rates": 0.003,
    "optimizer": {"name": "adam", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-4},
}
"""Adam at a small rate: noise dominates at the smallest sizes, where the rules are derived."""
STUDIES: dict[str, dict[str, Any]] = {
    "goyal": {
        "batch_sizes": [32, 256],
        "reference_batch_size": 32,
        "epochs": 20,
        "learning_rates": 0.03,
        "rate_rule": ["none", "linear"],
    },
    "malladi": {**RULES, "rate_rule": ["none", "adam"]},
    "busbridge": {**RULES, "rate_rule": "sqrt", "memory": ["updates", "examples"]},
    "bergsma": {
        **RULES,
        "optimizer": {**RULES["optimizer"], "name": "adamw", "weight_decay": 1.0},
        "rate_rule": "adam",
        "weight_decay_rule": ["none", "timescale"],
    },
    "smith": {
        "batch_sizes": 16,
        "epochs": 30,
        "learning_rates": 0.3,
        "schedule": {"kind": "step", "decay": 0.25, "every": 10, "per": "epoch"},
        "include": {"schedule": "constant", "growth": {"factor": 4, "every": 10}},
    },
}


def collapse(results: StudyResults, size: int, idle: str, rule: str) -> Effect:
    """Return by what a rule multiplies the distance between curves of a size and of the reference.

    `idle` and `rule` are labels of the groups without and with it.
    """
    reference = RULES["reference_batch_size"]
    runs = results.trials[results.trials["stage"].isin(FRESH_STAGES)]
    points = results.curves.merge(runs[["trial", "group", "batch_size", "seed"]], on="trial")
    points = points[points["examples"] >= results.description.groups[0].train_items]
    losses = points.pivot_table(
        index=["seed", "examples"], columns=["group", "batch_size"], values="train_loss"
    )
    losses = losses.dropna().transform(np.log)
    squares = {name: (losses[name, size] - losses[name, reference]) ** 2 for name in (idle, rule)}
    apart = {name: each.groupby("seed").mean().map(math.log) / 2 for name, each in squares.items()}
    text = f"distance of curves at batch sizes {size} and {reference}, with the rule by without"
    return difference(text, apart[rule], apart[idle], Ends(0, 1), log=True)


# Findings


def mccandlish(study: StudyAnalysis) -> Effect:
    """The noise scale predicts the critical batch size."""
    (analysis,) = study.groups
    record = target_of(analysis)
    critical = record.fit.critical_batch_size or math.nan
    table = record.noise.dropna(subset="ratio")
    row = table.iloc[(table["batch_size"].map(math.log) - math.log(critical)).abs().argmin()]
    text = f"B_simple up to the target by the critical batch size, at {row['batch_size']}"
    return judged(text, row["ratio"], Ends(row["ratio_low"], row["ratio_high"]), Ends(1 / 3, 3))


def shallue(study: StudyAnalysis) -> Effect:
    """Doubling a small batch halves the updates; beyond some size it saves nothing."""
    record = target_of(group(study, optimizer="sgd"))
    runs = record.crossings.assign(updates=np.log(record.crossings["updates"]))
    updates = {size: rows.set_index("seed")["updates"] for size, rows in runs.groupby("batch_size")}
    text = "updates to the target of batch size 2 by those of 1"
    return difference(text, updates[2], updates[1], Ends(0.4, 0.6), log=True)


def zhang(study: StudyAnalysis) -> Effect:
    """Adam's critical batch size is larger than SGD's."""
    fits = [target_of(group(study, optimizer=name)).fit for name in ("adam", "sgd")]
    adam, sgd = ((fit.critical_batch_size, fit.critical_batch_size_interval) for fit in fits)
    return ratio_of("critical batch size of Adam by that of SGD", adam, sgd, GROWS_BEYOND)


def keskar(study: StudyAnalysis) -> list[Effect]:
    """Large batches end in sharper minima."""
    effects = []
    for analysis in study.groups:
        sizes = [analysis.plan.batch_sizes[0], analysis.plan.batch_sizes[-1]]
        small, large = (
            fresh(study.results, analysis.plan, n, "sharpness").map(math.log) for n in sizes
        )
        text = f"{analysis.plan.group}: sharpness at batch size {sizes[1]} by that at {sizes[0]}"
        effects.append(difference(text, large, small, GROWS_BEYOND, log=True))
    return effects


def goyal(study: StudyAnalysis) -> Effect:
    """The linear rule keeps the accuracy of a small batch."""
    plan = group(study, rate_rule="linear").plan
    small, large = (fresh(study.results, plan, size, "test_metric") for size in (32, 256))
    text = "accuracy at batch size 256 by the rule, minus that at 32"
    return difference(text, large, small, Ends(-MARGIN, 1))


def smith(study: StudyAnalysis) -> Effect:
    """Growing batches do as well as a falling rate, in fewer updates."""
    grown, fallen = (
        fresh(study.results, each.plan, 16, "test_metric")
        for each in sorted(study.groups, key=lambda each: each.plan.growth, reverse=True)
    )
    text = "accuracy with growing batches minus that with a falling rate"
    return difference(text, grown, fallen, Ends(-MARGIN, 1))


def masters(study: StudyAnalysis) -> Effect:
    """The best batch sizes are 32 or smaller."""
    (analysis,) = study.groups
    table = analysis.batch_sizes.set_index("batch_size")["validation_metric"]
    small = table.index <= LARGEST_SMALL
    best, rest = (int(str(table[part].idxmax())) for part in (small, ~small))
    first, second = (
        fresh(study.results, analysis.plan, size, "test_metric") for size in (best, rest)
    )
    text = f"accuracy at {best}, the best up to 32, minus that at {rest}, the best beyond"
    return difference(text, first, second, Ends(0, 1))


def marek(study: StudyAnalysis) -> Effect:
    """With its memory in examples, Adam does at batch size 1 as well as with large batches."""
    plan = group(study, memory_reference=64).plan
    small, large = (fresh(study.results, plan, size, "test_metric") for size in (1, 512))
    text = "accuracy of Adam with memory in examples at batch size 1, minus that at 512"
    return difference(text, small, large, Ends(-MARGIN, 1))


def marek_memory(study: StudyAnalysis) -> Effect:
    """Fixed betas are what makes small batches look bad."""
    plans = [group(study, optimizer="adam", memory_reference=n).plan for n in (64, None)]
    examples, updates = (fresh(study.results, plan, 1, "test_metric") for plan in plans)
    text = "accuracy of Adam at batch size 1, memory in examples minus memory in updates"
    return difference(text, examples, updates, Ends(0, 1))


def merrill(study: StudyAnalysis) -> list[Effect]:
    """The critical batch size grows along training."""
    effects = []
    for analysis in study.groups:
        rows = analysis.scaling.branched.critical
        if rows.empty or analysis.plan.growth:
            continue
        first, last = rows.iloc[0], rows.iloc[-1]
        late, early = (
            (row["critical_batch_size"], Ends(row["critical_low"], row["critical_high"]))
            for row in (last, first)
        )
        text = f"critical batch size on {analysis.plan.dataset}, last by first point"
        effects.append(ratio_of(text, late, early, GROWS_BEYOND))
    return effects


def growing(study: StudyAnalysis, kind: str, reference: str) -> list[Effect]:
    """Return what growing batches lose and save, against constant ones or a falling rate."""
    effects = []
    for analysis in study.groups:
        plan = analysis.plan
        if plan.growth == kind:
            other = group(study, dataset=plan.dataset, growth="", schedule=plan.schedule).plan
            first, second = (
                fresh(study.results, each, SMALL, "test_metric") for each in (plan, other)
            )
            text = f"{plan.dataset}: accuracy minus that with {reference}"
            effects.append(difference(text, first, second, Ends(-MARGIN, 1)))
            effects += to_same_loss(study, plan, other, reference)
    return effects


def to_same_loss(
    study: StudyAnalysis, plan: GroupDescription, other: GroupDescription, reference: str
) -> list[Effect]:
    """Return updates and time to a training loss that both reach on every seed, by the other's."""
    runs = study.results.trials
    runs = runs[runs["stage"].isin(FRESH_STAGES) & (runs["batch_size"] == SMALL)]
    points = study.results.curves.merge(runs[["trial", "group", "batch_size", "seed"]], on="trial")
    fit = group(study, group=other.group).scaling.update_time
    fixed, each_example = fit.fixed_seconds or 0.0, fit.seconds_per_example or 0.0
    seconds = fixed * points["updates"] + each_example * points["examples"]
    both = points[points["group"].isin([plan.group, other.group])]
    # Noise of the last evaluations shall not decide what is reached.
    lowest = both.groupby(["group", "seed"])["train_loss"].min().groupby("group").max()
    target = Target(1.0, 1.05 * lowest.max())
    effects = []
    for what, counts in (("updates", points["updates"]), ("time", seconds)):
        arrived = [
            updates_to_target(rows.assign(updates=counts), "train_loss", [target])
            .set_index("seed")["updates"]
            .map(math.log)
            for rows in (points[points["group"] == each.group] for each in (plan, other))
        ]
        text = f"{plan.dataset}: {what} to the same training loss by that with {reference}"
        effects.append(difference(text, arrived[0], arrived[1], Ends(0, 1), log=True))
    return effects


def exponent(study: StudyAnalysis, name: str) -> Effect:
    """Return the exponent of a batch size that follows the number of examples."""
    law = study.laws.get(name)
    text = f"exponent of the {name} batch size in the examples"
    if law is None or law.reason:
        return judged(text, None, None, GROWS)
    return judged(text, law.exponent, law.exponent_interval, GROWS)


@dataclass(frozen=True)
class Finding:
    """What was published, and the study that tests it."""

    source: str  # authors and year
    paper: str  # number at arXiv
    study: str  # a shipped one, or a name in `STUDIES`
    effect: Callable[[StudyAnalysis], Effect | list[Effect]]
    claim: str = ""  # what was found; the docstring of `effect` if not given

    @property
    def text(self) -> str:
        """What was found."""
        return self.claim or (self.effect.__doc__ or "").partition("\n")[0]


def _rule(idle: str, rule: str) -> Callable[[StudyAnalysis], list[Effect]]:
    return lambda study: [collapse(study.results, size, idle, rule) for size in (2, 32, 128)]


FINDINGS = (
    Finding("McCandlish et al. 2018", "1812.06162", "noise-scale", mccandlish),
    Finding("Shallue et al. 2018", "1811.03600", "time-to-accuracy", shallue),
    Finding("Zhang et al. 2019", "1907.04164", "time-to-accuracy", zhang),
    Finding("Keskar et al. 2016", "1609.04836", "sharpness", keskar),
    Finding("Goyal et al. 2017", "1706.02677", "goyal", goyal),
    Finding("Smith et al. 2017", "1711.00489", "smith", smith),
    Finding("Masters and Luschi 2018", "1804.07612", "digits", masters),
    Finding(
        *(
            "Malladi et al. 2022",
            "2205.10287",
            "malladi",
            _rule("one grid of rates", "Adam's rule"),
        ),
        "With Adam's whole rule, curves over examples fall on one another.",
    ),
    Finding(
        *("Busbridge et al. 2023", "2307.13813", "busbridge"),
        _rule("memory in updates", "memory in examples"),
        "With half-lives in examples, curves over examples fall on one another.",
    ),
    Finding("Marek et al. 2025", "2507.07101", "small-batch", marek),
    Finding("Marek et al. 2025", "2507.07101", "small-batch", marek_memory),
    Finding("Merrill et al. 2025", "2505.23971", "warm-up", merrill),
    Finding(
        *("Merrill et al. 2025", "2505.23971", "warm-up"),
        lambda study: growing(study, "measured growth", "constant batches"),
        "Batches that grow with it lose nothing, and save updates.",
    ),
    Finding(
        *("Meterez et al. 2025", "2510.14717", "warm-up"),
        lambda study: growing(study, "seesaw", "the falling rate alone"),
        "Doubling the batch where the rate would be halved loses nothing, and saves updates.",
    ),
    Finding(
        *("Bergsma et al. 2025", "2505.13738", "bergsma"),
        _rule("one weight decay", "weight decay by timescale"),
        "With the weight decay's timescale, curves over examples fall on one another.",
    ),
    Finding(
        *("Zhang et al. 2024", "2410.21676", "data-size"),
        lambda study: exponent(study, "critical"),
        "The critical batch size grows with the data, to a power of about 0.47.",
    ),
    Finding(
        *("Li et al. 2025 (Step Law)", "2503.04715", "data-size"),
        lambda study: exponent(study, "optimum"),
        "The optimal batch size grows with the data, to a power of 0.571.",
    ),
)


def analysed(name: str, folder: Path) -> StudyAnalysis:
    """Return a study, run if it hasn't been."""
    if not (folder / name / FILE).is_file():
        study = Study(name, **NETWORK | SEEDS | STUDIES[name]) if name in STUDIES else None
        (study or Study.from_target(name)).run(folder / name)
    return analyse_study(stored(folder / name))


def main(folder: Path) -> None:
    """Run what is missing, and write the table."""
    rows = []
    for finding in FINDINGS:
        effects = finding.effect(analysed(finding.study, folder))
        for effect in effects if isinstance(effects, list) else [effects]:
            source = f"[{finding.source}](https://arxiv.org/abs/{finding.paper})"
            cells = (
                source,
                finding.text,
                f"`{finding.study}`",
                effect.text,
                effect.number,
                effect.verdict,
            )
            rows.append(f"| {' | '.join(cells)} |")
            print(rows[-1])
    head = "| finding of | what was found | study | effect here | value (95% CI) | here |"
    table = "\n".join([head, "|---" * head.count(" | ") + "|---|", *rows])
    before, _, rest = PAGE.read_text("utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{after}", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reproduction"))
