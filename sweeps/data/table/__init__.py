"""From a table to a dataset."""

from sweeps.data.table._cells import Cells
