"""What was done, how to read it, and where its limits are, in words."""

from __future__ import annotations

from reports.analysis import Analysis
from reports.formats import count, listing, plural, points, rate, visible
from reports.results import StudyDescription


def method(analysis: Analysis) -> list[str]:
    """Return the paragraphs of the method section.

    Args:
        analysis: The numbers.
    """
    plan = analysis.description
    return [_data(plan), _network(plan), _selection(plan), _statistics(analysis.part), _times()]


def limits(analysis: Analysis) -> list[str]:
    """Return the paragraphs on how to read the report and where its limits are.

    Args:
        analysis: The numbers.
    """
    texts = (_ties(analysis), _rule(), _choice(), _items(analysis), _machine())
    return [text for text in texts if text]


def _ties(analysis: Analysis) -> str:
    comparison, apart = analysis.comparison, analysis.separation
    if comparison is None or apart is None:
        return ""
    return (
        "That a batch size can't be told from the best is no proof that it is as good: few seeds "
        "establish only large differences. More seeds make the list shorter. With as many as here, "
        f"batch size {analysis.rival} would have to differ from {comparison.best} by about "
        f"{points(apart.detectable)} for the tests to find it four times in five."
    )


def _rule() -> str:
    return (
        "The budget is equal epochs. A large batch makes fewer updates from the same examples, so "
        "it has trained less by the measure of updates. Another rule can change the order."
    )


def _choice() -> str:
    return (
        "A learning rate is the best of those tried, and so is a batch size. Learning rates are "
        "chosen on the validation part: accuracies there are optimistic, those of fresh seeds on "
        "the test part are not."
    )


def _items(analysis: Analysis) -> str:
    plan = analysis.description
    items = plan.test_items if analysis.part == "test" else plan.validation_items
    return (
        f"One item of the {analysis.part} part is worth {points(1 / items)}: with a single seed, "
        "smaller differences are none."
    )


def _machine() -> str:
    return (
        "Times are those of this machine and this network. Tensor operations gain more where "
        "layers are wide."
    )


def _data(plan: StudyDescription) -> str:
    return (
        f"{visible(plan.dataset)}: {plural(plan.features, 'feature')}, "
        f"{plural(plan.outputs, 'output')}; {count(plan.train_items)} items to train on, "
        f"{count(plan.validation_items)} for validation, {count(plan.test_items)} for the test. "
        f"Fingerprint of the data: {visible(plan.fingerprint)}."
    )


def _network(plan: StudyDescription) -> str:
    hidden = (
        f"{listing(plan.hidden_layers)} hidden units" if plan.hidden_layers else "no hidden layer"
    )
    return (
        f"Network with {hidden}, activation {visible(plan.activation)}; loss {visible(plan.loss)}, "
        f"the error of a batch being the {visible(plan.reduction)} over its items; optimizer "
        f"{visible(plan.optimizer)}; {plural(plan.epochs, 'epoch')} for every trial. A seed fixes "
        "split, initial weights and order, the same for all batch sizes."
    )


def _selection(plan: StudyDescription) -> str:
    rates = listing([rate(value) for value in plan.learning_rates])
    fresh = plural(len(plan.confirmation_seeds), "seed")
    confirm = (
        f"The selected rates are trained again with {fresh} not used before; only these trials are "
        "measured on the test part."
        if plan.confirmation_seeds
        else "There is no confirm stage: accuracies are those of the validation part."
    )
    return (
        f"Every learning rate ({rates}) is tried at every batch size with "
        f"{plural(len(plan.seeds), 'seed')}. For each batch size the one with the highest mean "
        f"validation {visible(plan.metric)} is selected; among equal ones that of lower loss, then "
        "the smaller one. A rate with a diverged or failed seed is not eligible, nor one with "
        f"fewer seeds than others. {confirm}"
    )


def _statistics(part: str) -> str:
    compared = (
        "The best batch size is the one with the highest mean on the validation part; on the test "
        "part, with fresh seeds, each other one is compared with it by a one-sided paired t test "
        "over common seeds, adjusted by Holm's method (1979) over these comparisons."
        if part == "test"
        else "The best batch size is the one with the highest mean. As the same data choose and "
        "judge it, all pairs of batch sizes are compared by two-sided paired t tests over common "
        "seeds, adjusted by Holm's method (1979) over all pairs."
    )
    return (
        f"Intervals are 95% t intervals of the mean over seeds (Student 1908). {compared} The "
        "family-wise level is 5%. Seeds needed and differences that would be found are for a power "
        "of 80% at the level at which Holm's method begins (Cohen 1988)."
    )


def _times() -> str:
    return (
        "Time to train is the number of updates multiplied by the median seconds of an update from "
        "a timing pass of its own: serial, one BLAS thread, interleaved rounds. Speed-up is the "
        "ratio of two such medians."
    )
