"""What was done, how to read it, and where its limits are, in words."""

from __future__ import annotations

import math

from reports.analysis.tuning_checks import fixed_rate
from reports.recommend import Analysis
from reports.schema import (
    GroupDescription,
    Measure,
    StudyDescription,
    capitalised,
    count,
    listing,
    plural,
    rate,
    significant,
    sizes,
    visible,
)
from reports.schema.measures import target_unit
from reports.schema.results import REGRESSION
from reports.stats.intervals import detectable_accuracy_difference
from reports.text.budget_rules import stopped_note
from reports.text.finished import finished_method, optima_method
from reports.text.instruction import margin_text

LOSS_WORDS = {
    "squared_error": "half the squared error, summed over the outputs",
    "cross_entropy": "cross-entropy",
    "binary_cross_entropy": "binary cross-entropy, summed over the outputs",
}
METRIC_WORDS = {
    "r2": "the share of the targets' variance that is explained; 0 is as good as always answering "
    "the mean",
    "balanced_accuracy": "the mean over the classes of the share of their examples that are "
    "classified right",
    "f1_macro": "the mean over the classes of F1, the harmonic mean of precision and recall",
    "neg_log_loss": "the mean of minus the logarithm of the probability of the right class, which "
    "is its share of the outputs; lower is better",
    "neg_mae": "the mean absolute error; lower is better",
    "roc_auc": "the probability that the output of a class is higher for an example of it than for "
    "another one; of more than two classes, the mean, each against the rest",
}
RATE_RULES = {
    "linear": "The learning rates tried grow in proportion to the batch size.",
    "sqrt": "The learning rates tried grow with the square root of the batch size.",
    "adam": "The learning rates tried grow with the square root of the batch size, by which "
    "epsilon is divided (Malladi et al. 2022).",
}


def method(analysis: Analysis) -> list[str]:
    """Return the paragraphs of the method section."""
    plan = analysis.plan
    if analysis.study.finished:
        return finished_method(analysis)
    texts = (
        *(
            (_trainer(analysis),)
            if plan.trainer
            else (_data(plan), _notes(plan), _network(analysis))
        ),
        _training(plan),
        _metric(analysis),
        _selection(analysis.study, plan, analysis.measure),
        _statistics(analysis),
        _budgets(analysis),
        *optima_method(analysis),
        (
            "The time to train is the number of updates times their median seconds in a benchmark "
            f"after training: one {'trial' if plan.trainer else 'network, one BLAS thread'}, "
            "interleaved rounds."
        ),
    )
    return [text for text in texts if text]


def limits(analysis: Analysis) -> list[str]:
    """Return the paragraphs on how to read the report and where its limits are."""
    if analysis.study.finished:
        return [_untuned(analysis), "Who ran them chose what was tried; nothing was repeated here."]
    rule = (
        f"{analysis.budget} for every trial"
        if analysis.plan.epochs is None
        else "equal epochs: a large batch makes fewer updates from the same examples"
    )
    trained = "trainer" if analysis.plan.trainer else "network"
    texts = (
        (
            "The reference is the batch size that did best on the tuning seeds. Faster sizes are "
            "compared with it one after the other, paired by fresh seed. A size is near-optimal if "
            f"its loss is at most {margin_text(analysis)}, the margin, by a one-sided 95% limit. "
            "The first that fails ends the sequence; use the last that passed. A size that loses "
            "more than the margin by such a limit is worse; any other is undecided."
        ),
        f"The budget is {rule}. Another rule can change the winner.",
        (
            f"Validation {analysis.measure.plural} are optimistic, as they chose the learning "
            "rates. Those of fresh seeds on the test set are not."
        ),
        _untuned(analysis),
        _examples(analysis),
        f"Times are those of this machine and this {trained}.",
    )
    return [text for text in texts if text]


def _untuned(analysis: Analysis) -> str:
    """The contrast to rates tuned for each batch size."""
    fixed = fixed_rate(analysis.cells)
    if fixed is None:
        return ""
    measure, same = analysis.measure, fixed.best == fixed.tuned_best
    looks = "the same batch size" if same else f"batch size {fixed.best}, not {fixed.tuned_best},"
    return (
        f"With learning rate {rate(fixed.rate)} everywhere, the best on average, validation "
        f"{measure.plural} would differ by up to {measure.gap(fixed.gap)} instead of "
        f"{measure.gap(fixed.tuned_gap)}, and {looks} would look best."
    )


