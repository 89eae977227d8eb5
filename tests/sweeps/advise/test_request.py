"""What is asked for: checked, every mistake at once."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from refused import states

from sweeps.advise import request as request_module
from sweeps.advise.request import Request, name_of, request_of
from sweeps.errors import SpecificationError, UsageError


def asked(*arguments: Any, **settings: Any) -> Request:
    return request_of(*arguments, started=time.monotonic(), **settings)


def mistakes(*arguments: object) -> list[str]:
    with pytest.raises(SpecificationError) as caught:
        asked(*arguments)
    return str(caught.value).splitlines()


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my data.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(50)))
    return path


def test_a_busy_machine_refuses_before_data_are_read(table: Path) -> None:
    waited = time.monotonic() - 9 * time.process_time()
    with pytest.raises(UsageError, match="too few for a report") as refused:
        request_of(table.name, ["y"], 1, None, 1, started=waited)
    (option,) = refused.value.options
    assert float(option.removeprefix("--minutes=")) > 1
    assert request_of(table.name, ["y"], 1, None, 1, started=time.monotonic()).name == "my-data"


def test_a_file_that_takes_longer_to_read_than_there_is_time_is_refused_unread(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_module, "READ_BYTES", table.stat().st_size / 60)
    with pytest.raises(UsageError, match="1 minutes are too few"):
        asked(table.name, ["y"], 1, None, 1)
    assert asked(table.name, ["y"], 2, None, 1).sample == 0


def test_a_name_is_a_dataset() -> None:
    request = asked("iris", [], 1, None, 2)
    assert (request.dataset, request.name, request.jobs) == ("iris", "iris", 2)
    assert request.folder == Path("iris-recommendation")


def test_a_file_is_named_from_the_folder(table: Path) -> None:
    request = asked(table.name, ["y"], 1, Path("deep/out"), 1)
    assert request.dataset == {"path": "../../my data.csv", "target": "y"}
    assert request.name == "my-data"


def test_a_name_is_one_of_a_folder() -> None:
    assert name_of("in/my data.csv") == "my-data"
    assert name_of("openml:mnist_784@1") == "openml-mnist_784-1"


def test_a_large_file_is_sampled_by_its_minutes(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(table.name, ["y"], 1, None, 1).sample == 0
    monkeypatch.setattr(request_module, "LARGE_BYTES", 10)
    request = asked(table.name, ["y"], 0.5, None, 1)
    assert isinstance(request.dataset, dict)
    assert request.sampled_dataset == request.dataset | {"sample": 10_000}
    assert asked(table.name, ["y"], 1, None, 1, settings=["sample=5"]).sample == 0
    assert asked(table.name, ["y"], 11, None, 1).sample == 0


def test_more_minutes_go_on_with_the_sample_of_a_study(table: Path) -> None:
    request = asked(table.name, ["y"], 1, None, 1)
    assert isinstance(request.dataset, dict)
    assert request.is_of({"dataset": request.dataset | {"sample": 7}})
    assert not request.is_of({"dataset": request.dataset | {"target": "x"}})
    assert not request.is_of({"trainer": "train.py:train"})
    chosen = asked(table.name, ["y"], 1, None, 1, settings=["sample=5"])
    assert not chosen.is_of({"dataset": request.dataset | {"sample": 7}})
    assert asked("iris", [], 1, None, 1).is_of({"dataset": "iris"})


def test_every_mistake_is_reported_at_once() -> None:
    first, second = mistakes("iris", ["y"], -1, None, 1)
    states(first, "recommend: --minutes: ", "above 0", "is -1")
    states(second, "recommend: --target: ", "'iris'")
    (unknown,) = mistakes("irsi", ["y"], 1, None, 1)
    assert unknown.startswith("recommend: data: 'irsi' is not a dataset.")
    assert mistakes("iris", [], math.nan, None, 1)[0].startswith("recommend: --minutes")
    (missing,) = mistakes("none.csv", ["y"], 1, None, 1)
    assert missing.startswith("recommend: data: ")
    assert "none.csv" in missing
