"""Read and write model bundles.

A bundle is a folder of weights, ONNX files and a description. All files are checked against their hashes
before they are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_app.errors import BundleError
from avatar_app.files import expanded, is_there, parse_json, read_small, reason, require_ordinary, swap
from avatar_app.paths import model_folders
from avatar_app.text import Text

FORMAT = 1
DESCRIPTION = "bundle.json"
CARD = "CARD.md"
KINDS = ("fomm", "anchored", "monkeynet", "x2face", "faces")
SMALLEST, LARGEST = 16, 2048
"""Limits of the side of a model's pictures, in pixels."""
REPAIR = Text("Run `models list` to see all models; import or fetch this one again.")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model on disk.

    Attributes:
        kind: one of ``KINDS``.
        size: side of its input and output pictures, in pixels.
        config: configuration of the networks, as their ``from_dict`` reads it.
        licence: of the weights.
        hashes: file name -> SHA-256, for every file but the description and the card.
    """

    folder: Path
    name: str
    kind: str
    size: int
    config: Mapping[str, Any]
    licence: str
    hashes: Mapping[str, str]

    def file(self, name: str) -> Path:
        """Return the path of one file. Raises BundleError if the bundle does not list it."""
        if name not in self.hashes:
            raise BundleError(
                Text("The model {} has no {}.", self.name, name),
                Text("Import it again, so that all files are made."),
            )
        return self.folder / name

    def read(self, name: str) -> bytes:
        """Return the content of one file: the very bytes whose hash was checked.

        Raises BundleError if it is missing or damaged.
        """
        path = self.file(name)
        with self._reading(path):
            require_ordinary(path)
            content = path.read_bytes()
        self._require_hash(path, hashlib.sha256(content).hexdigest())
        return content

    def verify(self) -> None:
        """Raise BundleError at the first file that is missing or differs from its hash."""
        for name in self.hashes:
            path = self.file(name)
            with self._reading(path):
                found = sha256(path)
            self._require_hash(path, found)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise BundleError(
                Text("The model {} is incomplete: {} is missing.", self.name, path), REPAIR
            ) from None
        except OSError as error:
            raise BundleError(Text("The file {} cannot be read: {}.", path, reason(error)), REPAIR) from None

    def _require_hash(self, path: Path, found: str) -> None:
        expected = self.hashes[path.name]
        if found != expected:
            message = Text(
                "The file {} is damaged: its SHA-256 is {}..., not {}....", path, found[:12], expected[:12]
            )
            raise BundleError(message, REPAIR)


def open_bundle(name_or_path: str | Path) -> Bundle:
    """Find a bundle by name, or take the folder at a path, and check all its files.

    Raises:
        BundleError: unknown, incomplete, damaged or of an unknown format.
    """
    bundle = read_bundle(find_bundle(name_or_path))
    bundle.verify()
    return bundle


def find_bundle(name_or_path: str | Path) -> Path:
    """Return the folder of a bundle. Raises BundleError that lists the known names."""
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or any(
        separator in name for separator in (os.sep, os.altsep) if separator
    ):
        folder = expanded(name_or_path)
        if not is_there(folder / DESCRIPTION):
            raise BundleError(
                Text("There is no model in the folder {}: it has no {}.", folder, DESCRIPTION),
                Text("Check the path."),
            )
        return folder
    for place in model_folders():
        if name and is_there(place / name / DESCRIPTION):
            return place / name
    known = ", ".join(bundle.name for bundle in list_bundles() if bundle.kind != "faces") or "none yet"
    raise BundleError(Text("There is no model called {}.", repr(name)), Text("Known models: {}.", known))


def list_bundles() -> list[Bundle]:
    """Return all readable bundles, sorted by name, without checking their files.

    Of two with the same name it is the one that `open_bundle` takes.
    """
    found: dict[str, Bundle] = {}
    for folder in bundle_folders():
        with suppress(BundleError):
            found.setdefault(folder.name, read_bundle(folder))
    return [found[name] for name in sorted(found)]


def bundle_folders() -> Iterator[Path]:
    """Return all folders with a description, in the order of the look-up of names.

    Unreadable folders are included.
    """
    for place in model_folders():
        if place.is_dir():
            yield from sorted(
                path.parent for path in place.glob(f"*/{DESCRIPTION}") if not path.parent.name.startswith(".")
            )


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle's description without checking its files.

    Raises BundleError if it is invalid.
    """
    path = folder / DESCRIPTION
    try:
        content = parse_json(read_small(path))
    except OSError as error:
        raise BundleError(
            Text("The description {} cannot be read: {}.", path, reason(error)), REPAIR
        ) from None
    except ValueError:
        raise BundleError(Text("The description {} is damaged: it is not JSON.", path), REPAIR) from None
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        message = Text(
            "The model in {} has the format version {}, but this app reads version {}.",
            folder,
            repr(version),
            FORMAT,
        )
        raise BundleError(message, Text("Update the app, or import the model again."))
    try:
        return _parsed(folder, content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            Text("The description {} is damaged: {} {}.", path, type(error).__name__, error), REPAIR
        ) from None


