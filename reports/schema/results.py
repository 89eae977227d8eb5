"""The tables a report is made from: their columns, units and meanings, checked.

Nothing but a `StudyResults` crosses the border from the sweep to the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Self

import pandas as pd

from reports.schema.formats import plural, visible
from reports.schema.outcomes import CELL, count_outcomes

EXPLORE = "explore"  # stage that tries every learning rate; its test metrics are never computed
EXTEND = "extend"
"""Stage that tries further rates where the best lay at the edge; to a report it is exploration."""
CONFIRM = "confirm"
"""Stage that repeats the selected learning rates on fresh seeds and computes test metrics."""
BRANCH = "branch"
"""Stage that continues a tuned run from several points with larger batches; it judges nothing."""
REFINE = "refine"
"""Stage that adds fresh seeds to the confirmed rates; to a report it is confirmation."""

TARGET = "target"
"""Stage that repeats on fresh seeds the rates that reach the target soonest, where these differ."""

TUNING_STAGES = (EXPLORE, EXTEND)  # stages whose validation metric selects a learning rate
FRESH_STAGES = (CONFIRM, REFINE)
"""Stages whose seeds selected nothing; only their test metrics are computed."""

CLASSIFICATION, REGRESSION = "classification", "regression"  # the tasks

HALVED = 6
"""Seeds of a finished table from which on half of them choose and half of them judge."""

FEWEST_TO_SHOW = 5  # with fewer common seeds no size is shown to be near-optimal

TENSOR = "tensor"  # engine that processes a batch by tensor operations
PER_ITEM = "per-item"  # engine that iterates over the items of a batch
ONE_PIECE = "one-piece"  # tensor operations on the whole batch, beside those on its shards


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    dtype: str  # the one that pandas must give it
    unit: str  # "" for names and identifiers
    meaning: str  # one sentence for the reader of the table
    volatile: bool = False  # whether two runs of the same study may differ in it: times do


GROUP = Column("group", "str", "", "What it belongs to: all but batch size, rate and seed.")
BATCH_SIZE = Column("batch_size", "int64", "examples", "Examples of one update.")
SEED = Column("seed", "int64", "", "Seed of split, initial weights and order.")
_VALUES = (
    Column("train_loss", "float64", "per example", "Mean loss over the training set."),
    Column("train_metric", "float64", "", "Metric over the training set."),
    Column("validation_loss", "float64", "per example", "Mean loss over the validation set."),
    Column("validation_metric", "float64", "", "Metric over the validation set."),
)

TRIAL_COLUMNS = (
    Column("trial", "str", "", "Content hash of everything that determines the trial's result."),
    GROUP,
    Column(
        "stage",
        "str",
        "",
        "explore: all rates; extend: further ones; on fresh seeds confirm, refine: selected ones; "
        "target: those that reach the target soonest; branch: runs continued with larger batches.",
    ),
    Column("dataset", "str", "", "Name of the dataset."),
    Column("architecture", "str", "", "Layer widths, inputs first, without the bias units."),
    Column("optimizer", "str", "", "Update rule."),
    Column("activation", "str", "", "Activation of the hidden layers."),
    Column("loss", "str", "", "Loss of an example."),
    Column("reduction", "str", "", "How a batch's losses become its error: sum or mean."),
    Column("hyperparameters", "str", "", "Settings of the optimizer, such as momentum=0.9."),
    Column("schedule", "str", "", "How the learning rate changes during training."),
    Column("shards", "int64", "", "Parts of a batch whose gradients are computed apart."),
    Column("local_updates", "int64", "updates", "Updates of a shard between two averagings."),
    BATCH_SIZE,
    Column("learning_rate", "float64", "", "Factor of the gradient in an update."),
    SEED,
    Column("status", "str", "", "ok, diverged, or why there is no result."),
    Column("diverged_at_update", "Int64", "updates", "Update at which it diverged."),
    Column("stopped_at_update", "Int64", "updates", "Update after which it was stopped early."),
    Column("updates", "int64", "updates", "Updates made, to the trial's own end."),
    Column("examples", "int64", "examples", "Examples processed, to the trial's own end."),
    Column("judged_at_update", "Int64", "updates", "Update of the values: the last, or the best."),
    *_VALUES,
    Column("test_loss", "float64", "per example", "Mean loss over the test set; fresh seeds only."),
    Column("test_metric", "float64", "", "Metric over the test set; fresh seeds only."),
    Column("sharpness", "float64", "%", "By how much the loss may grow in a small box, if asked."),
    Column("top_eigenvalue", "float64", "", "Largest of the loss's Hessian, if asked for."),
    Column("error", "str", "", "What went wrong, for trials without a result."),
    Column("train_seconds", "float64", "s", "The trial's share of its cohort's time.", True),
    Column("started", "float64", "s since 1970", "When its cohort began (UTC), if known.", True),
    Column("ended", "float64", "s since 1970", "When its cohort ended, too.", True),
)

CURVE_COLUMNS = (
    Column("trial", "str", "", "The trial's content hash."),
    Column("examples", "int64", "examples", "Examples processed before the evaluation."),
    Column("updates", "int64", "updates", "Updates made before the evaluation."),
    *_VALUES,
    Column("gradient_trace", "float64", "", "Trace of the covariance of the examples' gradients."),
    Column("gradient_squared_norm", "float64", "", "Squared norm of the true gradient, unbiased."),
    Column("curvature_trace", "float64", "", "tr(H Sigma): the Hessian times that covariance."),
    Column("gradient_curvature", "float64", "", "G'HG: curvature along the true gradient G."),
    Column("geometry_trace", "float64", "", "tr(P Sigma): the optimizer's scaling, and Sigma."),
    Column("geometry_squared_norm", "float64", "", "G'PG: squared norm in its geometry."),
    Column("branch_at", "float64", "examples", "Where a branch left the run, if it is of one."),
    Column("branch_batch_size", "float64", "examples", "Batch size of the branch."),
)

RUN_COLUMNS = (
    GROUP,
    BATCH_SIZE,
    Column("learning_rate", "float64", "", "Factor of the gradient in an update; if known."),
    SEED,
    Column("status", "str", "", "ok, diverged, or what became of it."),
    Column("metric", "float64", "", "What is judged, larger is better; missing if it diverged."),
    Column("loss", "float64", "", "Loss on the same data, if known."),
    Column("updates", "int64", "updates", "Updates made; 0 if not known."),
    Column("examples", "int64", "examples", "Examples processed; 0 if not known."),
    Column("seconds", "float64", "s", "Time of training, if known."),
    Column("steps", "float64", "updates", "Updates to a target, or made without reaching it."),
    Column("reached", "bool", "", "Whether the run reached the target."),
)
"""A run of somebody else's; its label is the table's index."""
EVALUATION_COLUMNS = (
    Column("run", "int64", "", "Label of the run."),
    *RUN_COLUMNS[5:9],
)

STEP_COLUMNS = (
    GROUP,
    BATCH_SIZE,
    Column("learning_rate", "float64", "", "Factor of the gradient in an update."),
    SEED,
    Column("updates", "float64", "updates", "Updates to the target; made, if it was missed."),
    Column("reached", "bool", "", "Whether the run reached the target."),
)

TIMING_COLUMNS = (
    Column("group", "str", "", "What was timed: all but batch size, rate and seed."),
    Column("engine", "str", "", "tensor, per-item, or one-piece: tensor without the shards."),
    Column("lanes", "int64", "", "Networks updated at once: 1, or as many as a full cohort has."),
    BATCH_SIZE,
    Column("round", "int64", "", "Number of the measurement round, from 0."),
    Column("updates", "int64", "updates", "Updates timed, once for all lanes of a cohort.", True),
    Column("wall_seconds", "float64", "s", "Wall time of the round.", volatile=True),
    Column("cpu_seconds", "float64", "s", "Processor time of the round.", volatile=True),
    Column("started", "float64", "s since 1970", "When it began (UTC), if known.", True),
)


@dataclass(frozen=True)
class GroupDescription:
    """One family of cells: everything but batch size, learning rate and seed.

    What isn't known is empty or 0: of runs that ended elsewhere, often all but the grid.
    """

    #: A label unique in the study, made of what differs between its groups, such as "digits,
    #: adam"; the study's name if there is one group.
    group: str
    metric: str  #: What the columns ending in `_metric` hold, such as "accuracy" or "R2".
    batch_sizes: tuple[int, ...]  #: Batch sizes tried.
    learning_rates: tuple[float, ...]  #: Learning rates tried in the explore stage.
    trainer: str = ""  #: The user's function that trains; "" for bpsweep's own network.
    dataset: str = ""  #: The dataset's name.
    fingerprint: str = ""  #: Content hash of the data.
    task: str = ""  #: "classification" or "regression".
    train_items: int = 0  #: Examples of the training set.
    validation_items: int = 0  #: Examples of the validation set.
    test_items: int = 0  #: Examples of the test set.
    features: int = 0  #: Inputs of the network, without the bias.
    outputs: int = 0  #: Outputs of the network.
    #: Names of the targets of a regression; of a classification, its classes.
    target_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  #: What was found in or done to the data, a sentence each.
    hidden_layers: tuple[int, ...] = ()  #: Units of each hidden layer, without the bias units.
    activation: str = ""  #: Activation of the hidden layers.
    output: str = ""  #: Activation of the output layer.
    loss: str = ""  #: Loss of one example.
    reduction: str = ""  #: How a batch's losses become its error: "sum" or "mean".
    optimizer: str = ""  #: Update rule.
    #: The optimizer's settings besides the learning rate, by name.
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    schedule: str = ""  #: How the learning rate changes during training; "" if it doesn't.
    rate_rule: str = "none"  #: How learning rates follow the batch size: "linear", "sqrt", "adam".
    shards: int = 1  #: Parts of a batch whose gradients are computed apart.
    local_updates: int = 1  #: Updates that a shard makes between two averagings.
    #: What every trial may use, to be read after "for": "20 epochs", "5,000 updates".
    budget: str = ""
    #: Passes over the training set, where the budget fixes them for all batch sizes.
    epochs: float | None = None
    #: By seed, the standard deviation over the training set of each target in its own unit, by
    #: which a regression's targets were divided; empty if they weren't or it isn't known.
    target_scales: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    #: Seed of the one split that all trials share; None if each seed has its own.
    split_seed: int | None = None
    #: Bytes of a gradient: parameters by the bytes of one; None if not known.
    gradient_bytes: int | None = None
    #: Batch size at which the optimizer keeps the shares that `hyperparameters` say, its half-life
    #: in examples being the same at all others; None if it keeps them at every update.
    memory_reference: int | None = None
    #: Batch size with the weight decay that `hyperparameters` say; at others it decays over the
    #: same examples. None if it is the same at all sizes.
    decay_reference: int | None = None
    growth: str = ""  #: How batches grow along training; "" if they don't.
    #: Of a classification, the share of its most frequent class; None if not known.
    most_frequent: float | None = None
    #: Log loss or MAE of the best constant prediction; None if not known.
    constant_loss: float | None = None
    #: Updates of the whole budget by batch size; empty if time ends it, and nobody knows how
    #: many there will be.
    budget_updates: Mapping[int, int] = field(default_factory=dict)
    #: Examples of the whole budget, too.
    budget_examples: Mapping[int, int] = field(default_factory=dict)
    #: Fresh seeds of a batch size beyond those of the confirm stage, so far.
    refinement_seeds: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    #: Other settings that are not at their default, such as "dropout=0.1"; "" for none.
    further: str = ""
    #: Names of hyperparameters that are the share of the past kept at an update.
    memories: tuple[str, ...] = ()
    #: Value of the column that the optimum is to follow, such as the data's size.
    scale: float | None = None

    @property
    def subject(self) -> str:
        """What the trials are of: the dataset, or a trainer, which has data of its own."""
        return self.trainer or self.dataset

    @property
    def architecture(self) -> str:
        """Layer widths, as in the trials' column of that name; "" if they aren't known."""
        if not self.features:
            return ""
        return "-".join(map(str, (self.features, *self.hidden_layers, self.outputs)))


@dataclass(frozen=True)
class Cluster:
    """Workers that are simulated, and what joins them."""

    latency: float  #: Seconds until a message of no bytes arrives, at least 0.
    bandwidth: float  #: Bytes a second, above 0.
    combine: str  #: Name in `reports.stats.models.simulated_workers.COMBINE`.
    workers: tuple[int, ...]  #: Numbers of workers, each at least 1.


@dataclass(frozen=True)
class StudyDescription:
    """What was planned, and where it ran.

    Raises:
        ValueError: There is no group, or two have the same label.
    """

    name: str  #: The study's name, as in its specification.
    title: str  #: One line for the head of the page.
    #: Its families of cells, at least one, in the order of the report.
    groups: tuple[GroupDescription, ...] = (GroupDescription("all runs", "", (), ()),)
    seeds: tuple[int, ...] = ()  #: Seeds of the explore stage.
    #: Seeds of the confirm stage; empty if it is switched off.
    confirmation_seeds: tuple[int, ...] = ()
    planned_trials: int = 0  #: Trials of all stages together, as far as is known.
    sweep_seconds: float = 0.0  #: Wall time spent on trials, over all sessions; volatile.
    jobs: int = 0  #: Worker processes of the last session that ran trials; volatile.
    specification: str = ""  #: The specification in full, as TOML.
    #: Versions, processor, BLAS and threads, by name; volatile.
    provenance: Mapping[str, str] = field(default_factory=dict)
    #: Workers for which the time to a target is simulated; None for none.
    cluster: Cluster | None = None
    #: Share of the loss by which a branch may be worse than its run; None without branches.
    branch_tolerance: float | None = None
    claims: bool = False  #: Whether the report judges the claims of the source paper.
    #: Validation metric to which updates and time are measured; None for levels that the report
    #: sets from the tuning seeds.
    target_metric: float | None = None
    target_loss: float | None = None  #: Validation loss to which they are, in place of a metric.
    aside: int = 0  #: Trials that its folder keeps of what the study was before; volatile.
    #: Loss of the metric that is accepted; None for that of the metric.
    margin: float | None = None
    #: Whether it is a table of runs that ended elsewhere, of which no more can be run.
    finished: bool = False
    scale_name: str = ""  #: What `scale` of a group is.
    unit: str = "examples"  #: What examples are called where they are counted, such as "tokens".
    unit_size: float = 1.0  #: How many of `unit` one example is.

    @property
    def has_optima(self) -> bool:
        """Whether the report says where the best batch size of each configuration lies."""
        return self.finished or bool(self.scale_name)

    def __post_init__(self) -> None:
        """Check that groups can be distinguished."""
        labels = [group.group for group in self.groups]
        if not labels or len(set(labels)) < len(labels):
            raise ValueError(f"Groups must be one or more, with labels of their own; got {labels}.")

    @cached_property
    def tuning_seeds(self) -> pd.Series[int]:
        """How many seeds tune the rates of a batch size, by group and batch size."""
        # Of a finished table, nothing is to come.
        planned = 0 if self.finished else len(self.seeds)
        return self._by_size(lambda _plan, _size: planned)

    @cached_property
    def fresh_seeds(self) -> pd.Series[int]:
        """How many fresh seeds judge a batch size, as far as is known, by group and batch size."""
        confirming = len(self.confirmation_seeds)
        return self._by_size(
            lambda plan, size: confirming + len(plan.refinement_seeds.get(size, ()))
        )

    @cached_property
    def target_seeds(self) -> pd.Series[int]:
        """How many fresh seeds a rate tuned for the target has, by group and batch size."""
        return self._by_size(lambda _plan, _size: len(self.confirmation_seeds))

    def _by_size(self, number: Callable[[GroupDescription, int], int]) -> pd.Series[int]:
        cells = {(p.group, size): number(p, size) for p in self.groups for size in p.batch_sizes}
        names = ["group", "batch_size"]
        index = pd.MultiIndex.from_tuples(cells, names=names)
        return pd.Series([*cells.values()], index, dtype="int64")


@dataclass(frozen=True, repr=False)
class StudyResults:
    """A study's description and its tables, sorted, one row per trial, evaluation or round.

    Raises:
        ValueError: A table lacks a column, has one too many or one of another dtype; a group of a
            table isn't described; or a trial that chooses a learning rate has seen the test set.
    """

    description: StudyDescription  #: What was planned, on which data, and where it ran.
    trials: pd.DataFrame  #: Columns `TRIAL_COLUMNS`. Trials that have not run yet are absent.
    curves: pd.DataFrame  #: Columns `CURVE_COLUMNS`, ordered by examples within a trial.
    timing: pd.DataFrame  #: Columns `TIMING_COLUMNS`; empty if nothing has been measured.
    #: Columns `STEP_COLUMNS`, where updates to a target are known instead of curves.
    steps: pd.DataFrame = field(default_factory=lambda: empty_table(STEP_COLUMNS))

    def __post_init__(self) -> None:
        """Check every table against its columns."""
        _check("steps", self.steps, STEP_COLUMNS)
        _check("trials", self.trials, TRIAL_COLUMNS)
        _check("curves", self.curves, CURVE_COLUMNS)
        _check("timing", self.timing, TIMING_COLUMNS)
        described = {group.group for group in self.description.groups}
        for name, table in (("trials", self.trials), ("timing", self.timing)):
            strangers = sorted(set(table["group"]) - described)
            if strangers:
                raise ValueError(f"Table {name!r} has groups that aren't described: {strangers}.")
        _refuse_leaks(self.trials)

    @classmethod
    def from_runs(
        cls,
        description: StudyDescription,
        runs: pd.DataFrame,
        evaluations: pd.DataFrame | None = None,
        timing: pd.DataFrame | None = None,
    ) -> Self:
        """Return the results of runs that ended elsewhere.

        No seed of a finished table is fresh: with `HALVED` or more seeds that all cells share, the
        later half of them, at least five, judges what the others chose.

        Args:
            description: What is known of them. Its seeds are set here.
            runs: Columns `RUN_COLUMNS`, one row a run.
            evaluations: Columns `EVALUATION_COLUMNS`, of learning curves.
            timing: Columns group, batch_size, updates and seconds of measurements of their own;
                without them the runs' seconds and updates are taken.

        Raises:
            ValueError: As for a study's own tables.
        """
        judging = _judging_seeds(runs)
        # Without rates, those of all batch sizes are taken for tuned.
        trials = runs.fillna({"learning_rate": 1.0}).assign(
            trial=[f"run {number}" for number in runs.index],
            train_seconds=runs["seconds"],
            shards=1,
            local_updates=1,
        )
        fresh = trials["seed"].isin(judging)
        trials["stage"] = fresh.map({True: CONFIRM, False: EXPLORE})
        for part, shown in (("validation", ~fresh), ("test", fresh)):
            for name in ("metric", "loss"):
                trials[f"{part}_{name}"] = trials[name].where(shown)
        points = empty_table(EVALUATION_COLUMNS) if evaluations is None else evaluations
        names = {"metric": "validation_metric", "loss": "validation_loss"}
        curves = points.rename(columns=names).assign(trial=[f"run {n}" for n in points["run"]])
        known = trials if timing is None else timing.assign(seed=0)
        timed = known[(known["updates"] > 0) & (known["seconds"] > 0)]
        seconds, repeats = timed["seconds"], timed["seed"]
        times = {"wall_seconds": seconds, "cpu_seconds": seconds, "round": repeats}
        steps = trials[trials["steps"].notna()].drop(columns="updates")
        return cls(
            replace(
                description,
                seeds=tuple(sorted({*trials.loc[~fresh, "seed"].tolist()})),
                confirmation_seeds=tuple(judging),
                planned_trials=len(runs),
            ),
            _filled(trials, TRIAL_COLUMNS),
            _filled(curves, CURVE_COLUMNS),
            _filled(timed.assign(engine=TENSOR, lanes=1, **times), TIMING_COLUMNS),
            _filled(steps.rename(columns={"steps": "updates"}), STEP_COLUMNS),
        )

    def __repr__(self) -> str:
        counts, groups = count_outcomes(self.trials), self.description.groups
        name = f"{type(self).__name__} {visible(self.description.name)}"
        return (
            f"<{name}: {plural(len(groups), 'group')}, "
            f"{plural(counts.run, 'trial')} ({counts.ok:,} ok, {counts.diverged:,} diverged, "
            f"{counts.failed:,} failed), {plural(len(self.curves), 'evaluation')}, "
            f"{plural(len(self.timing), 'benchmark round')}>"
        )


def _judging_seeds(runs: pd.DataFrame) -> list[int]:
    """Return the seeds that judge: the later half of those that all cells share; [] for too few."""
    cells = runs.groupby(CELL, dropna=False)["seed"]
    shared = sorted(set[int].intersection(*(set(seeds) for _, seeds in cells)))
    if len(shared) < HALVED:
        return []
    return shared[-max(FEWEST_TO_SHOW, len(shared) - len(shared) // 2) :]


def _filled(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return a table of these columns, those that a frame lacks empty."""
    empty: dict[str, object] = {"str": "", "int64": 0}
    missing: dict[str, Any] = {c.name: empty.get(c.dtype) for c in columns if c.name not in frame}
    return as_table(frame.assign(**missing), columns)


