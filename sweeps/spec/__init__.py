"""The specification of a study."""

from __future__ import annotations

from sweeps.spec._messages import Location, path_of
from sweeps.spec.load import named_data
from sweeps.spec.model import StudySpecification, given, toml_value

__all__ = ["Location", "StudySpecification", "given", "named_data", "path_of", "toml_value"]


def __dir__() -> list[str]:
    return __all__
