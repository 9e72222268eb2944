"""Numbers on the command line: a wrong one is said in words."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

MOST_THREADS = 256
"""Far more than useful here; tens of thousands would bring a computer to a halt."""


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """What reads a whole number from ``least`` to ``most``, or without an upper end."""
    wanted = f"a whole number from {least} to {most}" if most is not None else f"a whole number from {least}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {wanted}") from None
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{number} is not {wanted}")
        return number

    return read


def seconds(text: str) -> float:
    """A time; may be negative."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds")
    return number
