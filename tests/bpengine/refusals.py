"""How tests ask whether a call is refused, and what its message says."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def refused(call: Callable[[], object], *parts: object, kind: type[Exception] = ValueError) -> None:
    """Check that a call is refused with a message that holds these values, names and limits."""
    with pytest.raises(kind) as caught:
        call()
    missing = [part for part in map(str, parts) if part not in str(caught.value)]
    assert not missing, str(caught.value)
