"""Work that goes wrong on purpose, importable by workers, and cohorts to try it on.

A fault is work in place of `sweeps.worker.tasks.train`: it misbehaves for the trials whose learning
rate is `POISON` and trains the others.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from bpengine import Budget, Schedule, Trainer, default_numerics
from sweeps.data import registry as datasets
from sweeps.data.splits import Dataset, Preparation, Source
from sweeps.design.trials import Cohort, EngineConfiguration, settings_of
from sweeps.worker import train as worker
from sweeps.worker.tasks import Task, train
from sweeps.worker.train import Outcome, threads

if TYPE_CHECKING:
    import pytest

POISON = 0.666


def made(items: int = 60) -> Dataset:
    """Return a small dataset of two classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(items) % 2
    inputs = rng.normal(size=(items, 3)) + labels[:, np.newaxis]
    return Dataset(
        name="made",
        inputs=inputs,
        targets=np.eye(2)[labels],
        labels=labels,
        task="classification",
        classes=("a", "b"),
        feature_names=("x", "y", "z"),
        target_names=("class",),
        groups=np.full(3, -1),
        missing="",
        fingerprint="made-fingerprint",
    )


def configuration(**changes: Any) -> EngineConfiguration:
    """Return a small network on the small dataset."""
    values: dict[str, Any] = {
        "evaluate_test": False,
        "source": Source("made"),
        "fingerprint": "made-fingerprint",
        "task": "classification",
        "preparation": Preparation(0.2, 0.2, "standardise"),
        "train_items": 36,
        "widths": (3, 4, 2),
        "activation": "sigmoid",
        "output": "sigmoid",
        "initialiser": "glorot_uniform",
        "initial_scale": 1.0,
        "loss": "squared_error",
        "reduction": "mean",
        "metric": "accuracy",
        "optimizer": "sgd",
        "schedule": Schedule(),
        "growth": None,
        "batch_size": 8,
        "shards": 1,
        "local_updates": 1,
        "budget": Budget(epochs=3),
        "noise_examples": 0,
        "target": None,
        "patience": None,
        "divergence": 1e3,
        "dtype": "float32",
        "numerics": default_numerics(),
    }
    return EngineConfiguration(**values | changes)


def cohort(*rates: float, seeds: tuple[int, ...] = (1, 2), **changes: Any) -> Cohort:
    """Return a cohort of small networks."""
    settings = tuple(settings_of("sgd", rate, {}) for rate in rates)
    return Cohort(configuration(**changes), seeds, settings)


def stable(outcomes: list[Outcome]) -> list[tuple[Any, ...]]:
    """Return outcomes without what time determines, ready to be compared to the byte."""
    timed = {"train_seconds", "started", "ended"}
    return [
        tuple(
            value.tobytes() if isinstance(value, np.ndarray) else repr(value)
            for name, value in vars(outcome).items()
            if name not in timed
        )
        for outcome in outcomes
    ]


class CutError(Exception):
    """A worker's end, as far as its checkpoint is concerned."""


_RUN = Trainer.run


def cut_after(patch: pytest.MonkeyPatch, cuts: int) -> None:
    """Make the next training end after this many cuts, each of which keeps a checkpoint."""
    left = iter(range(cuts))

    def counted(trainer: Trainer, **keys: Any) -> None:
        if next(left, None) is None:
            raise CutError
        _RUN(trainer, **keys)

    patch.setattr(worker, "CUT_SECONDS", 0.0)
    patch.setattr(worker, "EVERY_SECONDS", 0.0)
    patch.setattr(Trainer, "run", counted)


def is_poisoned(task: Task) -> bool:
    """Return whether the task has a trial that misbehaves."""
    return any(dict(settings)["learning_rate"] == POISON for settings in task.cohort.settings)


def kill(task: Task) -> list[Outcome]:
    """Be killed, as for want of memory."""
    if is_poisoned(task):
        os.kill(os.getpid(), signal.SIGKILL)
    return train(task)


def crash(task: Task) -> list[Outcome]:
    """Read what is not ours."""
    if is_poisoned(task):
        ctypes.string_at(0)
    return train(task)


def leave(task: Task) -> list[Outcome]:
    """End the process without a word, as if all were well."""
    if is_poisoned(task):
        os._exit(0)
    return train(task)