def _examples(analysis: Analysis) -> str:
    if not analysis.items:
        return ""
    if analysis.plan.task == REGRESSION or analysis.plan.metric != "accuracy":
        single = "outlier" if analysis.plan.task == REGRESSION else "one"
        return (
            f"The {analysis.part} set has {plural(analysis.items, 'example')}; with few, a single "
            f"{single} changes {analysis.measure.name} by much."
        )
    worth = analysis.measure.gap(1 / analysis.items)
    each = f"One example of the {analysis.part} set is worth {worth}."
    best = float(analysis.batch_sizes["metric"].max())
    if not 0 < best < 1:
        return each
    gap = analysis.measure.gap(detectable_accuracy_difference(best, analysis.items))
    return (
        f"{each} Between two single networks, differences of {gap} or more are detected with 80% "
        "power; several seeds detect smaller ones."
    )


def _data(plan: GroupDescription) -> str:
    return (
        f"{visible(plan.dataset)}: {plural(plan.features, 'feature')}, "
        f"{plural(plan.outputs, 'output')}; {count(plan.train_items)} training examples, "
        f"{count(plan.validation_items)} for validation, {count(plan.test_items)} for the test. "
        f"Fingerprint of the data: {visible(plan.fingerprint)}."
    )


def _notes(plan: GroupDescription) -> str:
    notes = (visible(note.strip(), most=300) for note in plan.notes)
    texts = [note if note.endswith((".", "…")) else f"{note}." for note in notes]
    return f"About the data: {' '.join(texts)}" if texts else ""


def _network(analysis: Analysis) -> str:
    plan = analysis.plan
    hidden = (
        f"{listing(plan.hidden_layers)} hidden units" if plan.hidden_layers else "no hidden layer"
    )
    other = "" if plan.output == plan.activation else f", {visible(plan.output)} at the output"
    loss = LOSS_WORDS.get(plan.loss, visible(plan.loss))
    hyperparameters = _hyperparameters(plan)
    split = (
        "split, initial weights and order"
        if plan.split_seed is None
        else f"initial weights and order; all share the split of seed {plan.split_seed}"
    )
    return (
        f"Network with {hidden}, activation {visible(plan.activation)}{other}. Loss: {loss}, "
        f"and for a batch the {visible(plan.reduction)} over its examples. Optimizer: "
        f"{visible(plan.optimizer)}{hyperparameters}, for {analysis.budget} in every trial. A seed "
        f"fixes {split}, the same for all batch sizes."
    )


def _hyperparameters(plan: GroupDescription) -> str:
    named = [
        f"{visible(name)} {visible(value) if isinstance(value, str) else rate(value)}"
        for name, value in plan.hyperparameters.items()
    ]
    return f" ({listing(named)})" if named else ""


def _trainer(analysis: Analysis) -> str:
    """Return what is known of a user's training."""
    plan = analysis.plan
    epoch = (
        f" An epoch has {count(plan.train_items)} training examples." if plan.train_items else ""
    )
    return (
        f"Trained by {visible(plan.trainer)}{_hyperparameters(plan)}, for {analysis.budget} in "
        f"every trial; data, network and optimizer are its own.{epoch} Digest of its code: "
        f"{visible(plan.fingerprint)}. Whether a seed fixes the result is up to the trainer."
    )


def memory(plan: GroupDescription) -> str:
    """Return how long the optimizer remembers, in updates and examples; "" if it doesn't."""
    shares = {name: plan.hyperparameters.get(name, 0) for name in plan.memories}
    texts = [_halving(plan, name, share) for name, share in shares.items() if 0 < share < 1]
    if not texts:
        return ""
    same = "examples, the same at all batch sizes (Busbridge et al. 2023)"
    unit = "updates" if plan.memory_reference is None else same
    return f"The optimizer's memory is fixed in {unit}: {listing(texts)}."


