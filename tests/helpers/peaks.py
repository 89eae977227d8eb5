"""How much memory a call takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any


def peak_of(call: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, int]:
    """Return what a call gives, and the most bytes that Python held at once for it."""
    tracemalloc.start()
    try:
        return call(*arguments, **options), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