def kill_in_company(task: Task) -> list[Outcome]:
    """Be killed wherever other tasks may run, but not apart: an innocent's fate."""
    if is_poisoned(task) and not task.apart:
        os.kill(os.getpid(), signal.SIGKILL)
    return train(task)


def kill_unless_apart(task: Task) -> list[Outcome]:
    """Be killed wherever other tasks may run, whatever the trials."""
    if not task.apart:
        os.kill(os.getpid(), signal.SIGKILL)
    return train(task)


def chatter(task: Task) -> list[Outcome]:
    """Print, as a library may."""
    os.write(1, b"noise\n")
    return train(task)


def hang(task: Task) -> list[Outcome]:
    """Never come back."""
    if is_poisoned(task):
        threading.Event().wait()
    return train(task)


def divide(task: Task) -> list[Outcome]:
    """Raise."""
    if is_poisoned(task):
        return [1 / 0]  # type: ignore[list-item]
    return train(task)


def recurse(task: Task) -> list[Outcome]:
    """Raise RecursionError."""
    return recurse(task) if is_poisoned(task) else train(task)


def exit_politely(task: Task) -> list[Outcome]:
    """Raise SystemExit."""
    if is_poisoned(task):
        sys.exit(3)
    return train(task)


def return_unpicklable(task: Task) -> Any:
    """Return what can't be sent."""
    return [lambda: None] if is_poisoned(task) else train(task)


class Unreadable:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how."""
        return _refuse, ()


def _refuse() -> NoReturn:
    raise ValueError("can't be unpickled")


def return_unreadable(task: Task) -> Any:
    """Return what can be sent but not read."""
    return [Unreadable()] if is_poisoned(task) else train(task)


class UnpicklableError(Exception):
    """An exception that can't be sent: its state can't."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.lock = threading.Lock()
        self.number = number


def raise_unpicklable(task: Task) -> list[Outcome]:
    """Raise what can't be sent."""
    if is_poisoned(task):
        raise UnpicklableError("can't be sent", 1)
    return train(task)


def jam(task: Task) -> list[Outcome]:
    """Die in the middle of sending a result, with the pipe's lock held."""
    if is_poisoned(task) and not task.apart:
        results = _local("result_queue")
        results._wlock.acquire()  # noqa: SLF001
        pipe = results._writer.fileno()  # noqa: SLF001
        os.write(pipe, (2**20).to_bytes(4, "big") + b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return train(task)


def _local(name: str) -> Any:
    frame = sys._getframe()  # noqa: SLF001
    while name not in frame.f_locals:
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_locals[name]


def dawdle(task: Task) -> list[Outcome]:
    """Take a while, and leave a mark on beginning."""
    Path(task.workspace.folder / f"began-{task.number}").touch()
    time.sleep(0.5)
    return train(task)


def hang_in_company(task: Task) -> list[Outcome]:
    """Never come back, but apart."""
    return train(task) if task.apart else hang(task)


def freeze(task: Task) -> list[Outcome]:
    """Be stopped, as by a debugger: not even a thread looks at the clock."""
    if is_poisoned(task):
        os.kill(os.getpid(), signal.SIGSTOP)
    return train(task)


def freeze_in_company(task: Task) -> list[Outcome]:
    """Be stopped, but apart."""
    return train(task) if task.apart else freeze(task)


def refuse_to_start(_parent: int) -> NoReturn:
    """Fail where a worker starts."""
    sys.exit(1)


def fail_to_start(_parent: int) -> NoReturn:
    """Raise where a worker starts."""
    raise RuntimeError("no way to start")


def refuse_file(**_keys: object) -> NoReturn:
    """Fail as where there is no folder for temporary files."""
    raise FileNotFoundError("No usable temporary directory found")


def load_made(task: Task) -> list[Outcome]:
    """Train where nobody has handed the dataset over."""
    datasets.load = lambda _source: made()  # type: ignore[assignment]
    return train(task)


def hang_a_second(task: Task) -> list[Outcome]:
    """Come back late."""
    time.sleep(1)
    return train(task)


def need_one_thread(task: Task) -> list[Outcome]:
    """Raise where BLAS has several threads."""
    counts = {
        library["num_threads"] for library in threads().info() if library["user_api"] == "blas"
    }
    assert counts == {1}
    return train(task)