def _halving(plan: GroupDescription, name: str, share: float) -> str:
    """In how many updates or examples a gradient's weight halves."""
    updates, reference = math.log(0.5) / math.log(share), plan.memory_reference
    sizes = [*dict.fromkeys((min(plan.batch_sizes), max(plan.batch_sizes)))]
    if reference is None:
        spans = [f"{significant(updates * n)} examples at batch size {n}" for n in sizes]
        halves = f"{significant(updates)} updates, {listing(spans)}"
        return f"with {visible(name)} {rate(share)}, a gradient's weight halves in {halves}"
    used = [f"{significant(share ** (n / reference), 3)} at batch size {n}" for n in sizes]
    return (
        f"with {visible(name)} {rate(share)} at batch size {reference}, a gradient's weight halves "
        f"in {significant(updates * reference)} examples ({visible(name)} is {listing(used)})"
    )


def last_batch(plan: GroupDescription) -> str:
    """Return where the last batch of an epoch is smaller; "" if nowhere."""
    ragged = [size for size in plan.batch_sizes if plan.train_items % size]
    where = sizes(ragged, plan.batch_sizes)
    return f"At batch {where} the last batch of an epoch is smaller." if ragged else ""


def _training(plan: GroupDescription) -> str:
    texts = (
        f"Learning rate along training: {visible(plan.schedule)}."
        if plan.schedule not in {"", "constant"}
        else "",
        RATE_RULES.get(plan.rate_rule, ""),
        f"Batches grow along training: {visible(plan.growth)}." if plan.growth else "",
        f"The gradients of {plan.shards} shards of each batch are computed separately, with "
        f"{plural(plan.local_updates, 'local update')} between two averagings."
        if plan.shards > 1
        else "",
        memory(plan),
        f"The weight decay is that of batch size {plan.decay_reference} there; at others it makes "
        "weights decay over the same examples (Bergsma et al. 2025)."
        if plan.decay_reference
        else "",
        f"Further settings: {visible(plan.further)}." if plan.further else "",
        last_batch(plan),
    )
    return " ".join(text for text in texts if text)


def _metric(analysis: Analysis) -> str:
    explained = METRIC_WORDS.get(analysis.plan.metric.lower(), "")
    texts = [f"{capitalised(analysis.measure.name)} is {explained}."] if explained else []
    if analysis.plan.task == REGRESSION and not analysis.plan.trainer:
        texts.append("Targets are standardised on the training set.")
    if analysis.plan.metric == "neg_mae":
        texts.append(f"MAE is in {target_unit(analysis.plan)}.")
    if analysis.rmse_unit:
        texts.append(f"The root mean squared error (RMSE) is in {analysis.rmse_unit}.")
    return " ".join(texts)


def _selection(study: StudyDescription, plan: GroupDescription, measure: Measure) -> str:
    rates = listing([rate(value) for value in plan.learning_rates])
    fresh = plural(len(study.confirmation_seeds), "fresh seed")
    if not study.seeds:
        return (
            f"Every batch size was given its learning rate ({rates}) and trained with {fresh}, "
            "measured on the test set. No rate was selected."
        )
    confirm = (
        f"The selected rates are trained again with {fresh}; only these meet the test set."
        if study.confirmation_seeds
        else f"There are no fresh seeds: {measure.plural} are those of the validation set."
    )
    return (
        f"Every learning rate ({rates}) is tried at every batch size with "
        f"{plural(len(study.seeds), 'tuning seed')}. The rate with the {measure.best} mean "
        f"validation {measure.name} is selected; ties go to the lower loss. A rate with a seed "
        f"that diverged, failed or has not run is never selected. {confirm}"
    )


def _statistics(analysis: Analysis) -> str:
    halves = (
        " No tuning seeds chose the reference here: the earlier half of the seeds does, and the "
        "later half judges."
        if analysis.part == "test" and not analysis.judged_apart
        else ""
    )
    return (
        "Intervals are 95% t intervals over seeds, cut at the bounds of the metric. Near-optimal "
        "sizes are tested in a fixed order, which needs no correction (Maurer et al. 1995)."
        f"{halves} Seeds that would decide are for 80% power (Stein 1945)."
    )


def _budgets(analysis: Analysis) -> str:
    if analysis.budgets.empty:
        return ""
    seeds = plural(int(analysis.budgets["seeds"].max()), "tuning seed")
    return (
        f"Equal epochs, updates and time are read from the validation curves of {seeds}, linearly "
        f"between evaluations. A diverged trial counts as a guess.{stopped_note(analysis)}"
    )
