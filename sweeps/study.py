"""The public face of a study: state it, plan it, run it, look at its results."""

from __future__ import annotations

import html
import inspect
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sweeps.data.in_memory import InMemory, in_memory
from sweeps.data.trainer_code import name_of_function
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.errors import counted
from sweeps.spec import StudySpecification, given, named_data, toml_value
from sweeps.spec.load import folder_of, read_target, with_settings, write_study

if TYPE_CHECKING:
    import pandas as pd

    from reports.output.interactive import Results
    from reports.schema import StudyResults
    from sweeps.manage.forecast import Forecast


def answering(results: StudyResults) -> Results:
    """Return results that can be asked what they say."""
    from reports.output.interactive import Results

    return Results.of(results)


def results(folder: str | os.PathLike[str]) -> Results:
    """Return the results that a study's folder holds, complete or not.

    Args:
        folder: The study's folder; a run may be writing to it meanwhile.

    Raises:
        StoreError: There is no study in it.
    """
    from sweeps.store import results as stored_results

    return answering(stored_results(folder))


def recommend(
    data: object = None,
    target: str | Sequence[str] = (),
    *,
    trainer: str = "",
    minutes: float = 1.0,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    **parameters: Any,  # noqa: ANN401
) -> Results:
    """Run a short study of data or a trainer, as `bpsweep recommend` does; return its results.

    Args:
        data: A dataset's name, a file, `(X, y)`, or a DataFrame.
        target: Column of the file or the frame to learn; several are a regression.
        trainer: In place of data, a function that trains, such as "train.py:train".
        minutes: The time there is.
        folder: The study's folder; by default it is named after the data.
        n_jobs: Worker processes; by default as many as there are cores, 1 for a trainer.
        **parameters: Of the data, such as `ignore=["name"]`, or keys of a trainer's study.

    Returns:
        Results with the answer as `.recommendation`.

    Raises:
        UserError: What the user can mend; every trial that had ended is kept.

    Example:
        >>> results = recommend("iris", minutes=0.5, folder=getfixture("tmp_path") / "iris")
        >>> results.recommendation.batch_size in results.description.groups[0].batch_sizes
        True
    """
    from sweeps.advise.adaptive import TimeBudget, advise
    from sweeps.advise.request import request_of, request_of_trainer

    budget = TimeBudget(60 * minutes, time.monotonic())
    targets: Sequence[str] = [target] if isinstance(target, str) else [*target]
    out = None if folder is None else Path(folder)
    settings = [f"{name}={toml_value(value)}" for name, value in _plain(parameters).items()]
    if trainer:
        request = request_of_trainer(trainer, minutes, out, n_jobs or 1, settings)
    else:
        if (kept := in_memory(data, targets)) is not None:
            out = out or Path("data-recommendation")
            data, targets = out / kept.kept(out)["path"], kept.targets
        asked = (str(data), targets, minutes, out, n_jobs or -1)
        request = request_of(*asked, started=budget.started, settings=settings)
    advise(request, budget)
    return results(request.folder)


