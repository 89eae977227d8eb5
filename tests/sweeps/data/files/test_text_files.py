"""CSV: what is no table is refused with its line, what is one is read as it is written."""

from __future__ import annotations

import bz2
import encodings.aliases
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from peaks import peak_of
from refused import refusal, states

from sweeps.data.files import _columns, _rows
from sweeps.data.files import _text_files as text_files
from sweeps.data.registry import SourceError, load, read_source
from sweeps.data.splits import Dataset
from sweeps.errors import DataError


def zipped(content: bytes = b"", *names: str) -> bytes:
    """Return an archive that holds the content under each of these names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("a.csv",) * bool(content):
            archive.writestr(name, content)
    return stream.getvalue()


GOOD = "x,y\n" + "1,a\n2,b\n3,a\n" * 4

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads a CSV file of given content."""

    def read_it(content: str | bytes, **parameters: Any) -> Dataset:
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "my.csv").write_bytes(raw)
        given = {"path": "my.csv", "target": "y", **parameters}
        return load(read_source(given, folder=tmp_path))

    return read_it


def test_a_file_is_read_as_pandas_writes_it(read: Read) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "y"])
    dataset = read(frame.to_csv(index=False))
    np.testing.assert_array_equal(dataset.inputs, frame[["a", "b"]])
    np.testing.assert_array_equal(dataset.targets[:, 0], frame["y"])


HARD = (
    "0.3066101993807095471566981359501369297504425048828125",
    "1.00000000000000011102230246251565404236316680908203125",
    "7.0420557077594588669468784357561207962098443483187940792729600000e59",
    "9007199254740993.5",
    "2.2250738585072011e-290",
    "-12345.678901234567890123456789e-20",
    "8.98846567431158e+60",
    "  .1 ",
    "+5.",
    "6.0221407623e23",
)
"""Decimals that a reader gets wrong which multiplies powers of ten, or stops at 17 digits."""


def test_numbers_are_those_nearest_to_their_decimals_whoever_reads_them(read: Read) -> None:
    rows = [f"{number},{n / 7},{n}" for n, number in enumerate(HARD)]
    dataset = read("\n".join(["x,z,y", *rows]), task="regression")
    np.testing.assert_array_equal(dataset.inputs[:, 0], [float(number) for number in HARD])
    # Recorded once: neither another pandas nor another machine may give another one.
    assert dataset.fingerprint == "edfcd08b1053ec23cc5b753c0e59a742"
    decimals = np.random.default_rng(0).normal(size=(3000, 2)) * [1e-20, 1e10]
    written = [f"{x:.30e},{y:.25f},{n % 2}" for n, (x, y) in enumerate(decimals)]
    exact = [[float(cell) for cell in row.split(",")[:2]] for row in written]
    np.testing.assert_array_equal(read("\n".join(["x,z,y", *written])).inputs, exact)


def test_a_gap_or_another_spelling_does_not_change_the_numbers_of_a_column(read: Read) -> None:
    rows = [f"{number},{n % 2}" for n, number in enumerate(HARD[:4] * 2)]
    gaps = read("\n".join(["x,y", *rows, "NA,0", '"7",1']), missing="mean")
    np.testing.assert_array_equal(gaps.inputs[:8, 0], [float(number) for number in HARD[:4]] * 2)
    assert np.isnan(gaps.inputs[8, 0])
    assert gaps.inputs[9, 0] == 7


@pytest.mark.parametrize("cell", ["\u0661", "\uff11", "1_000", "0x10", "inf", "-Infinity", "True"])
def test_what_python_alone_takes_for_a_number_is_none(read: Read, cell: str) -> None:
    text = refusal(read, GOOD + f"{cell},a\n")
    states(text, "my.csv, column 'x'", f"{cell!r} in line 14 is not a number")
    targets = GOOD.replace("x,y", "y,x") + f"{cell},a\n"
    assert repr(cell) in refusal(read, targets)


def test_flags_are_numbers_with_a_gap_or_without(read: Read) -> None:
    rows = "True,a\nFALSE,b\n" * 3
    assert read(f"x,y\n{rows}").inputs[:2, 0].tolist() == [1, 0]
    gap = read(f"x,y\n{rows},a\n")
    assert gap.feature_names == ("x", "x is missing")
    assert gap.inputs[:2, 0].tolist() == [1, 0]


