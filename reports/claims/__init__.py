"""The source paper's claims and what a study says of them."""

from __future__ import annotations

from reports.claims.judgement import ClaimVerdict

__all__ = ["ClaimVerdict"]


def __dir__() -> list[str]:
    return __all__
