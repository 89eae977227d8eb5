"""Estimators for scikit-learn: the engine behind `fit` and `predict`.

They alone of the package need scikit-learn; `import bpengine` does without. Everything is computed
in float64, and BLAS uses the threads it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from bpengine.network import Array, Examples, IntArray
from bpengine.sklearn._base import Estimator, State


@dataclass(kw_only=True, eq=False, repr=False)
class BackpropClassifier(ClassifierMixin, Estimator):  # type: ignore[misc] # base is untyped
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
    ) -> tuple[Examples, State]:
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

    def _strata(self, data: Examples) -> Annotated[IntArray, "example"]:
        return data.targets.argmax(axis=1)


class BackpropRegressor(RegressorMixin, Estimator):  # type: ignore[misc] # as above
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

    def _encode(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[Examples, State]:
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
