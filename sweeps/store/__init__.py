"""The study's store: one SQLite file."""

from sweeps.store._store import FILE, Store
from sweeps.store.lock import owner_of
from sweeps.store.rows import strict
from sweeps.store.study_results import (
    Plan,
    read_experiment,
    results,
    save_experiment,
    stored_experiment,
)