def test_columns_of_many_chunks_are_whole(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{n / 7},{'NA' if n == 17 else n},{'uvw'[n % 3]},{'ab'[n % 2]}" for n in range(40)]
    content = "\n".join(["x,n,c,y", *rows])
    whole = read(content, missing="mean").fingerprint
    load.cache_clear()
    monkeypatch.setattr(_columns, "_CELLS_AT_ONCE", 12)
    assert read(content, missing="mean").fingerprint == whole


def test_labels_are_read_as_they_are_written(read: Read) -> None:
    dataset = read("x,y\n" + "1,007\n2,NA\n3,7\n" * 3, task="classification")
    assert dataset.classes == ("007", "7")


@pytest.mark.parametrize(
    ("encoding", "python"), [("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("latin-1", "latin-1")]
)
def test_encodings_are_read(read: Read, encoding: str, python: str) -> None:
    dataset = read(GOOD.replace("b\n", "ü\n").encode(python), encoding=encoding)
    assert dataset.feature_names == ("x",)
    assert dataset.classes == ("a", "ü")


@pytest.mark.parametrize(
    ("header", "row", "read_as"),
    [
        ("x;y", "{n},5;{y}", ("semicolons", "decimal sign ','", "names in line 1")),
        ("x\ty", "{n}.5\t{y}", ("tabs", "decimal sign '.'")),
        ("x|y", "{n}.5|{y}", ("bars",)),
        ("  x   y", " {n}.5\t {y}  ", ("blanks",)),
        ("# x y", "{n}.5 {y}", ("blanks", "names in line 1, a comment")),
        ("x, y", "{n}.5, {y}", ("commas",)),
        ("'x','y'", "'{n}.5','{y}'", ("commas",)),
        ("sep=;\nx;y", "{n}.5;{y}", ("semicolons", "names in line 2")),
        ("# made by me\nReport,\n\nx,y", "{n}.5,{y}", ("names in line 4",)),
        (",x,y", "{n},{n}.5,{y}", ("commas", "no name", "left out")),
        ("Unnamed: 0,x,y", "r{n},{n}.5,{y}", ("no name", "left out")),
        ('"x" "y"', '"r{n}" {n}.5 "{y}"', ("blanks", "no name", "left out")),
        ("x,y,,", "{n}.5,{y},,", ("commas",)),
        ("  x  z\ty", '  {n}.5  1\t"{y}"', ("blanks",)),
        ("x,y", "{n}.5,{y},", ("commas",)),
    ],
)
def test_how_a_text_is_written_is_inferred(
    read: Read, header: str, row: str, read_as: tuple[str, ...]
) -> None:
    rows = [row.format(n=n, y="ab"[n % 2]) for n in range(8)]
    dataset = read("\n".join([header, *rows]))
    assert dataset.feature_names[0] == "x"
    assert dataset.inputs[:, 0].tolist() == [n + 0.5 for n in range(8)]
    assert dataset.classes == ("a", "b")
    states(dataset.notes[0], "Read as", "text in utf-8")
    states(" ".join(dataset.notes), *read_as)


@pytest.mark.parametrize("row", ["{n}.5,{m}", "{n}.5,u{m}", "u{m},{n}.5"])
def test_a_file_without_names_is_one(read: Read, row: str) -> None:
    rows = [row.format(n=n, m=n % 2) for n in range(8)]
    feature, target = ("column_2", "column_1") if row[0] == "u" else ("column_1", "column_2")
    dataset = read("\n".join(rows), target=target)
    assert dataset.feature_names == (feature,)
    assert len(dataset.inputs) == 8
    states(" ".join(dataset.notes), "no names: line 1 holds data")
    named = read("\n".join(rows), header="yes", target=rows[0].split(",")[row[0] != "u"])
    assert len(named.inputs) == 7


def test_a_header_with_numbers_is_one(read: Read) -> None:
    dataset = read("y,2001,2002\n" + "a,1,2\nb,2,3\n" * 4)
    assert dataset.feature_names == ("2001", "2002")


def test_what_is_said_is_not_inferred(read: Read) -> None:
    rows = "x;y,a;y\n" + "1,5;2;a\n2,5;3;b\n" * 4
    assert read(rows, separator=";", decimal=",", target="y").feature_names == ("x", "y,a")
    quotes = "x,y\n" + "1,'a\n2,'b\n" * 4
    assert read(quotes, quote="none").classes == ("'a", "'b")
    escapes = "x,y\n" + '1,"a \\"b, c"\n2,"b"\n' * 4
    assert read(escapes).classes == ('a "b, c', "b")
    headless = read("x,y\n" + "u,a\nv,b\n" * 4, header="no", target="column_2", rare="drop")
    assert headless.classes == ("a", "b")


def test_columns_without_names_get_one(read: Read) -> None:
    dataset = read("x,,y\n" + "1,2,a\n1,2,b\n" * 4)
    assert dataset.feature_names == ("x", "column_2")
    states(" ".join(dataset.notes), "Column 2 has no name", "column_2")
    kept = read(",x,y\n" + "1,1,a\n2,2,b\n3,3,a\n4,1,b\n" * 2, ignore="x")
    assert kept.feature_names == ("column_1",)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
def test_encodings_are_inferred(read: Read, encoding: str) -> None:
    text = "ü,y\n" + "1,ä\n2,b\n" * 2000 + "1,\x81\n" * 3 * (encoding == "latin-1")
    dataset = read(text.encode(encoding))
    assert dataset.feature_names == ("ü",)
    assert "ä" in dataset.classes
    states(" ".join(dataset.notes), encoding.removesuffix("-sig"))


PACKINGS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}


@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_text_is_unpacked(read: Read, packing: str) -> None:
    pack = PACKINGS[packing]
    plain = read(GOOD)
    packed = pack(GOOD.encode())
    assert read(packed).fingerprint == plain.fingerprint
    states(refusal(read, packed[:-20]), "my.csv is damaged")
    bomb = pack(GOOD.encode() + b"1,a\n" * 500_000)
    states(refusal(read, bomb, limit_gb=0.001), "unpacks to more than 0.001 GB", "limit_gb")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"PK\x03\x04..", "ZIP"),
        (b"\n <!DOCTYPE html><p>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x80\x04\x95", "pickle"),
        (gzip.compress(b"<html>", mtime=0), "HTML"),
        (gzip.compress(gzip.compress(b"x,y", mtime=0), mtime=0), "compressed twice"),
        (gzip.compress(bytes(257) + b"ustar", mtime=0), "tar"),
        (zipped(b"x", "a.npy"), ".npz"),
        (zipped(b"x", "a.csv", "b.csv"), "holds 2: 'a.csv', 'b.csv'"),
        (zipped(), "holds 0"),
    ],
)
def test_what_is_something_else_is_refused_as_what_it_is(
    read: Read, content: bytes, expected: str
) -> None:
    states(refusal(read, content), "my.csv", expected)


