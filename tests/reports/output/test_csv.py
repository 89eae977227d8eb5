"""The CSV files: numbers read back exactly, text can't act."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from reports.output.csv import COLUMNS, column_meanings, to_csv
from reports.recommend.analysis import analyse_study
from reports.schema.results import StudyResults
from tests.helpers.judged import all_tables
from tests.reports.conftest import nothing_run

OF_STUDIES = [name for name in COLUMNS if name != "optima"]  # which finished runs alone have


@pytest.fixture(scope="module")
def whole(digits: StudyResults) -> dict[str, pd.DataFrame]:
    """The tables of the study as shipped."""
    return all_tables(analyse_study(digits))


@pytest.fixture(scope="module")
def empty(digits: StudyResults) -> dict[str, pd.DataFrame]:
    """The tables of a study of which nothing has run."""
    return all_tables(analyse_study(nothing_run(digits)))


@pytest.mark.parametrize("name", OF_STUDIES)
def test_every_table_has_the_columns_it_documents(
    whole: dict[str, pd.DataFrame], empty: dict[str, pd.DataFrame], name: str
) -> None:
    for frames in (whole, empty):
        read_back = frames[name].dtypes.astype("str").to_dict()
        assert read_back == {column.name: column.dtype for column in COLUMNS[name]}


@pytest.mark.parametrize("name", OF_STUDIES)
def test_every_table_reads_back_exactly(whole: dict[str, pd.DataFrame], name: str) -> None:
    frame = whole[name]
    back = pd.read_csv(io.StringIO(to_csv(frame)), dtype="str", keep_default_na=False)
    for column in COLUMNS[name]:
        if column.dtype == "float64":
            back[column.name] = [float(cell or "nan") for cell in back[column.name]]
        elif column.dtype in {"Int64", "int64"}:
            back[column.name] = [int(cell) if cell else pd.NA for cell in back[column.name]]
        elif column.dtype == "bool":
            back[column.name] = back[column.name] == "True"
    types = {column.name: column.dtype for column in COLUMNS[name]}
    pd.testing.assert_frame_equal(back.astype(types), frame, check_exact=True)


def test_every_column_of_every_table_is_explained(whole: dict[str, pd.DataFrame]) -> None:
    meanings = column_meanings()
    for name, frame in whole.items():
        if name != "columns":
            assert meanings[meanings["table"] == name]["column"].tolist() == list(frame.columns)
    assert (meanings["meaning"].str.endswith(".")).all()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\\x09=1"),
        ("\r\n=1", "\\x0d\\x0a=1"),
        ("\x00=1", "\\x00=1"),
        ("plain", "plain"),
    ],
)
def test_text_that_could_act_as_a_formula_is_disarmed(text: str, cell: str) -> None:
    written = to_csv(pd.DataFrame({"error": [text]}))
    assert pd.read_csv(io.StringIO(written), keep_default_na=False)["error"].item() == cell


def test_negative_numbers_stay_analyse_study() -> None:
    assert to_csv(pd.DataFrame({"loss": [-1.5]})) == "loss\n-1.5\n"


def test_missing_text_is_an_empty_cell() -> None:
    frame = pd.DataFrame({"error": pd.Series([None, "x"], dtype="str")})
    assert to_csv(frame) == 'error\n""\nx\n'


def test_endless_text_is_cut() -> None:
    assert len(to_csv(pd.DataFrame({"error": ["x" * 100_000]}))) < 2_100
