"""Datasets: where they come from, how they are read and split."""

from sweeps.data.splits import REGRESSION, Dataset, Preparation, Source, prepare
