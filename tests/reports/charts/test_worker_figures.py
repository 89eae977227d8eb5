"""The figure of many workers shows the simulation, and calls it so."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports.charts.worker_figures import time_on_workers

TABLE = pd.DataFrame(
    {
        "workers": [2, 4, 8],
        "batch_size": [16.0, 64.0, 64.0],
        "seconds_to_target": [6.0, 4.0, 5.0],
        "speedup": [1.5, 2.25, 1.8],
    }
)


def test_points_are_the_simulated_times_and_changes_of_batch_size_are_labelled() -> None:
    ax = Figure().add_subplot()
    assert time_on_workers(ax, TABLE) is ax
    perfect, simulated = ax.lines
    assert np.asarray(simulated.get_xydata()).tolist() == [[2, 6], [4, 4], [8, 5]]
    # One worker takes 9 s, which isn't shown.
    assert np.asarray(perfect.get_xydata()).tolist() == [[2, 4.5], [4, 2.25], [8, 1.125]]
    assert [(text.get_text(), text.xy) for text in ax.texts] == [("16", (2, 6)), ("64", (4, 4))]  # type: ignore[attr-defined]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "simulated" in ax.get_ylabel()
    assert str(simulated.get_label()).startswith("simulated")
    assert ax.fmt_xdata(4096) == "4,096 workers"
    ticks = ax.xaxis.get_major_formatter()
    assert ticks(1024, None) == "1,024"
