"""The noisy quadratic model: learning curves known exactly, step by step and in closed form.

Loss `1/2 sum h_i x_i^2` with curvatures h_i, gradients with noise of variance h_i / B, start
`E x_i^2 = 1`. One update of SGD with rate a changes s_i = E x_i^2 to

    (1 - a h_i)^2 s_i + a^2 h_i / B

Source: Zhang et al. 2019, Which algorithmic choices matter at which batch sizes?, section 3.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from scipy import optimize


def curvatures(count: int) -> np.ndarray:
    """Return h_i = 1 / i."""
    return 1 / np.arange(1, count + 1)


def recursion(
    h: np.ndarray, rates: np.ndarray, batch: float, cadence: np.ndarray
) -> Annotated[np.ndarray, "evaluation rate"]:
    """Return the expected loss of every rate after these numbers of updates, step by step."""
    shrink, noise = (1 - np.multiply.outer(rates, h)) ** 2, np.multiply.outer(rates**2, h) / batch
    s, losses, made = np.ones(shrink.shape), [], 0
    for updates in cadence:
        for _ in range(updates - made):
            s *= shrink
            s += noise
        made = updates
        losses.append(s @ h / 2)
    return np.array(losses)


def loss_at(h: np.ndarray, rate: float, batch: float, updates: np.ndarray) -> np.ndarray:
    """Return the expected loss after these updates, whole or not, in closed form."""
    rest = rate / (batch * (2 - rate * h))
    decay = np.exp(2 * np.multiply.outer(updates, np.log(np.abs(1 - rate * h) + 1e-300)))
    return (rest + decay * (1 - rest)) @ h / 2


def updates_needed(h: np.ndarray, rate: float, batch: float, level: float) -> float:
    """Return the updates after which the expected loss is at the level; infinite if never."""
    if rate >= 2 / h.max() or float(h @ (rate / (batch * (2 - rate * h)))) / 2 >= level:
        return math.inf

    def above(log_updates: float) -> float:
        return float(loss_at(h, rate, batch, np.array(math.exp(log_updates)))) - level

    return math.exp(optimize.brentq(above, -10, 40, xtol=1e-10))


def best_rate(h: np.ndarray, batch: float, level: float) -> float:
    """Return the rate that needs the fewest updates, to about 1e-5."""
    rates = np.geomspace(1e-6, 2, 200)
    updates = [updates_needed(h, rate, batch, level) for rate in rates]
    best = int(np.argmin(updates))
    minimum = optimize.minimize_scalar(
        lambda log: updates_needed(h, math.exp(log), batch, level),
        bounds=(math.log(rates[best - 1]), math.log(rates[min(best + 1, 199)])),
        method="bounded",
    )
    return math.exp(minimum.x)