def test_a_large_file_is_sampled_by_class(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_columns, "MOST_EXAMPLES", 100)
    content = "x,y\n" + "".join(f"{n},{'b' if n % 10 else 'a'}\n" for n in range(1000))
    dataset = read(content)
    assert np.bincount(dataset.labels).tolist() == [10, 90]
    states(dataset.notes[0], "100 of 1,000 rows, sampled")
    load.cache_clear()
    assert read(content).fingerprint == dataset.fingerprint
    assert len(read(content, sample=300).inputs) == 300
    assert len(read(content, sample=2000).inputs) == 1000
    values = read(content, target="x", sample=50)
    assert values.task == "regression"
    assert len(np.unique(values.targets)) == 50
    late = content.replace("\n1,", "\nu,").replace("\n2,", "\nu,")
    states(refusal(read, late, sample=999, categorical=[]), "column 'x'", "in line 3")


def test_a_sample_fits_in_memory(read: Read) -> None:
    content = "x,y\n" + "1.5,a\n2.5,b\n" * 10_000
    states(read(content, limit_gb=0.001).notes[0], "7,812 of 20,000 rows")


def test_separators_and_decimal_commas_are_read(read: Read) -> None:
    dataset = read("x;y\n" + "1,5;2,25\n2,5;3\n" * 3, separator=";", decimal=",")
    assert dataset.inputs[:2, 0].tolist() == [1.5, 2.5]
    assert dataset.targets[:2, 0].tolist() == [2.25, 3]
    assert read("x;y\n" + "1,5;u,1\n2,5;v,1\n" * 3).classes == ("u,1", "v,1")