def analyze(
    runs: pd.DataFrame | str | os.PathLike[str] | Sequence[str],
    *,
    by: Sequence[str] = (),
    scale_with: str = "",
    maximize: bool | None = None,
    target: float | None = None,
    margin: float | None = None,
    unit: str = "examples",
    examples_per_item: float = 1.0,
    seconds_per_update: Mapping[int, float] | None = None,
    **columns: str,
) -> Results:
    """Return what finished runs of any program show, as `bpsweep analyze` does.

    Args:
        runs: One row a run or an evaluation: a table, its file, or files with a run each.
        by: Columns whose values make configurations.
        scale_with: One of them, of numbers, that optimum and critical batch size are to follow.
        maximize: Whether more of the metric is better; by default what its name says.
        target: Level of the metric to which updates are measured.
        margin: Loss of the metric that is accepted.
        unit: What examples are called, such as "tokens".
        examples_per_item: How many of that unit the batch size counts as one.
        seconds_per_update: Seconds of an update by batch size, where the runs don't say.
        **columns: Columns by role, such as `batch_size="bs"`, `learning_rate="lr"`, `seed`,
            `updates`, `examples`, `seconds`, `loss`, `metric`, `steps`, `reached`, `run`; others
            are guessed from their names.

    Returns:
        Results; what was made of the table is in `.description.groups[0].notes`.

    Raises:
        UserError: The table can't be read so, with every obstacle.

    Example:
        >>> import pandas as pd
        >>> steps = [1350, 412.5, 178.125, 119.53125]
        >>> runs = pd.DataFrame({"batch_size": [8, 32, 128, 512], "steps_to_target": steps})
        >>> round(analyze(runs).analysis.groups[0].scaling.main.fit.critical_batch_size)
        100
    """
    from reports.runs.roles import Choice
    from sweeps.manage.run_tables import analyze_runs

    if isinstance(runs, str | os.PathLike):
        runs = [os.fspath(runs)]
    choice = Choice(columns, [by] if isinstance(by, str) else [*by], scale_with, maximize)
    results, _ = analyze_runs(
        runs,
        choice,
        seconds_per_update,
        target=target,
        margin=margin,
        unit=unit,
        examples_per_item=examples_per_item,
    )
    return answering(results)


