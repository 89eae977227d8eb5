"""Provenance: what matters for a result and nothing that names a person or a place."""

from __future__ import annotations

import getpass
import platform
import types
from pathlib import Path

import numpy as np
import pytest

from sweeps import machine as provenance


def test_versions_blas_and_processor_are_reported() -> None:
    values = provenance.provenance()
    assert values["numpy"] == np.__version__
    assert values["Python"] == platform.python_version()
    assert values["BLAS"]
    assert int(values["cores"]) >= 1
    assert values["processor"]
    assert values["NumPy's instructions"]


def test_blas_is_reported_alike_in_whichever_order_it_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    libraries = [
        {"user_api": "blas", "internal_api": "openblas", "version": version}
        for version in ("0.3.31", "0.3.30")
    ]
    texts = []
    for loaded in (libraries, libraries[::-1]):
        control = types.SimpleNamespace(info=lambda loaded=loaded: loaded)
        monkeypatch.setattr(provenance, "threads", lambda control=control: control)
        texts.append(provenance.provenance()["BLAS"])
    assert texts == ["openblas 0.3.30 (?), openblas 0.3.31 (?)"] * 2


def test_no_user_host_or_home_is_reported() -> None:
    values = provenance.provenance().values()
    for secret in (platform.node(), str(Path.home()), str(Path.cwd())):
        assert not any(secret in value for value in values)
    assert getpass.getuser() not in values


def test_a_file_that_a_system_lacks_has_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_arguments: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", unreadable)
    assert provenance.value_in(Path("/proc/cpuinfo"), "model name") == ""


def test_what_differs_between_sessions_is_reported_once_each() -> None:
    first, second = {"numpy": "1", "cores": "2"}, {"numpy": "2", "BLAS": "x"}
    both = provenance.combined([first, second])
    assert both == {"numpy": "1; 2", "cores": "2", "BLAS": "x"}
    assert provenance.combined([both, second, first]) == both
