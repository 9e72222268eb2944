"""Remember where the faces of photos are.

The next start then need not find them again.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avatar_app.files import write_whole
from avatar_app.photos.photo_files import as_box, as_json, as_list, as_mapping, as_turn, read_json
from avatar_app.photos.pictures import FindFace, digest_of
from avatar_app.types import Box, Image

log = logging.getLogger(__name__)

MOST = 400
"""Photos that are remembered; the oldest are forgotten first."""


class FoundFaces:
    """A file of found faces: digest of a photo -> rotation and square. Thread-safe.

    A missing or damaged file counts as empty.

    Args:
        networks: the description of the face networks; what others have found does not count.
    """

    def __init__(self, path: Path, networks: Path) -> None:
        self._path = path
        self._networks = hashlib.sha256(networks.read_bytes()).hexdigest() if networks.is_file() else ""
        self._lock = threading.Lock()
        self._found: dict[str, Any] | None = None

    def of(self, image: Image, find: FindFace) -> tuple[int, Box] | None:
        """Return what ``find`` returned for this photo, perhaps at an earlier start.

        Whatever it raises is passed on. That there is no face is not remembered.
        """
        digest = digest_of(image)
        with self._lock:
            if self._found is None:
                self._found = dict(self._read())
            stored = as_mapping(self._found.get(digest))
        turn, box = as_turn(stored.get("turn")), as_box(stored.get("box"))
        if turn is not None and box is not None:
            return turn, box
        found = find(image)
        if found is not None:
            self._keep(digest, {"turn": found[0], "box": as_list(found[1])})
        return found

    def _read(self) -> Mapping[str, Any]:
        stored = read_json(self._path)
        return as_mapping(stored.get("faces")) if stored.get("networks") == self._networks else {}

    def _keep(self, digest: str, found: dict[str, Any]) -> None:
        with self._lock:
            assert self._found is not None
            self._found[digest] = found
            while len(self._found) > MOST:
                del self._found[next(iter(self._found))]
            try:
                write_whole(self._path, as_json({"networks": self._networks, "faces": self._found}))
            except OSError as problem:  # they are found again the next time
                log.info("%s cannot be written: %s", self._path, problem)
