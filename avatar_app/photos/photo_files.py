"""The files of the photo library: photos, JSON files beside them, and names."""

from __future__ import annotations

import json
import logging
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_app.errors import PortraitError
from avatar_app.files import keep_damaged, natural, parse_json, read_small, reason, write_whole
from avatar_app.media.photo import picture_files
from avatar_app.text import Text
from avatar_app.types import Box

log = logging.getLogger(__name__)

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Entry:
    """One photo.

    Attributes:
        path: the file; its last part names the photo in settings and is unique in the library.
        name: shown to people.
        box: the user's crop, in pixels of the upright photo; None: fitted to the face.
        turn: clockwise quarter turns chosen by the user; None: found with the face.
        key: the number key 1..9 that chooses it, None if nine others have them.
    """

    path: Path
    name: str
    bundled: bool = False
    box: Box | None = None
    turn: int | None = None
    key: int | None = None


def photo_files(folder: Path) -> list[Path]:
    """Return the photos in a folder; none if it cannot be read."""
    with suppress(OSError):
        return picture_files(folder)
    return []


def sidecar(path: Path) -> Path:
    """Return the path of the JSON file beside a photo."""
    return path.with_name(path.name + ".json")


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the JSON mapping in a file.

    Empty if there is none; a damaged one is logged.
    """
    try:
        return as_mapping(parse_json(read_small(path)), path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        log.warning("%s is ignored: %s", path, problem)
        return {}


def as_mapping(value: object, path: Path | None = None) -> Mapping[str, Any]:
    """Return a JSON value if it is an object, else an empty mapping.

    The log names the file ``path``, if given.
    """
    if isinstance(value, dict):
        return value
    if path is not None:
        log.warning("%s is ignored: it is no JSON object", path)
    return {}


def without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a mapping without one key."""
    return {name: value for name, value in values.items() if name != key}


def as_json(values: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON file for :func:`read_json`."""
    return (json.dumps(values, indent=2) + "\n").encode()


def write_photo_file(path: Path, data: bytes) -> None:
    """Write a file of the library atomically. Raises PortraitError."""
    try:
        if path.suffix == ".json":
            keep_damaged(path)
        write_whole(path, data)
    except OSError as problem:
        hint = Text("Free some space, or check the folder's permissions.")
        raise PortraitError(Text("The library cannot write {}: {}.", path, reason(problem)), hint) from None


def user_entry(path: Path) -> Entry:
    """Return a photo of the user's own with the values of its sidecar."""
    values = read_json(sidecar(path))
    return Entry(path, _name(values, path), False, as_box(values.get("box")), as_turn(values.get("turn")))


def bundled_entry(path: Path, values: Mapping[str, Any]) -> Entry | None:
    """Return a photo of the app with the user's changes; None: hidden."""
    if values.get("hidden") is True:
        return None
    return Entry(path, _name(values, path), True, as_box(values.get("box")), as_turn(values.get("turn")))


def _name(values: Mapping[str, Any], path: Path) -> str:
    name = values.get("name")
    return (plain_name(name) if isinstance(name, str) else "") or readable_name(path.stem) or path.name


def plain_name(name: str) -> str:
    """Return a name on one line, without control characters, of limited length."""
    text = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name)
    return " ".join(text.split())[:LONGEST_NAME].strip()


def readable_name(stem: str) -> str:
    """Turn a file's stem into a name for people."""
    text = plain_name(re.sub(r"[_\-]+", " ", stem))
    return text[:1].upper() + text[1:]


def file_stem(name: str) -> str:
    """Turn a name into a file's stem. It begins with a letter that no system reserves."""
    text = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFC", name.lower())).strip("-_")[:60]
    return f"photo-{text}" if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)?", text) else text


def unused_name(stem: str, taken: Iterable[str]) -> str:
    """Return a file name that is not among ``taken``, which are folded.

    Some systems do not distinguish upper and lower case.
    """
    names = set(taken)
    number, name = 2, f"{stem}.jpg"
    while name.casefold() in names:
        number, name = number + 1, f"{stem}-{number}.jpg"
    return name


def as_box(value: object) -> Box | None:
    """Return a stored crop; None if it is invalid."""
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(isinstance(number, int | float) for number in value)
    ):
        return None
    with suppress(OverflowError):
        box = Box(*map(float, value))
        if box.size >= 1 and all(map(math.isfinite, (box.center_x, box.center_y, box.size))):
            return box
    return None


def as_turn(value: object) -> int | None:
    """Return a stored rotation; None if it is invalid."""
    return value if type(value) is int and 0 <= value < 4 else None


def as_list(box: Box | None) -> list[float] | None:
    """Return a crop in its stored form."""
    return None if box is None else [box.center_x, box.center_y, box.size]


def by_name(entry: Entry) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts by name, with numbers by value."""
    return natural(folded(entry.name)), entry.path.name


def folded(text: str) -> str:
    """Return text for case-insensitive comparison."""
    return unicodedata.normalize("NFC", text).casefold()


def stamp(path: Path) -> object:
    """Return a value that changes when the file does; None if it cannot be read."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