class Study:
    """One specification, checked.

    Args:
        name: The study's name.
        **keys: The other keys of a specification, as in TOML: one value, or a list of them, NumPy's
            arrays too; see `docs/specification.md`. Paths of files are relative to the working
            directory. `dataset` may be data in memory: `(X, y)`, or a DataFrame with
            `target="COLUMN"`; the study's folder then keeps them, and a specification with them.
            `trainer` may be a function of a file.

    Attributes:
        experiment: The specification with the facts of its data.

    Raises:
        SpecificationError: With every mistake there is.
        UsageError: The dataset is of another kind.

    Example:
        >>> study = Study("quick", dataset="iris", batch_sizes=[5, 50], learning_rates=[0.5, 2.0],
        ...               optimizer=["sgd", "momentum"], seeds=[1, 2], epochs=5)
        >>> study
        <Study quick on iris: 2 groups, 8 cells x 2 seeds = 16 trials>
        >>> [group.label for group in study.experiment.groups]
        ['sgd', 'momentum']
        >>> X, y = [[n % 7, n % 5] for n in range(100)], [n % 2 for n in range(100)]
        >>> Study(dataset=(X, y), batch_sizes=[5, 10], learning_rates=0.1, seeds=[1], epochs=1)
        <Study study on data.npz: 1 group, 2 cells x 1 seed = 2 trials>
    """

    _data: InMemory | None = None  # that a program has handed over

    __signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=field.default)
            for name, field in StudySpecification.model_fields.items()
        ]
    )

    def __init__(self, name: str = "study", **keys: Any) -> None:  # noqa: ANN401
        self._data = in_memory(keys.get("dataset", ""), keys.get("target"))
        if callable(trainer := keys.get("trainer")):
            keys["trainer"] = name_of_function(trainer)
        self._keys: dict[str, Any] = {"name": name, **_plain(keys)}
        if self._data is None:
            self.experiment = experiment_of(self._keys, "the study", Path())
            return
        if self._data.targets:
            self._keys.pop("target", None)
        until_it_runs = tempfile.mkdtemp(prefix="bpsweep-")
        weakref.finalize(self, shutil.rmtree, until_it_runs, ignore_errors=True)
        self.experiment = self._kept_in(Path(until_it_runs))

    def _kept_in(self, folder: Path) -> Experiment:
        """Return the experiment with the data in a folder, if a program has handed them over."""
        if self._data is None:
            return self.experiment
        keys = self._keys | {"dataset": self._data.kept(folder)}
        return experiment_of(keys, "the study", folder)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        r"""Return the study that a TOML file specifies.

        Args:
            path: The file; its name is the default of the study's.

        Raises:
            UsageError: The file can't be read.
            SpecificationError: With every mistake there is.

        Example:
            >>> path = Path(getfixture("tmp_path")) / "tiny.toml"
            >>> _ = path.write_text("dataset = 'iris'\nbatch_sizes = 10\nlearning_rates = 0.5\n"
            ...                     "seeds = 1\nepochs = 1\n")
            >>> Study.from_toml(path)
            <Study tiny on iris: 1 group, 1 cell x 1 seed = 1 trial>
        """
        return cls.from_target(os.fspath(path))

    @classmethod
    def from_target(cls, target: str, settings: Sequence[str] = ()) -> Self:
        """Return a study by what a user calls it: the name of one that ships, or a TOML file.

        Args:
            target: Name or path.
            settings: Keys to be replaced, such as `epochs=5`.

        Raises:
            UsageError: There is no such study or file.
            SpecificationError: With every mistake there is.
        """
        source, keys = read_target(target)
        study = cls.__new__(cls)
        study.experiment = experiment_of(with_settings(keys, settings), source, folder_of(target))
        return study

    @classmethod
    def from_data(
        cls,
        data: str,
        targets: Sequence[str] = (),
        parameters: Sequence[str] = (),
        settings: Sequence[str] = (),
    ) -> Self:
        """Return a study of data: batch sizes, learning rates and a network that suit most.

        Args:
            data: A dataset's name, or a file.
            targets: Columns of the file to learn.
            parameters: Other parameters of the data, such as `missing="mean"`.
            settings: Keys of the study to be replaced, such as `epochs=5`.

        Raises:
            SpecificationError: With every mistake there is.

        Example:
            >>> Study.from_data("iris", settings=["epochs=5", "confirmation_seeds=[]"])
            <Study iris on iris: 1 group, 35 cells x 5 seeds = 175 trials>
        """
        from sweeps.advise.request import keys_for, name_of

        named = named_data("run", data, targets, parameters).written(Path())
        keys = with_settings({"name": name_of(data)} | keys_for(named), settings)
        study = cls.__new__(cls)
        study.experiment = experiment_of(keys, "--set" if settings else data, Path())
        return study

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> Self:
        """Return the study that a folder holds: to run again what failed, from the store alone.

        Args:
            folder: Where the study has run.

        Raises:
            StoreError: There is no study, or its store can't be used.
            UsageError: Its data are files, whose places a store does not hold.
            SpecificationError: It can't be carried out here.
        """
        from sweeps.store import stored_experiment

        study = cls.__new__(cls)
        study.experiment = stored_experiment(Path(folder))
        return study

    @property
    def specification(self) -> StudySpecification:
        """What the study tries, on which data, with which budget."""
        return self.experiment.specification

    def plan(
        self, folder: str | os.PathLike[str] | None = None, *, n_jobs: int | None = None
    ) -> Forecast:
        """Return what a run will do: counts, predicted times, memory.

        Args:
            folder: The study's folder, if it has run before.
            n_jobs: Worker processes; -1, and for bpsweep's own network the default, for as many as
                there are cores; for a trainer the default is 1.

        Raises:
            UserError: The number of jobs is none, or the folder's store can't be used.

        Example:
            >>> Study.from_target("digits").plan(n_jobs=2).trials
            440
        """
        from sweeps.manage.forecast import forecast
        from sweeps.run import jobs_of

        jobs = jobs_of("loky", self._jobs(n_jobs), None)
        return forecast(self.experiment, jobs, None if folder is None else Path(folder))

    def run(
        self,
        folder: str | os.PathLike[str],
        *,
        n_jobs: int | None = None,
        backend: str = "loky",
        scheduler: str | None = None,
        resources: Mapping[str, float] | None = None,
        timing: bool = True,
        watch: bool = False,
        accept_code: bool = False,
        check_repeat: bool = False,
    ) -> Results:
        """Run what is missing of the study and return everything.

        Args:
            folder: The study's folder, new or holding this study already.
            n_jobs: Worker processes; -1, and for bpsweep's own network the default, for as many as
                there are cores; for a trainer the default is 1.
            backend: Where they run; see `docs/running.md`. Results don't depend on it.
            scheduler: Address of a Dask scheduler, for the backend "dask".
            resources: What a trial takes of a Dask worker's, such as `{"GPU": 1}`.
            timing: Whether times are measured in the end, if the specification wants them.
            watch: Whether the report is written from time to time while trials run.
            accept_code: Whether trials count that ran before a trainer's code was changed.
            check_repeat: Whether a trial is run again in the end: does a seed fix its result?

        Raises:
            UserError: What the user can mend; every trial that had ended is kept.
            KeyboardInterrupt: An end was asked for, by Ctrl-C or SIGTERM; every trial that had
                ended is kept.

        Example:
            >>> study = Study(dataset="iris", batch_sizes=[5, 50], learning_rates=[0.5, 2.0],
            ...               seeds=[1, 2], epochs=1, extensions=0, timing=False)
            >>> results = study.run(getfixture("tmp_path") / "study", n_jobs=1)
            >>> results.trials["status"].tolist() == ["ok"] * 8
            True
        """
        from sweeps.run import jobs_of, run_study

        self.take_code(Path(folder), changed=accept_code)
        experiment = self._kept_in(Path(folder))
        if self._data is not None:
            write_study(Path(folder), given(experiment.specification), "A program's study.")
        ran = run_study(
            experiment,
            Path(folder),
            jobs_of(backend, self._jobs(n_jobs), scheduler),
            backend=backend,
            scheduler=scheduler,
            resources=resources,
            timing=timing,
            watch=watch,
            check_repeat=check_repeat,
        )
        return answering(ran)

    def take_code(self, folder: Path, *, changed: bool = False) -> bool:
        """Count a trainer's code as that of a folder's trials, `changed` or not; False if it isn't.

        Args:
            folder: The study's folder.
            changed: Whether it may have changed since they ran.
        """
        from sweeps.store.study_results import with_code_of

        experiment = with_code_of(folder, self.experiment, changed=changed)
        self.experiment = experiment or self.experiment
        return experiment is not None

    def _jobs(self, jobs: int | None) -> int:
        """Return how many workers to start: a trainer may need the whole machine for itself."""
        every = 1 if self.specification.trainer else -1
        return every if jobs is None else jobs

    def summary(self) -> str:
        """Return what is tried and how often, in one line."""
        experiment = self.experiment
        names = dict.fromkeys(facts.source.name for facts in experiment.data.values())
        return (
            f"{self.specification.name} on {', '.join(names)}: "
            f"{counted(len(experiment.groups), 'group')}, {_trials(experiment)}"
        )

    def __repr__(self) -> str:
        return f"<Study {self.summary()}>"

    def _repr_html_(self) -> str:
        """Return the study as a notebook shows it: a sentence and what is not at its default."""
        rows = "".join(
            f"<tr><td><code>{html.escape(key)}</code></td>"
            f"<td><code>{html.escape(toml_value(value))}</code></td></tr>"
            for key, value in given(self.specification).items()
        )
        return f"<p>{html.escape(self.summary())}</p><table>{rows}</table>"


def _plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys with lists and numbers of Python's in place of NumPy's."""
    return {
        key: value.tolist() if hasattr(value, "tolist") else value for key, value in keys.items()
    }


def _trials(experiment: Experiment) -> str:
    specification = experiment.specification
    seeds = len(specification.seeds) if specification.explore else 0
    fresh = len(specification.confirmation_seeds)
    sizes, cells = len(experiment.grid), sum(map(len, experiment.grid.values()))
    explored = (
        f"{counted(cells, 'cell')} x {counted(seeds, 'seed')} = {counted(cells * seeds, 'trial')}"
    )
    confirmed = f"{sizes} x {fresh} = {sizes * fresh} to confirm"
    return ", then ".join(text for text, count in ((explored, seeds), (confirmed, fresh)) if count)
