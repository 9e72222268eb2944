"""Read numbers of the command line, with clear errors."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from fractions import Fraction

from avatar_app.control.address import is_name

MOST_THREADS = 256
"""Limit, far more than useful; tens of thousands would halt a computer."""


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers from ``least`` to ``most``, or without a limit."""
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
    """Read a time in seconds; may be negative."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds")
    return number


def clock_time(text: str) -> Fraction:
    """Read a time in a clip, such as ``12.5``, ``1:02.5`` or ``1:00:00``, in seconds."""
    if not re.fullmatch(r"(\d{1,3}:)?(\d{1,4}:)?\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a time such as 12.5 or 1:02.5")
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return seconds


def instance_name(text: str) -> str:
    """Read the name of one of several running apps."""
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is not a name of up to 24 letters from a to z, digits, - and _"
        )
    return text


def decimal(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers from ``least`` to ``most``."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from {least:g} to {most:g}")
        return number

    return read


def offset(text: str) -> tuple[float, float]:
    """Read two fractions of the picture, from -1 to 1, such as ``0.1,-0.05``."""
    read = decimal(-1, 1)
    across, comma, down = text.partition(",")
    if not comma:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not two numbers such as 0.1,-0.05")
    return read(across), read(down)


def frame_size(least: int, most: int) -> Callable[[str], tuple[int, int]]:
    """Return a reader of a square's side in pixels, or ``WIDTHxHEIGHT``."""
    side = whole_number(least, most)

    def read(text: str) -> tuple[int, int]:
        width, times, height = text.lower().partition("x")
        return side(width), side(height if times else width)

    return read