def empty_table(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return a table of these columns without rows."""
    # A study of many groups has many of them, and to make one costs much more than to copy it.
    return _empty(columns, pd.get_option("mode.string_storage")).copy()


@cache
def _empty(columns: tuple[Column, ...], _storage: str) -> pd.DataFrame:
    return pd.DataFrame({c.name: pd.Series(dtype=c.dtype) for c in columns})


def as_table(frame: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return these columns of a frame, in order, with their dtypes and a fresh index."""
    dtypes: dict[str, Any] = {column.name: column.dtype for column in columns}
    table = frame[list(dtypes)].reset_index(drop=True)
    # To cast a frame costs all its columns, even those whose type is right.
    pairs = zip(dtypes.items(), table.dtypes.tolist(), strict=True)
    return table.assign(
        **{name: table[name].astype(dtype) for (name, dtype), has in pairs if str(has) != dtype}
    )


def table_of(rows: Iterable[Any], columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return rows, each by name or in order, as a table of these columns."""
    return as_table(pd.DataFrame([*rows], columns=[c.name for c in columns]), columns)


def _check(table: str, frame: pd.DataFrame, columns: tuple[Column, ...]) -> None:
    expected = {column.name: column.dtype for column in columns}
    present = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    if present != expected:
        raise ValueError(f"Table {table!r} must have the columns {expected}, but has {present}.")


def _refuse_leaks(trials: pd.DataFrame) -> None:
    seen = trials["test_loss"].notna() | trials["test_metric"].notna()
    leaks = trials["trial"][seen & trials["stage"].isin(TUNING_STAGES)].tolist()
    if leaks:
        raise ValueError(
            "A trial that chooses a learning rate must have no result on the test set, but "
            f"{len(leaks)} have one, the first being {leaks[0]!r}."
        )
