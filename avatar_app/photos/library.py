"""The photos of the gallery: those shipped with the app, and the user's own.

A photo of the user's is a copy in one folder, with a small JSON file beside it that holds its name and crop.
Photos put into the folder by hand are listed too. The user's changes to the photos of the app, and the keys 1
to 9, are in an index (`photos.index`).
"""

from __future__ import annotations

import io
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from avatar_app.errors import PortraitError
from avatar_app.files import reason, same_file
from avatar_app.media.photo import read_portrait
from avatar_app.paths import shipped_avatars, user_avatars
from avatar_app.photos.index import LibraryIndex
from avatar_app.photos.photo_files import (
    Entry,
    as_box,
    as_json,
    as_list,
    as_mapping,
    bundled_entry,
    by_name,
    file_stem,
    folded,
    photo_files,
    plain_name,
    read_json,
    readable_name,
    sidecar,
    unused_name,
    user_entry,
    write_photo_file,
)
from avatar_app.photos.pictures import Digests, FindFace, Thumbnails, digest_of, middle_box, usable
from avatar_app.text import Text
from avatar_app.types import Box, Image

__all__ = ["Entry", "Library", "Removed", "middle_box"]

QUALITY = 95


@dataclass(frozen=True, slots=True)
class Removed:
    """A removed photo, with everything needed to restore it.

    Attributes:
        files: content of the photo and of the file beside it; empty for one of the app.
    """

    entry: Entry
    files: tuple[tuple[Path, bytes], ...] = ()


