"""What all networks of a cohort share: loss, optimizer, batches, budget."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bpengine.network import INITIALISERS, LOSSES, METRICS, REDUCTIONS, check_name
from bpengine.optim import OPTIMIZERS, BatchGrowth, Schedule
from bpengine.passes.compiled import KERNEL, NUMPY, default_numerics, why_not
from bpengine.training.minibatches import Budget


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the networks of a cohort are trained.

    Attributes:
        batch_size: Examples of an update, at most the training examples; the last batch of an epoch
            holds what is left of it.
        budget: When training ends.
        loss: Name in `LOSSES`.
        reduction: Name in `REDUCTIONS`: how a batch's losses become its error.
        metric: Name in `METRICS`, computed at evaluations.
        optimizer: Name in `OPTIMIZERS`.
        schedule: How the learning rates change along training.
        growth: How the batch size changes along training; None if it does not.
        initialiser: Name in `INITIALISERS`.
        initial_scale: Factor of the initial weights' standard deviation, above 0.
        shards: Into how many segments each batch is split. Their gradients are added up, which
            gives that of the whole batch; with `local_updates` above 1 they are trained separately.
        local_updates: Updates that each shard's own copy of the network makes before the copies are
            combined into one (local SGD); 1 for none.
        evaluate_at: Evaluation points in examples, ascending; 0 is before the first update.
        noise_examples: How many training examples of each seed, drawn without replacement and anew
            at each evaluation point, the gradient statistics are taken over: 0 for none, otherwise
            at least 2. They cost two to three passes over these examples at each point.
        noise_curvature: Whether tr(H Sigma) and G'HG are estimated as well, the Hessian H being
            that of as many examples drawn separately; wants `noise_examples`, and costs about 50
            passes over these at each point.
        noise_geometry: Whether tr(P Sigma) and G'PG are estimated as well, `P` being what the
            optimizer scales each parameter's gradient by; wants `noise_examples`.
        stop_loss: Mean training loss at which a lane is stopped; None for none.
        target: Value of the held-out metric at which a lane is stopped; None for none.
        patience: Evaluations without a better held-out loss after which a lane is stopped, its
            weights being those of its best evaluation; None for none.
        divergence: A lane has diverged when its mean training or held-out loss is that many times
            the training loss before the first update, or that of the best constant prediction if
            that is larger; at least 1, infinity for a loss that is not finite alone.
        dtype: float32 or float64.
        numerics: What computes: `KERNEL` or `NUMPY`; "" for the kernel where it runs.

    Raises:
        ValueError: A name is unknown or a value out of range.
    """

    batch_size: int
    budget: Budget
    loss: str = "squared_error"
    reduction: str = "mean"
    metric: str = "accuracy"
    optimizer: str = "sgd"
    schedule: Schedule = field(default_factory=Schedule)
    growth: BatchGrowth | None = None
    initialiser: str = "glorot_uniform"
    initial_scale: float = 1.0
    shards: int = 1
    local_updates: int = 1
    evaluate_at: tuple[int, ...] = ()
    noise_examples: int = 0
    noise_curvature: bool = False
    noise_geometry: bool = False
    stop_loss: float | None = None
    target: float | None = None
    patience: int | None = None
    divergence: float = 1e3
    dtype: npt.DTypeLike = np.float32
    numerics: str = ""

    def __post_init__(self) -> None:
        check_name("loss", self.loss, LOSSES)
        check_name("reduction", self.reduction, REDUCTIONS)
        check_name("metric", self.metric, METRICS)
        check_name("optimizer", self.optimizer, OPTIMIZERS)
        check_name("initialiser", self.initialiser, INITIALISERS)
        for name in ("batch_size", "shards", "local_updates", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name} >= 1` must hold, but got {value}.")
        if np.dtype(self.dtype) not in {np.dtype(np.float32), np.dtype(np.float64)}:
            raise ValueError(f"`dtype` must be float32 or float64, but got {self.dtype!r}.")
        if (
            list(self.evaluate_at) != sorted({*self.evaluate_at})
            or min(self.evaluate_at, default=0) < 0
        ):
            raise ValueError(
                f"`evaluate_at` must be ascending and at least 0, but got {self.evaluate_at}."
            )
        self._check_noise()
        self._choose_numerics()
        if not (0 < self.initial_scale < float("inf") and self.divergence >= 1):
            raise ValueError(
                "`initial_scale` must be above 0 and `divergence` at least 1, "
                f"but got {self.initial_scale} and {self.divergence}."
            )
        if self.local_updates > 1 and self.shards == 1:
            raise ValueError("`local_updates > 1` needs `shards > 1`: copies to combine.")
        if self.needs_total and self.budget.seconds is not None:
            raise ValueError("A cosine schedule needs to know its end: not a budget in seconds.")

    def _check_noise(self) -> None:
        if self.noise_examples < 0 or self.noise_examples == 1:
            raise ValueError(
                f"`noise_examples` must be 0 or at least 2, but got {self.noise_examples}."
            )
        for name in ("noise_curvature", "noise_geometry"):
            if getattr(self, name) and not self.noise_examples:
                raise ValueError(f"`{name}` needs `noise_examples`.")

    def _choose_numerics(self) -> None:
        if not self.numerics:
            object.__setattr__(self, "numerics", default_numerics())
        check_name("numerics", self.numerics, [KERNEL, NUMPY])
        if self.numerics == KERNEL and why_not():
            raise ValueError(f"The compiled kernel does not run here: {why_not()}.")

    @property
    def needs_total(self) -> bool:
        """Whether the schedule depends on the length of the whole training."""
        return self.schedule.kind == "cosine"

    def batch_size_of(self, epoch: int) -> int:
        """Return the batch size of an epoch, counted from 0."""
        if self.growth is None:
            return self.batch_size
        return self.growth.batch_size(self.batch_size, epoch)
