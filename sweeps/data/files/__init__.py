"""Files of the user's, by format, checked before anything is made of them."""

from __future__ import annotations

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
