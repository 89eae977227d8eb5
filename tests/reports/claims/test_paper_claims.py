"""Claims are quoted as the paper words them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.claims._paper_claims import CLAIMS, KINDS, Claim

SECTIONS = {
    "abstract": """By splitting training data
into batches, networks can be distributed and trained vastly more effi-
ciently and with minimal accuracy loss. We have explored the mathemat-
ics behind efficiently implementing tensor-based batch backpropagation
algorithms. A common approach to batch training is iterating over batch
items individually. Explicitly using tensor operations to backpropagate
allows training to be performed non-linearly, increasing computational
efficiency.""",
    "section 3": """Distribution
on multiple targets can be implemented by segmenting the input vector into
a number of small batches, each of which can be trained in isolation and the
resulting \N{INCREMENT}W values can be combined afterwards.

A significant drawback to batch training is that a larger batch size leads to
lower network accuracy. Each \N{INCREMENT}W is not influenced by the updates from any
other sample in its batch meaning large batch sizes can easily overshoot an opti-
mal error value. The effect is similar to having a learning rate that is too large.
These effects can be mitigated through adaptive optimization algorithms such
as Adagrad or Adam[3], but ultimately, accuracy will still decrease with large
batches.

There is no quantitative way to determine the optimal batch size for any training
set. The most common batch sizes range between 16 and 64[4]. Smaller batch
sizes are more complex to distribute over large systems, leading to a lower effi-
ciency advantage.""",
}
"""The paper's text, line by line as it is set."""


def as_set(section: str) -> str:
    """Undo the line breaks, and the hyphens at them."""
    return " ".join(SECTIONS[section].replace("-\n", "").split())


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_a_quotation_is_the_papers_character_by_character(claim: Claim) -> None:
    assert claim.quote in as_set(claim.section)
    assert claim.quote[0].isupper()


def test_the_document_quotes_the_same_sentences() -> None:
    text = " ".join(Path("docs/paper.md").read_text(encoding="utf-8").split())
    for claim in CLAIMS:
        assert f'"{claim.quote}"' in text
        assert claim.name in text


def test_every_comparison_has_a_name_of_its_own_and_every_claim_one_that_judges() -> None:
    assert len(KINDS) == sum(len(claim.comparisons) for claim in CLAIMS)
    assert all(any(c.judges for c in claim.comparisons.values()) for claim in CLAIMS)
