"""The paper's claims in words: what is claimed, what would tell, and what each answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.claims._samples import MARGIN, NEAR_BEST, VASTLY


@dataclass(frozen=True)
class Claim:
    """A claim of the paper; judging and supplementary comparisons have a sentence each."""

    name: str  # C1 to C7
    text: str
    place: str  # where in the paper
    judges: Mapping[str, str]  # comparisons that judge it: all must support it
    beside: Mapping[str, str]  # comparisons that are only shown
    against: Mapping[str, str]  # what a contradiction means, by the comparison that contradicts
    needs: str  # what a study needs for it to be judged


_FALL = "along the fitted line, {metric} changes by {effect} from {ends}"

CLAIMS = (
    Claim(
        "C1",
        "Tensor operations train faster than iterating over the items of a batch.",
        "abstract and section 3",
        {"tensor": "an update of two items or more is {effect} as fast by tensor operations"},
        {"one item": "that of a single item, with nothing to combine, is {effect} as fast"},
        {"tensor": "Calls of tensor operations cost more here than the iteration they save."},
        "the timing pass, with plain descent, sigmoid units and the squared error",
    ),
    Claim(
        "C2",
        "A batch can be cut into shards whose weight changes, computed apart, add up to its own.",
        "section 3",
        {
            "added gradients": "adding up the gradients of shards changes a network's loss by "
            "{effect} of it"
        },
        {
            "local updates": "letting shards make several updates before they are averaged "
            "changes it by {effect}"
        },
        {"added gradients": "The sums differ by more than rounding can explain."},
        "a group with `shards` above 1 beside one that differs in nothing else",
    ),
    Claim(
        "C3",
        "Larger batches lead to lower accuracy.",
        "section 3",
        {"tuned rate": f"with the learning rate tuned for each batch size, {_FALL}"},
        {
            "kept rate, sum": f"with the summed error and the smallest batch's rate kept, {_FALL}",
            "kept rate, mean": f"with the mean error and that rate kept, {_FALL}",
            "equal updates": f"tuned for equal updates instead, {_FALL}",
            "equal time": f"tuned for equal training time, {_FALL}",
        },
        {
            "tuned rate": "The paper's reason, the accumulated weight changes, is a learning rate "
            "that is too large for the batch; with one that suits each batch size, it is gone."
        },
        "sgd, momentum or nesterov with two batch sizes or more, and two seeds or more",
    ),
    Claim(
        "C4",
        "Adagrad and Adam mitigate that loss, and accuracy still falls with larger batches.",
        "section 3",
        {
            "mitigation": "at the tuned rates the change of Adagrad and Adam from the smallest to "
            "the largest batch size, along the fitted line, is above that of plain descent by "
            "{effect}",
            "own fall": f"with Adagrad and Adam, {_FALL}",
        },
        {
            "mitigation, kept rate, sum": "with the summed error and the smallest batch's rate "
            "kept, their change is above that of plain descent by {effect}",
            "mitigation, kept rate, mean": "with the mean error and that rate kept, by {effect}",
        },
        {
            "mitigation": "With a learning rate that suits each batch size, plain descent loses no "
            "more than they do: what they mitigate is a rate that doesn't.",
            "own fall": "With them nothing is lost that would count.",
        },
        "adagrad or adam beside sgd under the same settings, with two batch sizes or more",
    ),
    Claim(
        "C5",
        "Good batch sizes lie between 16 and 64.",
        "section 3",
        {
            "16 to 64": "from the best batch size outside of 16 to 64 to the best one inside, "
            "{metric} changes by {effect}"
        },
        {},
        {
            "16 to 64": "The best batch size outside is better, or worse by less than the "
            f"{100 * MARGIN:g} point of accuracy, or {MARGIN:g} of R\N{SUPERSCRIPT TWO}, that "
            "counts here."
        },
        "batch sizes from 16 to 64 and others, and confirmation seeds",
    ),
    Claim(
        "C6",
        "Splitting training data into batches makes training vastly more efficient, with minimal "
        "loss of accuracy.",
        "abstract",
        {
            "speed": "the fastest batch size that holds its accuracy on validation trains {effect} "
            "as fast as the smallest",
            "accuracy": "its {metric} differs by {effect}",
        },
        {},
        {
            "speed": f"It is faster, but not by the factor of {VASTLY:g} that is called vast here.",
            "accuracy": f"It costs more than the {100 * MARGIN:g} point that is called minimal "
            "here.",
        },
        "the timing pass, confirmation seeds, and two batch sizes or more",
    ),
    Claim(
        "C7",
        "There is no quantitative way to determine the best batch size.",
        "section 3",
        {
            "measured": "the batch size that was fastest on the tuning seeds takes {effect} the "
            "time to target of the best one measured"
        },
        {"closed form": "the one that follows from fits to the tuning seeds takes {effect} of it"},
        {
            "measured": "A number computed from other seeds names a batch size that is as good as "
            f"the best within {100 * (NEAR_BEST - 1):.0f}%."
        },
        "the timing pass, confirmation seeds, and two batch sizes or more",
    ),
)
"""The paper's claims."""
