"""The files of the photo library.

Photos, the small JSON files beside them, and names.
"""

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
        name: what people see.
        box: the user's crop, in pixels of the upright photo; None: fitted to the face.
        turn: quarters clockwise that bring the photo upright, as the user chose; None: found with the face.
        key: the number key 1..9 that chooses it, None when nine others have them.
    """

    path: Path
    name: str
    bundled: bool = False
    box: Box | None = None
    turn: int | None = None
    key: int | None = None


def photo_files(folder: Path) -> list[Path]:
    """The photos in a folder; none where it cannot be read."""
    with suppress(OSError):
        return picture_files(folder)
    return []


def sidecar(path: Path) -> Path:
    """The JSON file beside a photo."""
    return path.with_name(path.name + ".json")


def read_json(path: Path) -> Mapping[str, Any]:
    """The JSON mapping in a file.

    Empty where there is none, with a line in the log where it is damaged.
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
    """A mapping less one key."""
    return {name: value for name, value in values.items() if name != key}


def as_json(values: Mapping[str, Any]) -> bytes:
    """The content of a JSON file, as :func:`read_json` reads it."""
    return (json.dumps(values, indent=2) + "\n").encode()


def write_photo_file(path: Path, data: bytes) -> None:
    """Write a file of the library whole. Raises PortraitError."""
    try:
        if path.suffix == ".json":
            keep_damaged(path)
        write_whole(path, data)
    except OSError as problem:
        hint = Text("Free some space, or check the folder's permissions.")
        raise PortraitError(Text("The library cannot write {}: {}.", path, reason(problem)), hint) from None


def user_entry(path: Path) -> Entry:
    """A photo of the user's own with what its sidecar says."""
    values = read_json(sidecar(path))
    return Entry(path, _name(values, path), False, as_box(values.get("box")), as_turn(values.get("turn")))


def bundled_entry(path: Path, values: Mapping[str, Any]) -> Entry | None:
    """A photo of the app as the user changed it; None: hidden."""
    if values.get("hidden") is True:
        return None
    return Entry(path, _name(values, path), True, as_box(values.get("box")), as_turn(values.get("turn")))


def _name(values: Mapping[str, Any], path: Path) -> str:
    name = values.get("name")
    return (plain_name(name) if isinstance(name, str) else "") or readable_name(path.stem) or path.name


def plain_name(name: str) -> str:
    """A name on one line, without control characters, not overlong."""
    text = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name)
    return " ".join(text.split())[:LONGEST_NAME].strip()


def readable_name(stem: str) -> str:
    """A file's stem as a name for people."""
    text = plain_name(re.sub(r"[_\-]+", " ", stem))
    return text[:1].upper() + text[1:]


def file_stem(name: str) -> str:
    """A file's stem from a name. It begins with a letter that no system reserves."""
    text = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFC", name.lower())).strip("-_")[:60]
    return f"photo-{text}" if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)?", text) else text


def unused_name(stem: str, taken: Iterable[str]) -> str:
    """A file name that is not among ``taken``, which are folded.

    Some systems do not distinguish upper and lower case.
    """
    names = set(taken)
    number, name = 2, f"{stem}.jpg"
    while name.casefold() in names:
        number, name = number + 1, f"{stem}-{number}.jpg"
    return name


def as_box(value: object) -> Box | None:
    """A stored crop; None where it makes no sense."""
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
    """A stored turn; None where it makes no sense."""
    return value if type(value) is int and 0 <= value < 4 else None


def as_list(box: Box | None) -> list[float] | None:
    """A crop as it is stored."""
    return None if box is None else [box.center_x, box.center_y, box.size]


def by_name(entry: Entry) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts by name as people count."""
    return natural(folded(entry.name)), entry.path.name


def folded(text: str) -> str:
    """Text for comparing: without cases."""
    return unicodedata.normalize("NFC", text).casefold()


def stamp(path: Path) -> object:
    """Changes when the file does; None where it cannot be read."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
