"""Find a photo by its name in the gallery, or the path of any file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from avatar_app.errors import PortraitError
from avatar_app.files import same_file
from avatar_app.photos.library import Entry, Library
from avatar_app.text import Text


def find_photo(text: str, library: Library) -> Entry:
    """Return the photo with this name in the gallery, in any case, or at this path.

    Raises:
        PortraitError: there is none; the hint lists the gallery's names.
    """
    path, entries = Path(text), library.entries()
    by_name = (entry for entry in entries if entry.name.casefold() == text.casefold())
    by_path = (entry for entry in entries if same_file(entry.path, path))
    found = next(by_name, None) or next(by_path, None) or photo_elsewhere(path)
    if found is None:
        names = ", ".join(entry.name for entry in entries)
        message = Text("There is no photo {}, neither as a file nor in the gallery.", text)
        raise PortraitError(message, Text("The gallery has: {}.", names))
    return found


def photo_elsewhere(path: Path) -> Entry | None:
    """Return a file outside the gallery as a photo; None if it does not exist."""
    with suppress(OSError, ValueError):  # in an unreadable folder, or an impossible path
        if path.is_file():
            return Entry(path.absolute(), path.stem)
    return None
