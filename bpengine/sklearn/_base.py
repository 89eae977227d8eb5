"""What the estimators for scikit-learn share: training, and going on with it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from bpengine.network import (
    ACTIVATIONS,
    Architecture,
    Array,
    Examples,
    IntArray,
    Split,
    Stack,
    permutation,
    stack,
)
from bpengine.optim import OPTIMIZERS
from bpengine.passes import Backprop, Weights, cache_slices, slices_of
from bpengine.training import Budget, Lockstep, Recipe
from bpengine.training.minibatches import Segment

AUTO_BATCH_SIZE = 32
"""Examples of a batch that `batch_size="auto"` asks for, where there are as many."""

State = Mapping[str, np.ndarray]
"""Arrays by name."""

Rule = tuple[Callable[[Any], bool], str]
"""Whether a value is allowed, and what is, in words."""

_INT, _NUMBER = int | np.integer, int | float | np.integer | np.floating
_TINY, _LARGE = math.ulp(0.0), math.nextafter(math.inf, 0.0)


def _is(kind: type | UnionType, low: float, high: float = _LARGE) -> Callable[[Any], bool]:
    def allows(value: Any) -> bool:  # noqa: ANN401 - a parameter may be anything
        number = value.item() if isinstance(value, np.generic) else value
        return isinstance(value, kind) and not isinstance(value, bool) and low <= number <= high

    return allows


def one_of(names: Collection[str]) -> Rule:
    """Return the rule of a parameter that is one of some names."""
    return lambda value: isinstance(value, str) and value in names, f"one of {sorted(names)}"


_is_count, _is_seed = _is(_INT, 1), _is(_INT, 0, 2**32 - 1)
RULES: Mapping[str, Rule] = {
    "hidden_layer_sizes": (
        lambda value: isinstance(value, tuple | list) and all(map(_is_count, value)),
        "a tuple or list of ints of at least 1",
    ),
    "activation": one_of(ACTIVATIONS.keys() - {"softmax"}),
    "optimizer": one_of(OPTIMIZERS),
    "learning_rate": (_is(_NUMBER, _TINY), "a number, finite and above 0"),
    "batch_size": (
        lambda value: _is_count(value) or (isinstance(value, str) and value == "auto"),
        "an int of at least 1 or 'auto'",
    ),
    "epochs": (_is_count, "an int of at least 1"),
    "l2": (_is(_NUMBER, 0), "a number, finite and at least 0"),
    "patience": (lambda value: value is None or _is_count(value), "an int of at least 1 or None"),
    "validation_fraction": (
        _is(_NUMBER, _TINY, math.nextafter(1.0, 0.0)),
        "a number above 0 and below 1",
    ),
    "random_state": (
        lambda value: isinstance(value, np.random.RandomState | None) or _is_seed(value),
        "an int from 0 to 2**32 - 1, a RandomState or None",
    ),
}
"""Rules of the parameters, but for the loss, of which every estimator has its own."""


@dataclass(frozen=True)
class _Model:
    """What stays the same as long as training goes on."""

    architecture: Architecture
    loss: str
    optimizer: str
    seed: int


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(BaseEstimator):  # type: ignore[misc] # scikit-learn ships no annotations
    """What both estimators do; `_encode` of each returns the examples and labels to be kept."""

    hidden_layer_sizes: tuple[int, ...] = (32,)
    activation: str = "relu"
    loss: str = "squared_error"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    batch_size: int | str = "auto"
    epochs: int = 100
    l2: float = 0.0
    patience: int | None = None
    validation_fraction: float = 0.1
    random_state: int | np.random.RandomState | None = None

    _outputs_of_losses: ClassVar[Mapping[str, str]] = {"squared_error": "identity"}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_model")

    @property
    def coefs_(self) -> list[Annotated[Array, "fan_in fan_out"]]:
        """Each layer's weights, without its biases: views of the network's."""
        return [W[0, 0, 1:] for W in self._weights()]

    @property
    def intercepts_(self) -> list[Annotated[Array, "fan_out"]]:
        """Each layer's biases: views of the network's."""
        return [W[0, 0, 0] for W in self._weights()]

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train a new network.

        Args:
            X: Inputs, of shape (examples, features).
            y: Label of each example; targets of a regressor, of shape (examples,) or (examples,
                outputs).

        Raises:
            ValueError: A parameter or the data are not allowed, or training diverged.
        """
        return self._learn(X, y, anew=True)

    def _require(self, holds: bool, parameter: str, text: str) -> None:
        if not holds:
            raise ValueError(
                f"The {parameter!r} parameter of {type(self).__name__} must be {text}. "
                f"Got {getattr(self, parameter)!r} instead."
            )

    def _check_parameters(self) -> None:
        rules = {**RULES, "loss": one_of(self._outputs_of_losses)}
        for name, (allows, text) in rules.items():
            self._require(allows(getattr(self, name)), name, text)

    def _learn(
        self, X: ArrayLike, y: ArrayLike, *, anew: bool, **options: ArrayLike | None
    ) -> Self:
        self._check_parameters()
        before, begins = vars(self).copy(), anew or not self.__sklearn_is_fitted__()
        try:
            data, labels = self._encode(X, y, reset=begins, **options)
            examples = data.inputs.shape[0]
            if not anew and self._batch_size(examples) > examples:
                warnings.warn(
                    f"partial_fit trains on one batch of {examples} examples, smaller than the "
                    f"'batch_size' of {self.batch_size!r}, as it was given no more.",
                    stacklevel=3,
                )
            if begins:
                self._begin(data, whole=anew)
            else:
                self._continue(data)
        except BaseException:
            self.__dict__ = before  # scikit-learn's validation sets attributes too
            raise
        self.__dict__.update(labels)
        return self

    def _begin(self, data: Examples, *, whole: bool) -> None:
        epochs, patience = (int(self.epochs), self.patience) if whole else (1, None)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        model = self._model_for(data, seed)
        train, held_out = self._split(data, seed) if patience is not None else (data, None)
        if whole:
            examples = train.inputs.shape[0]
            text = f"at most the {examples} examples to train on, or 'auto' for a fitting one"
            self._require(self._batch_size(examples) <= examples, "batch_size", text)
        networks, losses, validation_losses = self._networks(model, train), list[float](), []
        best = None
        for epoch in range(epochs):
            losses.append(self._train_epoch(networks, epoch))
            if held_out is not None:
                validation_losses.append(self._finite_loss(networks, held_out, epoch))
                since_best = epoch - int(np.argmin(validation_losses))
                best = networks.state() if since_best == 0 else best
                if since_best == patience:
                    break
        self._keep(model, best or networks.state(), losses, validation_losses)

    def _continue(self, data: Examples) -> None:
        model = self._model_for(data, self._model.seed)
        if model != self._model:
            raise ValueError(
                "partial_fit must go on with the same network, loss and optimizer; fit begins "
                f"anew. Training began with {self._model}, but was to go on with {model}."
            )
        networks = self._networks(model, data)
        networks.restore(self._state)
        losses = [*self.loss_curve_, self._train_epoch(networks, self.n_iter_)]
        self._keep(model, networks.state(), losses, self.validation_loss_curve_)

    def _train_epoch(self, networks: Lockstep, epoch: int) -> float:
        segment = Segment(
            epoch, 0, networks.train.examples, networks.recipe.batch_size, evaluate=False
        )
        networks.run(segment)
        return self._finite_loss(networks, networks.train, epoch)

    def _finite_loss(self, networks: Lockstep, data: Stack, epoch: int) -> float:
        total = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for _, phi, t in slices_of(data):
                total += float(networks.passes.loss(networks.W, phi, t)[0].sum())
        loss = total / data.examples
        if not networks.active.all() or not math.isfinite(loss):
            raise ValueError(
                f"Training diverged in epoch {epoch + 1}: weights or loss are not finite any more. "
                f"Lower 'learning_rate', which is {self.learning_rate!r}, or scale the data."
            )
        return loss

    def _model_for(self, data: Examples, seed: int) -> _Model:
        hidden = map(int, self.hidden_layer_sizes)
        widths = (data.inputs.shape[1], *hidden, data.targets.shape[1])
        architecture = Architecture(widths, self.activation, self._outputs_of_losses[self.loss])
        return _Model(architecture, self.loss, self.optimizer, seed)

    def _networks(self, model: _Model, train: Examples) -> Lockstep:
        examples = train.inputs.shape[0]
        return Lockstep(
            model.architecture,
            [Split(train, train, model.seed)],
            [{"learning_rate": float(self.learning_rate), "l2": float(self.l2)}],
            Recipe(
                batch_size=min(self._batch_size(examples), examples),
                budget=Budget(epochs=1),
                loss=model.loss,
                optimizer=model.optimizer,
                dtype=np.float64,
            ),
        )

    def _strata(self, data: Examples) -> Annotated[IntArray, "example"]:
        return np.zeros(data.inputs.shape[0], np.int64)

    def _batch_size(self, examples: int) -> int:
        return min(AUTO_BATCH_SIZE, examples) if self.batch_size == "auto" else int(self.batch_size)

    def _split(self, data: Examples, seed: int) -> tuple[Examples, Stack]:
        strata = self._strata(data)
        examples, sizes = len(strata), np.bincount(strata)
        count = math.ceil(self.validation_fraction * examples)
        least = "some" if len(sizes) == 1 else f"one of each of the {len(sizes)} classes"
        text = f"small enough, rounded up, to leave {least} of n_samples = {examples} to train on"
        self._require(count <= examples - len(sizes), "validation_fraction", text)
        order = permutation(seed, "validation", examples)
        # Held out are the examples of lowest rank within their class, taken as a share of it: each
        # class gives about its share, but never its last example.
        of_class = np.argsort(strata[order], kind="stable")
        ranks = np.empty(examples)
        ranks[of_class] = np.arange(examples) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        size = sizes[strata[order]]
        shares = np.where(ranks == size - 1, np.inf, (ranks + 0.5) / size)
        order = order[np.argsort(shares, kind="stable")]
        train, held_out = (
            Examples(data.inputs[rows], data.targets[rows])
            for rows in (order[count:], order[:count])
        )
        return train, stack([held_out], np.float64)

    def _keep(self, model: _Model, state: State, *curves: list[float]) -> None:
        self._model, self._state = model, state
        self.loss_curve_, self.validation_loss_curve_ = curves
        self.n_iter_ = len(self.loss_curve_)

    def _outputs(self, X: ArrayLike) -> Annotated[Array, "example fan_out"]:
        check_is_fitted(self)
        inputs = validate_data(self, X, reset=False, dtype=np.float64)
        passes = Backprop(self._model.architecture, self._model.loss, (1, 1), np.float64)
        phi, W = np.insert(inputs, 0, 1, axis=1)[None, None], self._weights()
        slices = cache_slices(len(inputs))
        psi = [passes.forward(W, phi[:, :, rows])[0, 0].copy() for rows in slices]
        return np.concatenate(psi)

    def _weights(self) -> Weights:
        return self._model.architecture.layers(self._state["parameters"])
