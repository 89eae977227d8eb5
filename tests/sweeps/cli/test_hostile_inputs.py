"""Files from others execute nothing, a study writes into its folder alone, and no secret leaks."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ran
from stored import forget

from sweeps import Study
from sweeps.cli.main import main
from sweeps.data.facts import key_of
from sweeps.errors import SpecificationError, StoreError
from sweeps.run import _dask as dask_backend
from sweeps.spec.model import to_toml
from sweeps.store import FILE, Store
from sweeps.store.rows import digest_of

AUDITED = Path(__file__).parents[2] / "helpers" / "audited.py"
STUDY = """\
name = "own"
title = "../../<script>alert(1)</script>"
dataset = {path = "data/a =1+1 <b>.csv", target = "=y"}
hidden_layers = [3]
batch_sizes = [4, 16]
learning_rates = [0.5, 2.0]
extensions = 0
optimizer = ["sgd", "adam"]
seeds = [1, 2]
confirmation_seeds = [11]
epochs = 1
"""


def audited(*arguments: str, **options: Any) -> dict[str, Any]:
    """Return what a process under the audit hook did."""
    command = [sys.executable, str(AUDITED), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, **options)
    calls: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return calls


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        """Return what unpickling calls."""
        return os.mkdir, (self.path,)


def canaries(folder: Path, canary: Canary) -> list[Path]:
    """Write a file with a canary for every path that data, checkpoints and stores are read by."""
    raw, objects = pickle.dumps(canary), np.array([canary] * 8, dtype=object)
    for name in ("raw.npz", "raw.csv", "raw.parquet", "raw.toml", "raw.npy"):
        (folder / name).write_bytes(raw)
    np.savez(folder / "features.npz", X=objects.reshape(4, 2), y=np.arange(4))
    np.savez(folder / "labels.npz", X=np.ones((8, 2)), y=objects)
    (folder / "yaml.toml").write_text("name: !!python/object/apply:os.mkdir [owned]\n", "utf-8")
    field = pa.field("y", pa.binary()).with_metadata(
        {
            "ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": raw,
        }
    )
    schema = pa.schema([field, pa.field("x", pa.float64())], metadata={"pandas": raw})
    pq.write_table(pa.table([[raw] * 8, [1.0] * 8], schema=schema), folder / "columns.parquet")
    given = folder / "data" / "canary"
    given.mkdir(parents=True)
    (given / "about.json").write_text("{}", "utf-8")
    np.save(given / "inputs.npy", objects)
    return [path for path in sorted(folder.iterdir()) if path.is_file()] + [given]


def store_with(folder: Path, column: str, content: bytes) -> Path:
    """Return a study in whose store a value of every trial is other content, rightly digested."""
    ran.copy(folder)
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(trials)")]
        for number, *values in connection.execute("SELECT rowid, * FROM trials").fetchall():
            row = dict(zip(names, values, strict=True))
            row[column] = content if column == "curve" else content.decode("latin-1")
            row["digest"] = digest_of([row[name] for name in names[:-1]])
            connection.execute(
                f"UPDATE trials SET {column} = ?, digest = ? WHERE rowid = ?",  # noqa: S608
                (row[column], row["digest"], number),
            )
    return folder


@pytest.mark.slow
def test_no_file_is_ever_unpickled(tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    raw = pickle.dumps(Canary(owned))
    (tmp_path / "files").mkdir()
    files = canaries(tmp_path / "files", Canary(owned))
    stores = [store_with(tmp_path / column, column, raw) for column in ("curve", "configuration")]
    calls = audited("read", *map(str, (*files, *stores)))
    assert calls["calls"] == []
    assert not owned.exists()
    # All but what was handed over, which is made again, and the stores are refused in words.
    refused = [text.startswith("SpecificationError: ") for text in calls["said"]]
    assert refused == [True] * 9 + [False] * 3
    assert calls["said"][9:] == ["read"] * 3


PICKLED = {
    "20newsgroups_vectorized": ["20newsgroup_vectorized_py3.pkl"],
    "california_housing": ["cal_housing_py3.pkz"],
    "covtype": ["covertype/samples_py3", "covertype/targets_py3"],
    "kddcup99": ["kddcup99_10-py3/samples", "kddcup99_10-py3/targets"],
    "olivetti_faces": ["olivetti_py3.pkz"],
}
"""Where scikit-learn keeps pickles of a dataset in its cache."""


def received(folder: Path, name: str, **source: object) -> Path:
    """Return a study of downloaded data that has a cache of its own, with pickles, next to it."""
    ran.copy(folder)
    for file in PICKLED[name]:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(pickle.dumps(Canary(folder.with_name("owned"))))
    with Store.write(folder, "ran") as store:
        facts = store.facts()
        written = f'{{name = "{name}", limit_gb = 100}}'
        text = facts["specification"].replace('"iris"', written)
        (data,) = json.loads(facts["data"]).values()
        data["source"] |= {
            "name": name,
            "path": str(folder),
            "parameters": [["limit_gb", 100.0]],
        } | source
        key = key_of({"name": name, "limit_gb": 100})
        store.set_facts({"specification": text, "data": json.dumps({key: data})})
        # So that there is something to run again.
        failed = [{**row, "status": "error"} for row in store.rows()][:1]
        forget(folder, *(row["trial"] for row in failed))
        store.take(failed)
    return folder


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(
    ("name", "source"),
    [
        *((name, {}) for name in PICKLED),
        ("olivetti_faces", {"parameters": [["data_home", "."], ["limit_gb", 100.0]]}),
        ("olivetti_faces", {"content": "f" * 32}),
    ],
)
def test_a_received_study_does_not_say_where_pickles_are_read(
    tmp_path: Path, name: str, source: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = received(tmp_path / "out", name, **source)
    monkeypatch.chdir(folder)
    text = STUDY.replace(
        '{path = "data/a =1+1 <b>.csv", target = "=y"}',
        f'{{name = "{name}", data_home = ".", limit_gb = 100}}',
    )
    (folder / "own.toml").write_text(text, "utf-8")
    # Data that a specification can name are looked for, but not there; others are not looked for.
    # A file's place isn't in the store.
    refused = 2 if "content" in source else 4 if source else 3
    assert main(["time", str(folder)]) == refused
    assert main(["run", str(folder), "--retry-failed", "--backend", "sequential"]) == refused
    assert main(["validate", "own.toml"]) == 2
    assert not (tmp_path / "owned").exists()


def test_a_canary_would_fire(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "owned")))  # noqa: S301
    assert (tmp_path / "owned").is_dir()


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """A folder with a study whose data are called as badly as a file system allows."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{'../../<script>' if x > 0 else '=cmd|calc'}" for x in rng.normal(size=120)]
    table = "\n".join(["<img src=x onerror=alert(1)>,=y", *rows])
    (tmp_path / "elsewhere" / "a =1+1 <b>.csv").write_text(table, "utf-8")
    (tmp_path / "own.toml").write_text(STUDY, "utf-8")
    return tmp_path


