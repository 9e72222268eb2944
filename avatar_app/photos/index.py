"""The library's JSON file: order, number keys, changes to photos of the app."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from avatar_app.files import keep_damaged, write_whole
from avatar_app.photos.photo_files import Entry, as_json, as_mapping, read_json, without, write_photo_file

INDEX = "index.json"
KEYS = range(1, 10)


class LibraryIndex:
    """The file ``INDEX`` in the folder of the user's photos.

    A missing or damaged file counts as empty. Methods that write raise PortraitError.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX

    def bundled(self) -> Mapping[str, Any]:
        """Return the user's changes to the photos of the app, by file name."""
        return as_mapping(self._read().get("bundled"))

    def change_bundled(self, file_name: str, values: Mapping[str, Any]) -> None:
        """Replace values of one photo of the app."""
        changed = self.bundled()
        self._save(bundled={**changed, file_name: {**as_mapping(changed.get(file_name)), **values}})

    def show_bundled(self) -> None:
        """Show all hidden photos of the app again."""
        self._save(
            bundled={name: without(as_mapping(values), "hidden") for name, values in self.bundled().items()}
        )

    def save_order(self, file_names: list[str]) -> None:
        """Store the order of the list."""
        self._save(order=file_names)

    def arrange(self, entries: list[Entry], before: Mapping[str, int | None]) -> list[Entry]:
        """Apply the stored keys and order to photos.

        New keys are stored.

        Args:
            before: keys by file name, for photos whose key is not stored.
        """
        stored = self._read()
        keyed = _with_keys(entries, {**before, **as_mapping(stored.get("keys"))})
        keys = {entry.path.name: entry.key for entry in keyed if entry.key is not None}
        if keys != stored.get("keys") and self._path.parent.is_dir():
            with suppress(OSError):  # the same keys are chosen the next time
                keep_damaged(self._path)
                write_whole(self._path, as_json({**stored, "keys": keys}))
        return _ordered(keyed, stored.get("order"))

    def _read(self) -> Mapping[str, Any]:
        return read_json(self._path)

    def _save(self, **values: Any) -> None:
        write_photo_file(self._path, as_json({**self._read(), **values}))


def _ordered(entries: list[Entry], stored: object) -> list[Entry]:
    """Sort by the stored order; others come last, those with keys first."""
    names = [name for name in stored if isinstance(name, str)] if isinstance(stored, list) else []
    places = {name: number for number, name in enumerate(names)}
    return sorted(
        entries, key=lambda entry: (places.get(entry.path.name, len(places)), entry.key or KEYS.stop)
    )


def _with_keys(entries: list[Entry], stored: Mapping[str, Any]) -> list[Entry]:
    """Keep existing keys; give free ones to the first photos without."""
    kept: dict[int, str] = {}
    for entry in entries:
        key = stored.get(entry.path.name)
        if type(key) is int and key in KEYS:
            kept.setdefault(key, entry.path.name)
    holders = set(kept.values())
    waiting = [entry.path.name for entry in entries if entry.path.name not in holders]
    free = [key for key in KEYS if key not in kept]
    kept.update(zip(free, waiting, strict=False))
    keys = {name: key for key, name in kept.items()}
    return [replace(entry, key=keys.get(entry.path.name)) for entry in entries]
