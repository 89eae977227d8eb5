"""NumPy calls on fixed arrays, recorded once and replayed.

What surrounds the short calls of an update in Python, slicing above all, takes longer than they do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

Call = Callable[..., object]
"""`(function, *arguments, **options)`: a `Tape` records the call, `at_once` makes it."""


def at_once(function: Callable[..., object], *arguments: object, **options: object) -> None:
    """Call a function now."""
    function(*arguments, **options)


class Tape:
    """A list of calls; numbers among their arguments become arrays, which are quicker to take."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._calls: list[Callable[[], object]] = []

    def __call__(
        self, function: Callable[..., object], *arguments: object, **options: object
    ) -> None:
        """Record a call."""
        self._calls.append(partial(function, *map(self._fixed, arguments), **options))

    def replay(self) -> None:
        """Make all calls, in the order in which they were recorded."""
        for call in self._calls:
            call()

    def _fixed(self, argument: Any) -> Any:  # noqa: ANN401
        return np.array(argument, self._dtype) if isinstance(argument, float) else argument
