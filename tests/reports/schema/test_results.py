"""The tables at the border: complete, of the right types, or refused."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from refused import states

from reports.schema.results import TIMING_COLUMNS, StudyResults, as_table, empty_table


def test_a_table_that_lacks_a_column_is_refused(digits: StudyResults) -> None:
    with pytest.raises(ValueError, match="Table 'timing' must have the columns"):
        replace(digits, timing=digits.timing.drop(columns="round"))


def test_an_empty_table_has_the_right_types(digits: StudyResults) -> None:
    empty = empty_table(TIMING_COLUMNS)
    assert empty.empty
    assert empty.dtypes.equals(digits.timing.dtypes)


def test_a_frame_becomes_a_table_in_order_and_type(digits: StudyResults) -> None:
    shuffled = digits.timing[digits.timing.columns[::-1]].astype({"round": "float64"})
    pd.testing.assert_frame_equal(as_table(shuffled, TIMING_COLUMNS), digits.timing)


def test_groups_without_labels_of_their_own_are_refused(digits: StudyResults) -> None:
    for groups in ((), digits.description.groups * 2):
        with pytest.raises(ValueError, match=r"^Groups must be one or more, with labels of their"):
            replace(digits.description, groups=groups)


def test_trials_of_a_group_nobody_described_are_refused(digits: StudyResults) -> None:
    with pytest.raises(ValueError) as caught:
        replace(digits, trials=digits.trials.assign(group="other"))
    states(str(caught.value), "'trials'", "['other']")
