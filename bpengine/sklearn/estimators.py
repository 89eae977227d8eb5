"""Estimators for scikit-learn: the engine behind `fit` and `predict`.

They alone of the package need scikit-learn; `import bpengine` does without. Everything is computed
in float64, and BLAS uses the threads it is given.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bpengine.network import (
    ACTIVATIONS,
    Architecture,
    Array,
    Examples,
    Split,
    Stack,
    permutation,
    stack,
)
from bpengine.optim import OPTIMIZERS
from bpengine.passes import Backprop, Weights, cache_slices, slices_of
from bpengine.training import Budget, Lockstep, Recipe
from bpengine.training.minibatches import Segment

_AUTO_BATCH = 32
"""Examples of a batch that `batch_size="auto"` asks for, where there are as many."""

_State = Mapping[str, np.ndarray]
_Rule = tuple[Callable[[Any], bool], str]
"""Whether a value is allowed, and what is, in words."""

_INT, _NUMBER = int | np.integer, int | float | np.integer | np.floating
_TINY, _LARGE = math.ulp(0.0), math.nextafter(math.inf, 0.0)


def _is(kind: type | UnionType, low: float, high: float = _LARGE) -> Callable[[Any], bool]:
    def allows(value: Any) -> bool:  # noqa: ANN401 - a parameter may be anything
        number = value.item() if isinstance(value, np.generic) else value
        return isinstance(value, kind) and not isinstance(value, bool) and low <= number <= high

    return allows


def _one_of(names: Collection[str]) -> _Rule:
    """Return the rule of a parameter that is one of some names."""
    return lambda value: isinstance(value, str) and value in names, f"one of {sorted(names)}"


_is_count, _is_seed = _is(_INT, 1), _is(_INT, 0, 2**32 - 1)
_RULES: dict[str, _Rule] = {
    "hidden_layer_sizes": (
        lambda value: isinstance(value, tuple | list) and all(map(_is_count, value)),
        "a tuple or list of ints of at least 1",
    ),
    "activation": _one_of(ACTIVATIONS.keys() - {"softmax"}),
    "optimizer": _one_of(OPTIMIZERS),
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
class _Estimator(BaseEstimator):  # type: ignore[misc] # scikit-learn ships no annotations
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

    def _learn(
        self, X: ArrayLike, y: ArrayLike, *, anew: bool, **options: ArrayLike | None
    ) -> Self:
        for name, (allows, text) in (_RULES | {"loss": _one_of(self._outputs_of_losses)}).items():
            self._require(allows(getattr(self, name)), name, text)
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
        examples, size = networks.train.examples, networks.recipe.batch_size
        networks.run(Segment(epoch, 0, examples, size, evaluate=False))
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

    def _batch_size(self, examples: int) -> int:
        return min(_AUTO_BATCH, examples) if self.batch_size == "auto" else int(self.batch_size)

    def _split(self, data: Examples, seed: int) -> tuple[Examples, Stack]:
        examples = data.inputs.shape[0]
        strata = np.zeros(examples, np.int64)
        if is_classifier(self):
            strata = data.targets.argmax(axis=1)
        sizes = np.bincount(strata)
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

    def _keep(self, model: _Model, state: _State, *curves: list[float]) -> None:
        self._model, self._state = model, state
        self.loss_curve_, self.validation_loss_curve_ = curves
        self.n_iter_ = len(self.loss_curve_)

    def _outputs(self, X: ArrayLike) -> Annotated[Array, "example fan_out"]:
        check_is_fitted(self)
        inputs = validate_data(self, X, reset=False, dtype=np.float64)
        passes = Backprop(self._model.architecture, self._model.loss, np.float64)
        phi, W = np.insert(inputs, 0, 1, axis=1)[None, None], self._weights()
        slices = cache_slices(len(inputs))
        return np.concatenate([passes.forward(W, phi[:, :, rows])[-1].psi[0, 0] for rows in slices])

    def _weights(self) -> Weights:
        return self._model.architecture.layers(self._state["parameters"])


@dataclass(kw_only=True, eq=False, repr=False)
class BackpropClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc] # base is untyped
    """A feed-forward network for classification.

    There is one output for each class, in binary problems too: two. Scale the inputs, for instance
    by a `StandardScaler` in a `Pipeline`.

    The order of the examples and the initial weights follow from `random_state` alone: every epoch
    has an order of its own, given by its number since training began and by how many examples
    there are. Without patience k calls of `partial_fit` on the same data are therefore, bit by
    bit, `fit` with `epochs=k`, and `fit` followed by `partial_fit` is `fit` with one epoch more.

    Args:
        hidden_layer_sizes: Units of each hidden layer; () for none.
        activation: Of the hidden layers: sigmoid, tanh, relu, leaky_relu, gelu or identity.
        loss: "cross_entropy" with softmax outputs, or the paper's "squared_error", one half of the
            sum over the outputs, with sigmoid outputs. An update follows the mean over its batch.
        optimizer: Name in `bpengine.optim.OPTIMIZERS`, with its default hyperparameters.
        learning_rate: Finite and above 0; constant.
        batch_size: Examples of an update; the last batch of an epoch holds what is left. "auto"
            asks for min(32, examples to train on). Of a number larger than these `fit` makes an
            error, `partial_fit` a warning and one smaller batch.
        epochs: Passes of `fit` over the examples.
        l2: Adds `l2 / 2 |W|^2` to the mean loss, biases included, whatever the batch size.
        patience: Epochs without a lower validation loss after which `fit` ends; its weights are
            those of the epoch with the lowest. None trains for all epochs on all examples.
        validation_fraction: Share of the examples, rounded up, that `fit` does not train on but
            computes the validation loss of; drawn at random, from each class about its share, of
            which an example at least is left to train on. Without patience it has no effect.
        random_state: An int for the same result at every call; a `RandomState` or None for another
            one at every `fit`.

    Attributes:
        classes_: The labels, sorted.
        loss_curve_: Mean loss over all examples trained on, without the penalty, computed with the
            weights at the end of each epoch; of `partial_fit`, over those of the call.
        validation_loss_curve_: The same over the validation examples; empty without patience.
        n_iter_: Epochs trained since training began; not updates.
        n_features_in_: Columns of `X`.
        feature_names_in_: Their names, if `X` had names, all of them text.
        coefs_: Each layer's weights, of shape (inputs, outputs).
        intercepts_: Each layer's biases.

    Example:
        >>> X, y = [[-2.0], [-1.0], [1.0], [2.0]], ["low", "low", "high", "high"]
        >>> classifier = BackpropClassifier(learning_rate=0.1, random_state=0).fit(X, y)
        >>> classifier.predict([[-3.0], [3.0]]).tolist()
        ['low', 'high']
    """

    loss: str = "cross_entropy"

    _outputs_of_losses: ClassVar[Mapping[str, str]] = {
        "cross_entropy": "softmax",
        "squared_error": "sigmoid",
    }

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Train for one epoch on these examples, from where training ended.

        Weights, optimizer state and the count of epochs go on; learning rate, penalty and batch
        size are those of now, epochs and patience have no effect.

        Args:
            X: Inputs, of shape (examples, features).
            y: Label of each example; not all classes need occur.
            classes: All labels that will ever occur; needed at the first call.

        Raises:
            ValueError: As for `fit`; or the network, the loss or the optimizer changed.
        """
        if classes is None and not self.__sklearn_is_fitted__():
            raise ValueError(
                "`classes` must hold all labels at the first call of partial_fit, but is None."
            )
        return self._learn(X, y, anew=False, classes=classes)

    def predict(self, X: ArrayLike) -> Annotated[np.ndarray, "example"]:
        """Return each example's most probable label.

        Args:
            X: Inputs, of shape (examples, features).
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> Annotated[Array, "example fan_out"]:
        """Return each example's probability of each class, in the order of `classes_`.

        Of the squared error these are the sigmoid outputs, which estimate the probabilities one by
        one, divided by their sum.

        Args:
            X: Inputs, of shape (examples, features).
        """
        psi = np.maximum(self._outputs(X), np.finfo(np.float64).tiny)
        return psi / psi.sum(axis=1, keepdims=True)

    def _encode(
        self, X: ArrayLike, y: ArrayLike, *, reset: bool, classes: ArrayLike | None = None
    ) -> tuple[Examples, _State]:
        _refuse_missing(y)
        inputs, labels = validate_data(self, X, y, reset=reset, dtype=np.float64)
        check_classification_targets(_of_one_type("y", labels))
        given = np.unique(labels if classes is None else _of_one_type("classes", classes))
        known = given if reset else self.classes_
        names = known.tolist()
        unknown = sorted(set(np.unique(labels).tolist()).difference(names))
        if len(names) <= 1:
            raise ValueError(f"There must be more than one class, but got {names}.")
        if classes is not None and not np.array_equal(given, known):
            raise ValueError(f"`classes` must stay {names}, but got {given.tolist()}.")
        if unknown:
            raise ValueError(
                f"`y` must hold labels among the classes {names}, but also holds {unknown}."
            )
        one_hot = np.eye(len(names))[np.searchsorted(known, labels)]
        return Examples(inputs, one_hot), {"classes_": known}


class BackpropRegressor(RegressorMixin, _Estimator):  # type: ignore[misc] # as above
    """A feed-forward network for regression, with an output for each column of `y`.

    Parameters, attributes and the order of the examples are those of `BackpropClassifier`, but for
    `classes_`; the only `loss` is "squared_error", one half of the sum over the outputs, which are
    linear. Scale inputs and targets, the latter for instance by a `TransformedTargetRegressor`.

    Example:
        >>> X = np.linspace(-1, 1, 40).reshape(-1, 1)
        >>> regressor = BackpropRegressor(learning_rate=0.01, random_state=0)
        >>> bool(regressor.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.98)
        True
    """

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train for one epoch on these examples, as `BackpropClassifier.partial_fit` does.

        Args:
            X: Inputs, of shape (examples, features).
            y: Targets, of shape (examples,) or (examples, outputs).

        Raises:
            ValueError: As for `fit`; or the network, the loss or the optimizer changed.
        """
        return self._learn(X, y, anew=False)

    def predict(self, X: ArrayLike) -> Array:
        """Return predictions, of shape (examples,) for one output, else (examples, outputs).

        Args:
            X: Inputs, of shape (examples, features).
        """
        psi = self._outputs(X)
        return psi[:, 0] if psi.shape[1] == 1 else psi

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _encode(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[Examples, _State]:
        _refuse_missing(y)
        inputs, targets = validate_data(
            self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
        )
        if targets.dtype.kind not in "biuf":
            raise ValueError(f"`y` must hold numbers, but is of type {targets.dtype}.")
        return Examples(inputs, targets.reshape(len(targets), -1).astype(np.float64)), {}


def _of_one_type(name: str, labels: ArrayLike) -> np.ndarray:
    array = np.asarray(labels)
    others = [label for label in array.flat if not isinstance(label, str)]
    if array.dtype == object and others:
        raise ValueError(
            f"Unknown label type: `{name}` must hold texts alone, or be an array of numbers, but "
            f"holds {others[0]!r} and is of type object: convert it with `astype`."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"`{name}` must not hold NaN or infinity.")
    return array


def _refuse_missing(y: ArrayLike) -> None:
    # scikit-learn refuses NaN, but stumbles over pandas.NA.
    if hasattr(y, "isna") and np.asarray(y.isna()).any():
        raise ValueError("`y` must not have missing values: fill them, or drop their examples.")