class Library:
    """The list of photos. Thread-safe.

    Args:
        folder: the user's photos; created when the first one is added.
        bundled: photos of the app; never written to.
        find_face: for thumbnails; may be set later.
    """

    def __init__(
        self,
        folder: Path | None = None,
        bundled: Path | None = None,
        find_face: FindFace | None = None,
    ) -> None:
        self.folder = folder or user_avatars()
        self.bundled = bundled or shipped_avatars()
        self.find_face = find_face
        self._lock = threading.RLock()
        self._index = LibraryIndex(self.folder)
        self._entries: tuple[Entry, ...] = ()
        self._digests, self._thumbnails = Digests(), Thumbnails()
        self.reload()

    def entries(self) -> list[Entry]:
        """Return all photos in the user's order, the last added first.

        Before the first change those with keys come first in the order of the keys, then the others by name,
        with numbers sorted by value (2 before 10).
        """
        return list(self._entries)

    def find(self, file_name: str) -> Entry | None:
        """Return the photo with this file name."""
        return next((entry for entry in self._entries if entry.path.name == file_name), None)

    def search(self, text: str) -> list[Entry]:
        """Return the photos whose name has all words of ``text``, in any order and case.

        All of them for an empty text.
        """
        words = folded(text).split()
        return [
            entry
            for entry in self._entries
            if all(word in folded(f"{entry.name} {entry.path.stem}") for word in words)
        ]

    def reload(self) -> None:
        """Read the folders again. Never fails: damaged files count as missing."""
        with self._lock:
            changed = self._index.bundled()
            own = [user_entry(path) for path in photo_files(self.folder)]
            names = {entry.path.name for entry in own}
            given = [
                bundled_entry(path, as_mapping(changed.get(path.name)))
                for path in photo_files(self.bundled)
                if path.name not in names
            ]
            found = sorted([*own, *(entry for entry in given if entry is not None)], key=by_name)
            before = {entry.path.name: entry.key for entry in self._entries}
            self._entries = tuple(self._index.arrange(found, before))

    def add(self, photo: str | Path | Image, name: str | None = None, box: Box | None = None) -> Entry:
        """Copy a photo, a file or a picture (H, W, 3), into the library.

        A picture that is already there is not copied again.

        Raises:
            PortraitError: not a usable photo, or it cannot be stored.
        """
        if isinstance(photo, np.ndarray):
            image, origin, name = usable(photo), None, name or "Photo"
        else:
            path = Path(photo)
            if same_file(path.parent, self.folder):
                self.reload()
                there = self.find(path.name)
                if there is not None:
                    return there if box is None else self.set_box(there, box)
            image, origin, name = read_portrait(path), path.name, name or readable_name(path.stem)
        digest = digest_of(image)
        with self._lock:
            same = self._with_picture(digest)
            if same is None:
                return self._store(
                    image,
                    digest,
                    {"name": plain_name(name) or "Photo", "box": as_list(box), "origin": origin},
                )
            if self.find(same.path.name) is None:
                self._change_bundled(same.path.name, hidden=None)
            there = self._current(same)
            return there if box is None else self.set_box(there, box)

    def add_bytes(self, data: bytes, name: str | None = None) -> Entry:
        """Add a photo from the content of a picture file, as in the clipboard.

        Raises PortraitError.
        """
        return self.add(_pasted(data), name)

    def rename(self, entry: Entry, name: str) -> Entry:
        """Give a photo another name; its file name stays.

        Raises PortraitError if the name is empty or cannot be stored.
        """
        plain = plain_name(name)
        if not plain:
            raise PortraitError(
                Text("The photo {} needs a name.", entry.name), Text("Type at least one letter.")
            )
        return self._change(entry, name=plain)

    def set_box(self, entry: Entry, box: Box | None, turn: int | None = None) -> Entry:
        """Set the crop and the rotation of a photo.

        Raises PortraitError.

        Args:
            box: in pixels of the turned photo; None: fitted to the face.
            turn: clockwise quarter turns; None: found with the face.
        """
        if box is not None and as_box(as_list(box)) is None:
            raise PortraitError(
                Text("The crop {} of {} is not a square of a photo.", box, entry.name),
                Text("Choose a larger one."),
            )
        return self._change(entry, box=as_list(box), turn=turn)

    def remove(self, entry: Entry) -> Removed:
        """Delete the copy of a photo, or hide one of the app.

        ``restore`` brings it back. Raises PortraitError.
        """
        with self._lock:
            if entry.bundled:
                self._change_bundled(entry.path.name, hidden=True)
                return Removed(entry)
            files = (entry.path, sidecar(entry.path))
            try:
                kept = tuple((path, path.read_bytes()) for path in files if path.is_file())
                for path in files:
                    path.unlink(missing_ok=True)
            except OSError as problem:
                raise PortraitError(
                    Text("The photo {} cannot be removed: {}.", entry.path, reason(problem)),
                    Text("Check its permissions."),
                ) from None
            self.reload()
            return Removed(entry, kept)

    def restore(self, removed: Removed) -> None:
        """Restore a removed photo. Raises PortraitError."""
        with self._lock:
            if removed.entry.bundled:
                self._change_bundled(removed.entry.path.name, hidden=None)
                return
            for path, content in removed.files:
                write_photo_file(path, content)
            self.reload()

    def move(self, entry: Entry, before: Entry | None) -> None:
        """Move a photo before another one, or to the end. Raises PortraitError."""
        with self._lock:
            names = [other.path.name for other in self._entries if other.path != entry.path]
            place = names.index(before.path.name) if before and before.path.name in names else len(names)
            names.insert(place, entry.path.name)
            self._index.save_order(names)
            self.reload()

    def hidden(self) -> int:
        """Return the number of removed photos of the app."""
        shown = {entry.path.name for entry in self._entries}
        return sum(path.name not in shown for path in photo_files(self.bundled))

    def restore_bundled(self) -> None:
        """Show all photos of the app again. Raises PortraitError."""
        with self._lock:
            self._index.show_bundled()
            self.reload()

    def thumbnail(self, entry: Entry, side: int) -> Image:
        """Return the photo's crop as (side, side, 3).

        Slow the first time, then kept in memory. Raises PortraitError.
        """
        return self._thumbnails.of(entry, side, self.find_face)

    def _current(self, entry: Entry) -> Entry:
        there = self.find(entry.path.name)
        if there is None:
            raise PortraitError(
                Text("The photo {} is no longer in the library.", entry.name), Text("Reload the list.")
            )
        return there

    def _change(self, entry: Entry, **values: Any) -> Entry:
        """Replace values of a photo's description, wherever it is stored."""
        with self._lock:
            if entry.bundled:
                self._change_bundled(entry.path.name, **values)
                return self._current(entry)
            if not entry.path.is_file():
                self.reload()
                self._current(entry)
            path = sidecar(entry.path)
            write_photo_file(path, as_json({**read_json(path), **values}))
            self.reload()
            return self._current(entry)

    def _change_bundled(self, file_name: str, **values: Any) -> None:
        self._index.change_bundled(file_name, values)
        self.reload()

    def _store(self, image: Image, digest: str, values: Mapping[str, Any]) -> Entry:
        taken = {path.name.casefold() for path in [*photo_files(self.folder), *photo_files(self.bundled)]}
        path = self.folder / unused_name(file_stem(values["name"]), taken)
        data = io.BytesIO()
        PIL.Image.fromarray(image).save(data, "JPEG", quality=QUALITY, subsampling=0)
        write_photo_file(sidecar(path), as_json({**values, "picture": digest}))
        try:
            write_photo_file(path, data.getvalue())
        except PortraitError:
            with suppress(OSError):
                sidecar(path).unlink()
            raise
        self.reload()
        entry = self._current(Entry(path, values["name"]))
        self.move(entry, self._entries[0])
        return self._current(entry)

    def _with_picture(self, digest: str) -> Entry | None:
        """Return the photo, hidden or not, that was made from the same picture."""
        own = ((path, False) for path in photo_files(self.folder))
        given = ((path, True) for path in photo_files(self.bundled))
        for path, bundled in (*own, *given):
            if self._digests.of(path, bundled) == digest:
                return Entry(path, path.stem, bundled)
        return None


def _of_pasted(message: Text) -> Text:
    """Rephrase a problem of a file for pasted data, which has no path."""
    values = message.values[1:]
    said = {
        "There is no {} {}.": lambda: Text("The picture cannot be read."),
        "The {} {} is empty (0 bytes).": lambda: Text("The picture is empty (0 bytes)."),
        "The photo {} has only {} x {} pixels.": lambda: Text(
            "The picture has only {} x {} pixels.", *values
        ),
        "The photo {} is damaged or cut short: {}.": lambda: Text(
            "The picture is damaged or cut short: {}.", *values
        ),
        "The photo {} is far too large to be read.": lambda: Text("The picture is far too large to be read."),
        "{} is not a picture that can be read.": lambda: Text(
            "What was pasted is not a picture that can be read."
        ),
    }
    return said.get(message.template, lambda: message)()


def _pasted(data: bytes) -> Image:
    """Read the picture in ``data``, by way of a file. Raises PortraitError."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture"
            path.write_bytes(data)
            return read_portrait(path)
    except PortraitError as error:
        raise PortraitError(_of_pasted(error.message), error.hint) from None
    except OSError as problem:
        place = problem.filename or tempfile.tempdir
        hint = Text("Free some space, or check the folder's permissions.")
        raise PortraitError(Text("The library cannot write {}: {}.", place, reason(problem)), hint) from None
