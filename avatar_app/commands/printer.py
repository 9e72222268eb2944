"""What commands print.

One place, so that no text from outside can do more than be read.
"""

from __future__ import annotations

import sys
import unicodedata

TURNING = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Letters that turn the direction of writing, so that a name reads as another."""


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of show.

    Escapes, bells, turns of the direction of writing; lines stay lines.

    Names of files, licences of models and what servers answer come from others.
    """
    return "".join(
        "?" if letter in TURNING or (unicodedata.category(letter) == "Cc" and letter != "\n") else letter
        for letter in text
    )


def say(text: str = "", *, error: bool = False) -> None:
    """Print a line for people, on stderr where it is about what went wrong."""
    print(printable(text), file=sys.stderr if error else sys.stdout, flush=True)