def _parsed(folder: Path, content: Mapping[str, Any]) -> Bundle:
    hashes = {str(name): str(entry["sha256"]) for name, entry in content["files"].items()}
    for name in hashes:
        if name in ("", "..") or Path(name).name != name or "\\" in name or not name.isprintable():
            raise ValueError(f"the file name {name!r} leaves the folder")
    kind, size, config = content["kind"], content["size"], content["config"]
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}")
    if type(size) is not int or not SMALLEST <= size <= LARGEST:  # True is an int as well
        raise ValueError(f"impossible size {size!r}")
    if not isinstance(config, dict):
        raise ValueError("config is no mapping")
    return Bundle(folder, folder.resolve().name, kind, size, config, str(content["licence"]), hashes)


def write_bundle(
    folder: Path,
    *,
    kind: str,
    size: int,
    config: Mapping[str, Any],
    licence: str,
    fill: Callable[[Path], None],
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle completely or not at all, named like its folder.

    Args:
        fill: writes the bundle's files into the empty folder it is given; the description is added here.
        overwrite: replace an existing bundle.

    Raises:
        BundleError: it exists already, or cannot be written.
    """
    if folder.exists() and not overwrite:
        raise BundleError(
            Text("There is a model called {} already, in {}.", folder.name, folder),
            Text("Choose another name, or delete that folder."),
        )
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The dot hides the partial folder from lists; it is beside the target so that renaming is atomic.
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        content = temporary / "content"
        content.mkdir()
        fill(content)
        _describe(content, folder.name, kind=kind, size=size, config=config, licence=licence)
        swap(content, folder, temporary / "old")
    except OSError as error:
        raise BundleError(
            Text("The model {} cannot be written: {}.", folder, reason(error)),
            Text("Free some space or check permissions."),
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return read_bundle(folder)


def _describe(folder: Path, name: str, **facts: Any) -> None:
    paths = [path for path in sorted(folder.iterdir()) if path.name != CARD]
    files = {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths}
    content = {"format": FORMAT, "name": name, **facts, "files": files}
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the hash of a file, in hexadecimal. Raises OSError."""
    require_ordinary(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_name(name: str) -> str:
    """Return a name that can be a folder on every system, or raise BundleError."""
    good = (
        name
        and name[0].isalnum()
        and all(letter.isalnum() or letter in "-_." for letter in name)
        and name.isascii()
    )
    reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.IGNORECASE)  # by Windows
    if not good or len(name) > 64 or name.endswith(".") or reserved:
        raise BundleError(
            Text("A model cannot be called {}.", repr(name)),
            Text("Use letters, digits, '-', '_' and '.', and begin with a letter or digit."),
        )
    return name
