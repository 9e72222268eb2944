"""Print text safely: text from outside can only be displayed."""

from __future__ import annotations

import sys
import unicodedata

TURNING = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the writing direction, so that a name would read as another."""


def printable(text: str) -> str:
    """Replace characters that a terminal would obey: escapes, bells, directions.

    Lines stay lines. File names, licences of models and answers of servers come from others.
    """
    return "".join(
        "?" if letter in TURNING or (unicodedata.category(letter) == "Cc" and letter != "\n") else letter
        for letter in text
    )


def say(text: str = "", *, error: bool = False) -> None:
    """Print a line for people, on stderr for errors."""
    print(printable(text), file=sys.stderr if error else sys.stdout, flush=True)
