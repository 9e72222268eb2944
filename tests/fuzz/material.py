"""Hostile input: files that were valid once, and JSON of every shape."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

HARD_NUMBERS = [0, 1, 255, 256, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]
NOT_TEXT = ["\x00", "\ud800", "../..", "/dev/zero", "\u202e", "a" * 5000, "\n\x1b[31m"]

TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(NOT_TEXT)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e308, -0.0, 2**63, 2**31])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)
"""What JSON can express, plus NaN and infinity, which Python's reader accepts too."""

NASTY = [
    b"",
    b"null",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"9" * 5000,
    b"-1e999",
    b'"\\ud800"',
    b'{"a": 1, "a": 2}',
    b"{}" + b" " * 100_000 + b"x",
    b"\x00" * 1000,
]
"""Files that have broken JSON readers."""

DEEP = b'{"format": 1, "version": 1, "keys": ' + b"[" * 900 + b"]" * 900 + b"}"
"""Just shallow enough to be read."""


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file after some edits, most of them near its start, where the headers are.

    Sometimes truncated or doubled.
    """
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        reach = draw(st.sampled_from([64, 512, len(data)]))
        at = draw(st.integers(0, max(0, min(reach, len(data)) - 1)))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == 1:
            number = draw(st.sampled_from(HARD_NUMBERS)).to_bytes(4, draw(st.sampled_from(["big", "little"])))
            data[at : at + 4] = number
        elif kind == 2:
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == 3:
            data[at:at] = draw(st.binary(max_size=64)) or data[at : at + 64]
        else:
            del data[max(at, 16) :]
    return bytes(data)


@st.composite
def changed(draw: st.DrawFn, document: Any) -> bytes:
    """A document as JSON with one or two of its values replaced, added or removed, or another document."""
    content = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        place, key = draw(st.sampled_from(_places(content)))
        if draw(st.integers(0, 5)) == 0:
            place.pop(key)
        else:
            place[key] = draw(VALUES)
        if not _places(content):
            break
    if isinstance(content, dict) and draw(st.integers(0, 4)) == 0:
        content[draw(TEXTS)] = draw(VALUES)
    return as_json(content)


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    keys: list[Any] = (
        list(content)
        if isinstance(content, dict)
        else list(range(len(content)))
        if isinstance(content, list)
        else []
    )
    return [(content, key) for key in keys] + [place for key in keys for place in _places(content[key])]
