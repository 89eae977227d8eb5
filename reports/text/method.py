"""What was done, how to read it, and where its limits are, in words."""

from __future__ import annotations

from reports.analysis.tuning_checks import fixed_rate
from reports.recommend import Analysis
from reports.schema import (
    GroupDescription,
    Measure,
    StudyDescription,
    count,
    listing,
    percent,
    plural,
    rate,
    visible,
)
from reports.schema.results import REGRESSION
from reports.stats.power import detectable_accuracy_difference
from reports.text.budget_rules import stopped_note
from reports.text.clocks import last_batch, memory

LOSS_WORDS = {
    "squared_error": "half the squared error, summed over the outputs",
    "cross_entropy": "cross-entropy",
    "binary_cross_entropy": "binary cross-entropy, summed over the outputs",
}
"""The losses in words; others are named as they are."""
RATE_RULES = {
    "linear": "The learning rates tried grow in proportion to the batch size.",
    "sqrt": "The learning rates tried grow with the square root of the batch size.",
}
"""How learning rates follow the batch size, where they do."""


def method(analysis: Analysis) -> list[str]:
    """Return the paragraphs of the method section."""
    plan = analysis.plan
    texts = (
        _data(plan),
        _notes(plan),
        _network(analysis),
        _training(plan),
        _metric(analysis),
        _selection(analysis.study, plan, analysis.measure),
        _statistics(judged_apart=analysis.judged_apart),
        _budgets(analysis),
        _TIMES,
    )
    return [text for text in texts if text]


_TIMES = (
    "Time to train is the number of updates multiplied by the median seconds of an update from a "
    "timing pass of its own: serial, one BLAS thread, interleaved rounds. Speed-up is the ratio of "
    "two such medians."
)


def limits(analysis: Analysis) -> list[str]:
    """Return the paragraphs on how to read the report and where its limits are."""
    texts = (
        _NEAR_OPTIMAL,
        _rule(analysis),
        _choice(analysis.measure),
        _untuned(analysis),
        _items(analysis),
        _MACHINE,
    )
    return [text for text in texts if text]


_MACHINE = (
    "Times are those of this machine and this network. Tensor operations gain more where layers "
    "are wide."
)
_NEAR_OPTIMAL = (
    "A batch size is shown to be near-optimal if the one-sided 95% limit of its loss against the "
    "reference, paired over fresh seeds, is within the margin. The reference is the size that did "
    "best on the tuning seeds. From it on, faster sizes are tested one after the other until one "
    "fails: that one and those beyond are undecided or shown to be worse. The batch size to use is "
    "the last that passed."
)


def _choice(measure: Measure) -> str:
    return (
        "A learning rate is the best of those tried, and so is a batch size. Learning rates are "
        f"chosen on the validation part: {measure.plural} there are optimistic, those of fresh "
        "seeds on the test part are not."
    )


def _rule(analysis: Analysis) -> str:
    if analysis.plan.epochs is None:
        text = (
            f"The budget is {analysis.budget} for every trial. Batch sizes differ in how many "
            "updates and how many examples they make of it."
        )
    else:
        text = (
            "The budget is equal epochs. A large batch makes fewer updates from the same examples, "
            "so it has trained less by the measure of updates."
        )
    return f"{text} Another rule can change the order."


def _untuned(analysis: Analysis) -> str:
    """The contrast to rates tuned for each batch size."""
    fixed = fixed_rate(analysis.cells)
    if fixed is None:
        return ""
    measure, same = analysis.measure, fixed.best == fixed.tuned_best
    return (
        f"Learning rates are tuned for each batch size. With one for all, {rate(fixed.rate)} (the "
        f"best on average), validation {measure.plural} would lie {measure.gap(fixed.gap)} apart "
        f"instead of {measure.gap(fixed.tuned_gap)}, and batch size {fixed.best} would look best "
        f"{'too' if same else f'instead of {fixed.tuned_best}'}."
    )


def _items(analysis: Analysis) -> str:
    if analysis.plan.task == REGRESSION:
        return (
            f"The {analysis.part} part has {plural(analysis.items, 'item')}; with few of them, a "
            f"single item far off moves {analysis.measure.name} by much."
        )
    return (
        f"One item of the {analysis.part} part is worth "
        f"{analysis.measure.gap(1 / analysis.items)}: with a single seed, smaller differences are "
        f"none.{_two_networks(analysis)}"
    )


def _two_networks(analysis: Analysis) -> str:
    best = float(analysis.batch_sizes["metric"].max())
    if not 0 < best < 1:
        return ""
    gap = detectable_accuracy_difference(best, analysis.items)
    return (
        f" Two networks of which one gets {percent(best)} of {count(analysis.items)} items right "
        f"must differ by {analysis.measure.gap(gap)} for that part to tell them apart four times "
        "in five. Seeds, each with a split of its own, tell smaller differences between batch "
        "sizes, and the loss is finer than the share of right answers."
    )


