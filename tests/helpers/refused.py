"""What a refusal states: the path, the value, what is allowed, the remedy; not how it puts them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from sweeps.errors import DataError, UserError


def refusal(
    call: Callable[..., Any], *arguments: Any, error: type[UserError] = DataError, **options: Any
) -> str:
    """Return the message of the error that a call ends with."""
    with pytest.raises(error) as refused:
        call(*arguments, **options)
    assert refused.value.exit_code == error.exit_code
    return str(refused.value)


def entered(manager: AbstractContextManager[object]) -> None:
    """Enter a context and leave it."""
    with manager:
        pass


def states(text: str, *parts: object) -> None:
    """Assert that a message states each of these."""
    missing = [part for part in map(str, parts) if part not in text]
    assert not missing, f"{missing} are not in {text!r}"


def refused(call: Callable[[], object], *parts: object, kind: type[Exception] = ValueError) -> None:
    """Assert that a call is refused with a message that states each of these."""
    with pytest.raises(kind) as caught:
        call()
    states(str(caught.value), *parts)
