"""The paper's claims: what it says, what is tested, and what each result means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reports.claims.evidence import DIFFERENCE, RATIO, SHARE, Kind
from reports.recommend.choice import TIME_MARGIN

SAME_LOSS = 1e-4  # relative difference up to which losses are the same, in float32
VASTLY = 10.0  # how many times as fast is vastly more efficient
USUAL = (16, 64)  # batch sizes that the paper calls the most common


@dataclass(frozen=True)
class Claim:
    """A claim of the paper; every comparison that judges it must support it."""

    name: str  # C1 to C7
    quote: str  # verbatim
    section: str
    tested: str  # in this tool's words
    comparisons: Mapping[str, Kind]
    needs: str  # what a study needs for it to be judged
    upheld: str = ""  # what it means for this tool if the claim is supported

    @property
    def quoted(self) -> str:
        """The quotation with its section."""
        return f'"{self.quote}" ({self.section})'


_CHANGE = "{metric} changes by {effect} from {ends}"
_FALL = "the best of the smaller batch sizes to the largest"
_FALLS = Kind(DIFFERENCE, 0.0, -1.0, below=True, in_margins=True, ends=_FALL)
_SHOWN_FALLS = replace(_FALLS, shown=True)
_SHOWN_LESS = Kind(DIFFERENCE, 0.0, 1.0, in_margins=True, shown=True)
_HOLDS = Kind(DIFFERENCE, -1.0, in_margins=True, shown=True, text=_CHANGE)
_FASTER = Kind(RATIO, 0.0, timed=True)
_VASTLY_FASTER = replace(_FASTER, bound=math.log(VASTLY))
_SLOWER = Kind(RATIO, 1.0, in_margins=True)
_SAME_LOSS = Kind(SHARE, math.log(SAME_LOSS), below=True)

_LITTLE = "no more than the accepted loss (`margin`)"

CLAIMS = (
    Claim(
        "C1",
        "Explicitly using tensor operations to backpropagate allows training to be performed "
        "non-linearly, increasing computational efficiency.",
        "abstract",
        "A vectorized update of two examples or more is faster than one example at a time.",
        {"vectorized": replace(_FASTER, text="vectorized updates are {effect} as fast")},
        "measured update times, with SGD, sigmoid units and the squared error",
    ),
    Claim(
        "C2",
        "Distribution on multiple targets can be implemented by segmenting the input vector into "
        "a number of small batches, each of which can be trained in isolation and the resulting "
        "\N{INCREMENT}W values can be combined afterwards.",
        "section 3",
        "The gradients of shards add up to that of the whole batch.",
        {
            "added gradients": replace(
                _SAME_LOSS,
                text="adding up the gradients of shards changes a network's loss by {effect}",
            ),
            "local updates": replace(
                _SAME_LOSS,
                text="several updates of each shard before they are averaged change it by {effect}",
                judges=False,
            ),
        },
        "a configuration with `shards` above 1 and another that differs in nothing else",
    ),
    Claim(
        "C3",
        "A significant drawback to batch training is that a larger batch size leads to lower "
        "network accuracy.",
        "section 3",
        "The largest batch size does worse than the best of the smaller ones.",
        {
            "tuned rate": replace(_SHOWN_FALLS, text=f"with tuned learning rates {_CHANGE}"),
            **{
                f"fixed rate, {kind}": replace(
                    _FALLS,
                    text=f"with the {word} error and the learning rate of the smallest batch "
                    f"{_CHANGE}",
                    judges=False,
                )
                for kind, word in (("sum", "summed"), ("mean", "mean"))
            },
        },
        "sgd, momentum or nesterov with two batch sizes or more, and two seeds or more",
    ),
    Claim(
        "C4",
        "These effects can be mitigated through adaptive optimization algorithms such as Adagrad "
        "or Adam[3], but ultimately, accuracy will still decrease with large batches.",
        "section 3",
        "From the best of the smaller batch sizes to the largest, Adagrad and Adam lose less than "
        "SGD, and they lose something.",
        {
            "mitigation": replace(
                _SHOWN_LESS, text="their change is above that of SGD by {effect}"
            ),
            "adaptive fall": replace(_SHOWN_FALLS, text=f"with Adagrad and Adam {_CHANGE}"),
        },
        "adagrad or adam, and sgd under the same settings, with two batch sizes or more",
    ),
    Claim(
        "C5",
        "The most common batch sizes range between 16 and 64",
        "section 3",
        "Batch sizes from 16 to 64 are near-optimal here: the one that is worst on the tuning "
        f"seeds loses {_LITTLE}.",
        {
            "16 to 64": replace(
                _HOLDS, ends="the best batch size to the worst of those from 16 to 64"
            )
        },
        "batch sizes from 16 to 64 and others, and confirmation seeds",
    ),
    Claim(
        "C6",
        "By splitting training data into batches, networks can be distributed and trained vastly "
        "more efficiently and with minimal accuracy loss.",
        "abstract",
        "The fastest batch size that loses little on the tuning seeds trains at least "
        f"{VASTLY:g} times as fast as the smallest one, and loses {_LITTLE}.",
        {
            f"{what} against {smallest}": replace(
                kind, text=text, ends=f"{smallest} to the fastest"
            )
            for smallest, note in (
                ("batch size 1", "batch size 1 is the smallest run"),
                ("the smallest", "batch size 1 was not run"),
            )
            for what, kind, text in (
                ("speed", _VASTLY_FASTER, f"{note}: from {{ends}} training is {{effect}} as fast"),
                ("accuracy", _HOLDS, _CHANGE),
            )
        },
        "measured update times, confirmation seeds, and two batch sizes or more",
    ),
    Claim(
        "C7",
        "There is no quantitative way to determine the optimal batch size for any training set.",
        "section 3",
        "Every rule that is computed from the tuning seeds names a batch size that takes over "
        f"{TIME_MARGIN:.0%} longer to a target than the fastest other on fresh seeds.",
        {
            name: replace(
                _SLOWER,
                text=f"the batch size named by {rule} takes {{effect}} the time of the fastest "
                "other",
            )
            for name, rule in (
                ("fitted model", "the fitted curve of updates times the measured seconds"),
                ("noise scale", "the gradient noise scale"),
            )
        },
        "measured update times, confirmation seeds, and three batch sizes or more that reach a "
        "target",
        "The rules of this tool miss the fastest batch size here.",
    ),
)

KINDS = {name: kind for claim in CLAIMS for name, kind in claim.comparisons.items()}