def _data(plan: GroupDescription) -> str:
    return (
        f"{visible(plan.dataset)}: {plural(plan.features, 'feature')}, "
        f"{plural(plan.outputs, 'output')}; {count(plan.train_items)} items to train on, "
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
    named = [f"{visible(name)} {rate(value)}" for name, value in plan.hyperparameters.items()]
    hyperparameters = f" ({listing(named)})" if named else ""
    return (
        f"Network with {hidden}, activation {visible(plan.activation)}{other}; loss {loss}, "
        f"the error of a batch being the {visible(plan.reduction)} over its items; optimizer "
        f"{visible(plan.optimizer)}{hyperparameters}; {analysis.budget} for every trial. "
        f"{_seeds(plan)}"
    )


def _seeds(plan: GroupDescription) -> str:
    if plan.split_seed is None:
        return "A seed fixes split, initial weights and order, the same for all batch sizes."
    return (
        f"A seed fixes initial weights and order, the same for all batch sizes; all share one "
        f"split of the data, that of seed {plan.split_seed}."
    )


def _training(plan: GroupDescription) -> str:
    texts = (
        f"Learning rate along training: {visible(plan.schedule)}."
        if plan.schedule not in {"", "constant"}
        else "",
        RATE_RULES.get(plan.rate_rule, ""),
        f"Batches grow along training: {visible(plan.growth)}." if plan.growth else "",
        f"The gradients of {plan.shards} shards of each batch are computed apart, with "
        f"{plural(plan.local_updates, 'local update')} between two averagings."
        if plan.shards > 1
        else "",
        memory(plan),
        f"Further settings: {visible(plan.further)}." if plan.further else "",
        last_batch(plan),
    )
    return " ".join(text for text in texts if text)


def _metric(analysis: Analysis) -> str:
    if analysis.plan.task != REGRESSION:
        return ""
    explained = (
        f"{analysis.measure.name} is the share of the target's variance that is explained: 1 less "
        "the residual sum of squares by the total one, over all outputs; 0 is as good as always "
        "answering the mean, and below 0 is worse. Targets are standardised on the training part."
    )
    if not analysis.rmse_unit:
        return explained
    return f"{explained} The root mean squared error (RMSE) is in {analysis.rmse_unit}."


def _selection(study: StudyDescription, plan: GroupDescription, measure: Measure) -> str:
    rates = listing([rate(value) for value in plan.learning_rates])
    fresh = plural(len(study.confirmation_seeds), "seed")
    if not study.seeds:
        return (
            f"Every batch size was given its learning rate ({rates}) and trained with {fresh}, "
            "measured on the test part. No rate was selected."
        )
    confirm = (
        f"The selected rates are trained again with {fresh} not used before; only these trials are "
        "measured on the test part."
        if study.confirmation_seeds
        else f"There is no confirm stage: {measure.plural} are those of the validation part."
    )
    return (
        f"Every learning rate ({rates}) is tried at every batch size with "
        f"{plural(len(study.seeds), 'seed')}. For each batch size the one with the highest mean "
        f"validation {measure.name} is selected; among equal ones that of lower loss, then "
        "the smaller one. A rate with a seed that diverged, failed or has not run is not eligible, "
        f"and has no mean. {confirm}"
    )


def _statistics(*, judged_apart: bool) -> str:
    compared = (
        "The best batch size is the one with the highest mean on the validation part; on the test "
        "part, with fresh seeds, each other one is compared with it by a one-sided paired t test "
        "over common seeds, adjusted by Holm's method (1979) over these comparisons."
        if judged_apart
        else "The best batch size is the one with the highest mean. As the same data choose and "
        "judge it, all pairs of batch sizes are compared by two-sided paired t tests over common "
        "seeds, adjusted by Holm's method (1979) over all pairs."
    )
    return (
        "Intervals are 95% t intervals of the mean over seeds (Student 1908), cut where values of "
        f"the metric end. {compared} The family-wise level is 5%. Seeds needed and differences "
        "that would be found are for a power of 80% at the level at which Holm's method begins "
        "(Cohen 1988)."
    )


def _budgets(analysis: Analysis) -> str:
    if analysis.budgets.empty:
        return ""
    seeds = plural(int(analysis.budgets["seeds"].max()), "tuning seed")
    return (
        "Equal epochs, equal updates and equal time are read from the same recorded curves, which "
        f"hold the validation part only, of the {seeds}. With every budget, each seed is read at "
        "the learning rate that is best with it on the other seeds; a diverged trial counts as a "
        "guess. Between two evaluations a curve is read on the straight line that joins them, "
        "before the first one of training on the line from the untrained network. All pairs of "
        "batch sizes are compared by two-sided paired t tests, adjusted by Holm's method, for each "
        f"budget alone. Fresh seeds trained at one rate only and are not used here."
        f"{stopped_note(analysis)}"
    )