def test_a_gap_next_to_decimal_commas_is_one(read: Read) -> None:
    rows = "x;y\n" + "1,5;a\n;b\nNA;a\n2,5;b\n" * 3
    dataset = read(rows, separator=";", decimal=",", missing="mean")
    np.testing.assert_array_equal(dataset.inputs[:4, 0], [1.5, np.nan, np.nan, 2.5])


def test_line_breaks_and_blank_lines_do_not_disturb_line_numbers(read: Read) -> None:
    text = 'c,x,y\r\n"two\r\nlines",1,a\r\n\r\nu,2,b\r\n' * 1 + "u,3,a\r\nu,inf,b\r\n"
    states(refusal(read, text.replace("inf", "1e999")), "column 'x'", "inf in line 7")
    states(refusal(read, GOOD + '"1\n2",a\n'), "'1\\n2' in line 14")


def test_columns_named_as_categories_keep_their_texts(read: Read) -> None:
    dataset = read("zip,y\n" + "01,a\n1,b\n" * 4, categorical="zip")
    assert dataset.feature_names == ("zip=01", "zip=1")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\n\n", ("empty",)),
        ("x,y\n", ("no examples",)),
        ("y\n1\n", ("only one column: 'y'",)),
        ("x,y,x\n1,2,3\n", ("2 columns", "'x'")),
        (
            "x,y\n1,a\n1,b,2\n3\n",
            ("line 3: has 3 fields", "has 2: '1,b,2'", "line 4: has 1 field", "has 2: '3'"),
        ),
        # pandas would take the first column for an index, and each column for its neighbour.
        ("x,y\n1,2,a\n", ("line 2: has 3 fields", "has 2: '1,2,a'")),
        ("x,y\n1,2,a\n1,3,b\n", ("line 2: has 3 fields", "line 3: has 3 fields")),
        (GOOD + '4,"b\n5,a\n', ("line 14", "unexpected end of data")),
        (GOOD + '4,"b"b\n', ("line 14", "expected after '\"'")),
        (GOOD + "4," + "b" * 200_000, ("line 14", "field limit")),
        (GOOD + "4,\0\n", ("line 14", "NUL")),
        ("x,y\nä,b\n".encode() + b"1,\xe4\n", ("byte 11 is 0xe4", '`encoding = "cp1252"`')),
    ],
)
def test_what_is_no_table_is_refused(
    read: Read, content: str | bytes, expected: tuple[str, ...]
) -> None:
    states(refusal(read, content), "my.csv", *expected)


def test_too_many_columns_are_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rows, "MOST_COLUMNS", 2)
    states(refusal(read, "x,z,y\n1,2,a\n"), "3 columns, more than 2")


def test_missing_cells_are_told_with_their_lines(read: Read) -> None:
    states(
        refusal(read, GOOD + ",b\n", missing="refuse"),
        "1 value in 1 column",
        "'x' (1, first in line 14)",
    )


def test_a_file_too_large_as_an_array_is_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = ",".join(f"c{n}" for n in range(50)) + ",y\n" + ("1," * 50 + "a\n") * 30
    assert "more than the limit of 1e-05 GB" in refusal(read, wide, limit_gb=1e-5)
    monkeypatch.setattr(text_files, "MOST_LINE", 50)
    states(refusal(read, wide), "line 1", "endless")


def test_classes_that_are_too_many_are_refused_before_they_are_one_hot(read: Read) -> None:
    content = "x,y\n" + "".join(f"{n},c{n % 2000}\n" for n in range(6000))
    text, peak = peak_of(refusal, read, content, limit_gb=0.05)
    states(text, "6000 examples of 1 feature and 2000 outputs", "0.096 GB")
    # One-hot they would take 96 MB.
    assert peak < 10e6


def test_a_file_that_grows_too_large_is_refused_while_it_is_read(read: Read) -> None:
    content = "x,z,y\n" + ",,a\n" * 100_000
    text, peak = peak_of(refusal, read, content, limit_gb=0.004, sample=100_000)
    assert "more than the limit of 0.004 GB" in text
    assert peak < 40e6


@pytest.mark.parametrize("encoding", sorted({*encodings.aliases.aliases.values()}))
def test_every_encoding_reads_or_refuses(read: Read, encoding: str) -> None:
    for content in (b"x,y\n1,\xff\xfe\x81", GOOD.encode()):
        with suppress(DataError, SourceError):
            read(content, encoding=encoding)