def files_of(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


@pytest.mark.slow
def test_nothing_is_written_outside_the_studys_folder(study_folder: Path) -> None:
    before, out = files_of(study_folder), study_folder / "out"
    lines = (
        "run own.toml --out out --backend sequential --no-timing",
        "report out",
        "export out --out out/exported",
    )
    calls = audited("run", *lines, cwd=study_folder)
    assert calls["said"] == ["0"] * len(lines)
    elsewhere = (calls["cache"], os.devnull)
    outside = [path for path in calls["written"] if not Path(path).is_relative_to(out)]
    assert [path for path in outside if not path.startswith(elsewhere)] == []
    assert [path for path in files_of(study_folder) - before if not path.startswith(str(out))] == []
    assert (out / "report.html").is_file()


LINKS = {
    "": [
        ".lock", ".work", ".work/checkpoints", ".work/checkpoints/.0.npz.1", ".work/data",
        ".work/started", "study.db", "study.db-wal", "study.db-shm", "study.db-journal",
        ".study.db.new", "tables", "figures", "figures/01-sgd",
    ],
    "export": ["export"],
    "report --format svg": ["paper", "paper/01-sgd"],
}  # fmt: skip
"""Places in a study's folder that may be links, by the command that would use them."""


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(
    ("command", "link"), [(command, link) for command, links in LINKS.items() for link in links]
)
def test_no_link_in_a_received_study_is_followed(
    tmp_path: Path, command: str, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ran.copy(tmp_path / "out")
    target = tmp_path / "elsewhere"
    # What every one of them could be taken for.
    target.mkdir()
    names = (".x.csv.1.tmp", "0.npz", "started", "cells.csv", "trials.csv", "curve.svg")
    for name in (*names, "data/x", "checkpoints/1.npz", "01-sgd/.x.svg.1.tmp"):
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text("precious")
    if Path(link).name == "started" or any(part in link for part in ("db", "lock", "npz")):
        target = target / "trials.csv"
    linked = folder / link
    if linked.is_dir():
        shutil.rmtree(linked)
    linked.unlink(missing_ok=True)
    linked.parent.mkdir(exist_ok=True, parents=True)
    linked.symlink_to(target)
    before = {
        path: path.read_bytes() for path in tmp_path.rglob("elsewhere/**/*") if path.is_file()
    }
    words = command.split()
    if words:
        done = main([words[0], str(folder), *words[1:]])
    else:
        (tmp_path / "ran.toml").write_text(to_toml(ran.study().specification), "utf-8")
        line = ["run", str(tmp_path / "ran.toml"), "--out", str(folder)]
        done = main([*line, "--backend", "sequential", "--set", "seeds=[1,2,3]", "--no-timing"])
    assert done in {4, 6}
    said = capsys.readouterr().err
    assert f"{linked}" in said
    assert "link" in said
    assert f"rm {linked}" in said
    after = {path: path.read_bytes() for path in tmp_path.rglob("elsewhere/**/*") if path.is_file()}
    assert after == before
    assert linked.is_symlink()


@pytest.mark.parametrize(
    "name", [".lock", "study.db", "study.db-journal", ".work/checkpoints/0.npz"]
)
def test_a_pipe_in_a_received_study_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = ran.copy(tmp_path / "out")
    (folder / name).unlink(missing_ok=True)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(StoreError, match="is a pipe or a device, which is not used"):
        ran.study().run(folder, n_jobs=1, backend="sequential")
    assert main(["status", str(folder)]) in {0, 4}


@pytest.mark.parametrize("name", ["../x", "/abs", "a/b", "nul\0", "", "x" * 300, "\u202ex", ".."])
def test_a_studys_name_is_no_path(study_folder: Path, name: str) -> None:
    text = STUDY.replace('"own"', json.dumps(name))
    (study_folder / "own.toml").write_text(text, "utf-8")
    before = files_of(study_folder)
    with pytest.raises(SpecificationError, match=r"own\.toml: name: must be"):
        Study.from_toml(study_folder / "own.toml")
    assert files_of(study_folder) == before


SECRETS = {
    name: f"canary{number:02d}c0ffee"
    for number, name in enumerate(
        (
            "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GITHUB_TOKEN",
            "GITLAB_TOKEN", "HF_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD",
            "OPENAI_API_KEY", "PGPASSWORD", "DATABASE_URL", "DOCKER_AUTH_CONFIG", "NPM_TOKEN",
            "PIP_INDEX_URL", "SSH_AUTH_SOCK", "KAGGLE_KEY",
        )
    )
}  # fmt: skip
"""Of the environment."""
PLACES = {
    name: f"canary{number}c0ffee"
    for number, name in enumerate(("home", "netrc", "remote", "argument"), 20)
}
"""Elsewhere: the home's path, its .netrc, a repository's remote, an address that has a password."""


@pytest.mark.slow
def test_no_secret_is_in_any_output(
    study_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home = study_folder / PLACES["home"]
    home.mkdir()
    (home / ".netrc").write_text(f"machine example.org password {PLACES['netrc']}\n", "utf-8")
    shutil.copytree(study_folder / "elsewhere", home / "data")
    shutil.copy(study_folder / "own.toml", home)
    remote = f"[remote]\nurl = https://user:{PLACES['remote']}@example.org/x.git\n"
    (home / ".git").mkdir()
    (home / ".git" / "config").write_text(remote, "utf-8")
    for name, secret in (SECRETS | {"HOME": str(home)}).items():
        monkeypatch.setenv(name, secret)
    monkeypatch.chdir(home)
    monkeypatch.setattr(dask_backend, "PATIENCE_SECONDS", 0.1)
    address = f"tcp://user:{PLACES['argument']}@127.0.0.1:1"
    lines = {
        f"run own.toml --out dask --backend dask --scheduler {address}": 7,
        "run own.toml --out out --backend sequential --no-timing --set patience=3": 0,
        "status out": 0,
        "report out": 0,
        "export out --out out/exported": 0,
        "validate absent.toml": 2,
    }
    assert {line: main(line.split()) for line in lines} == lines
    files = [path for name in ("out", "dask") for path in (home / name).rglob("*")]
    texts = [path.read_bytes() for path in files if path.is_file()]
    everything = "".join(capfd.readouterr()).encode() + b"".join(texts)
    assert len(texts) > 20
    leaked = [name for name, secret in (SECRETS | PLACES).items() if secret.encode() in everything]
    assert leaked == []
