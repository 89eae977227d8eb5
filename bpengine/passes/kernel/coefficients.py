"""Coefficients of the polynomials in functions.h: prints coefficients.h.

Each is the interpolation at Chebyshev's points, which is within a small factor of the best there
is, computed with 60 digits.

    python bpengine/passes/kernel/coefficients.py > bpengine/passes/kernel/coefficients.h
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import chop, cos, exp, log, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 60


def interpolation(function: Callable[[mpf], mpf], low: mpf, high: mpf, count: int) -> list[mpf]:
    """Return `count` coefficients, the highest power first."""
    angles = [pi * (2 * i + 1) / (2 * count) for i in range(count)]
    points = [(low + high) / 2 + (high - low) / 2 * cos(angle) for angle in angles]
    powers = matrix([[x**power for power in range(count)] for x in points])
    solved = lu_solve(powers, matrix([function(x) for x in points]))
    return [chop(value) for value in reversed(list(solved))]


def exp_rest(r: mpf) -> mpf:
    """Return (exp(r) - 1 - r) / r^2."""
    near = mpf(1) / 2 + r / 6 + r**2 / 24
    return near if abs(r) < mpf("1e-20") else (exp(r) - 1 - r) / r**2


def log_rest(z: mpf) -> mpf:
    """Return ((log(1 + f) - f + f^2 / 2) / s - f^2 / 2) / z, where s = f / (2 + f) and z = s^2."""
    s = sqrt(z)
    f = 2 * s / (1 - s)
    return ((log(1 + f) - f + f**2 / 2) / s - f**2 / 2) / z


def main() -> None:
    """Print the header."""
    print("// Made by coefficients.py. Of each polynomial the highest power comes first.\n")
    reach = log(2) / 2
    largest = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2
    for name, function, low, high, counts in (
        ("EXP", exp_rest, -reach, reach, {32: 5, 64: 11}),
        ("LOG", log_rest, mpf("1e-12"), largest, {32: 4, 64: 8}),
    ):
        for precision, count in counts.items():
            values = interpolation(function, low, high, count)
            text = ", ".join(mp.nstr(value, 18) for value in values)
            print(f"#if PRECISION == {precision}\nstatic const REAL {name}[] = {{{text}}};\n#endif")


if __name__ == "__main__":
    main()
