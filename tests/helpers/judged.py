"""Verdicts on planted studies, and what several of these are made of."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reports.claims.judgement import ClaimVerdict, claims_of
from reports.output.csv import tables
from reports.recommend.analysis import analyse
from reports.recommend.record import StudyAnalysis
from reports.schema.results import StudyResults
from tests.helpers.claim_studies import FAST, Truth

SUM, MEAN = {"group": "summed", "reduction": "sum"}, {"group": "averaged", "reduction": "mean"}
PAIR = ({"group": "plain"}, {"group": "adam", "optimizer": "adam"})


def judge(results: StudyResults) -> tuple[ClaimVerdict, ...]:
    """Return the verdict on every claim by a study."""
    return claims_of(analyse(results))


def verdicts(results: StudyResults) -> dict[str, ClaimVerdict]:
    return {judged.claim.name: judged for judged in judge(results)}


def by_size(values: Mapping[int, float]) -> Truth:
    """Every rate is as good as any other; only the batch size counts."""
    return Truth(accuracy=lambda _plan, size, _rate: values[size], seconds=FAST)


FALLING = by_size({1: 0.95, 32: 0.9, 1024: 0.8})
FLAT = by_size({1: 0.9, 32: 0.9, 1024: 0.9})


def all_tables(study: StudyAnalysis) -> dict[str, pd.DataFrame]:
    """Return every table of a report."""
    return tables(study, claims_of(study.groups))
