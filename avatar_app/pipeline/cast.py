"""The engine and the avatar that are on stage, and the exchange of either while the show goes on.

A replacement is built completely before it takes over; where that fails, the last good one stays and a notice says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar_app.engines import Engine
from avatar_app.errors import AvatarError, PortraitError
from avatar_app.faces import FaceDetector, crop_face, square_box
from avatar_app.pipeline.loading import Loader
from avatar_app.pipeline.stage import Notices
from avatar_app.pipeline.state import Controls, Notice
from avatar_app.portrait import read_portrait
from avatar_app.types import Avatar, Box, Crop, Face, Image

SMALL_FACE = 100
"""A portrait crop of fewer pixels a side gives a soft picture."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo with its face found.

    Attributes:
        box: the square of the photo that is used.
        notes: what the user should know, one sentence each.
    """

    path: Path
    photo: Image
    face: Face
    box: Box
    notes: tuple[str, ...] = ()

    def crop(self, size: int) -> Crop:
        return crop_face(self.photo, self.face, self.box, size)


def load_portrait(path: Path, box: Box | None, detector: FaceDetector) -> Portrait:
    """Read a photo and find the face: the one in ``box``, else the largest. Raises PortraitError."""
    photo = read_portrait(path)
    faces = detector.find(photo)
    if not faces:
        raise PortraitError(f"No face was found in {path.name}.", "Use a photo of one face, seen from the front and well lit.")
    boxes = [square_box(face) for face in faces]
    if box is None:
        chosen = max(range(len(faces)), key=lambda index: boxes[index].size)
    else:
        wanted = box
        chosen = min(
            range(len(faces)),
            key=lambda index: float(np.hypot(boxes[index].center_x - wanted.center_x, boxes[index].center_y - wanted.center_y)),
        )
    box = box or boxes[chosen]
    notes = []
    if len(faces) > 1:
        notes.append(f"There are {len(faces)} faces in {path.name}; one of them was taken.")
    if box.size < SMALL_FACE:
        notes.append(f"The face in {path.name} is small (its crop is {box.size:.0f} pixels a side); the picture will be soft.")
    return Portrait(path, photo, faces[chosen], box, tuple(notes))


class Cast:
    """What is rendered, and by what. Belongs to one thread.

    Args:
        open_engine: from a model's and a device's name.
        open_detector: a face detector of its own for reading photos.
    """

    def __init__(self, open_engine: Callable[[str, str], Engine], open_detector: Callable[[], FaceDetector], notices: Notices) -> None:
        self._open_engine = open_engine
        self._open_detector = open_detector
        self._detector: FaceDetector | None = None
        self._notices = notices
        self._engines: Loader[Engine] = Loader("engine loader", lambda engine: engine.close())
        self._portraits: Loader[Portrait] = Loader("photo loader")
        self._failed: set[object] = set()
        self._engine_key: object = None
        self._portrait_key: object = None
        self.engine: Engine | None = None
        self.model = ""
        self.portrait: Portrait | None = None
        self.crop: Crop | None = None
        self.avatar: Avatar | None = None

    @property
    def loading(self) -> str:
        """What is being loaded, for people."""
        if self._engines.busy:
            return f"model {self._engines.key[0]}" if isinstance(self._engines.key, tuple) else "model"
        return "photo" if self._portraits.busy else ""

    def retry(self) -> None:
        """What failed may be tried again."""
        self._failed.clear()

    def adapt(self, controls: Controls) -> bool:
        """Begin, go on with or finish what the controls ask for; returns whether the avatar to render is a new one."""
        changed = self._adapt_engine((controls.model, controls.device))
        return self._adapt_portrait((controls.avatar, controls.avatar_box)) or changed

    def close(self) -> None:
        self._engines.close(1.0)
        self._portraits.close(0.5)
        engine, self.engine = self.engine, None
        self._engine_key = self._portrait_key = self.avatar = self.crop = self.portrait = None
        if engine is not None:
            engine.close()

    def _adapt_engine(self, wanted: tuple[str, str]) -> bool:
        if done := self._engines.poll(wanted):
            if done.value is None:
                self._reject("engine", wanted, done.error, ("retry", "choose-model", "doctor"))
            else:
                return self._take_engine(wanted, done.value)
        elif wanted != self._engine_key and wanted not in self._failed and not self._engines.busy:
            self._engines.begin(wanted, lambda: self._open_engine(*wanted))
        return False

    def _take_engine(self, key: tuple[str, str], engine: Engine) -> bool:
        try:
            crop = self.portrait.crop(engine.size) if self.portrait else None
            avatar = engine.encode(crop) if crop else None
        except Exception as error:
            engine.close()
            self._reject("engine", key, error, ("retry", "choose-model", "doctor"))
            return False
        old, self.engine, self._engine_key, self.model = self.engine, engine, key, key[0]
        self.avatar, self.crop = avatar, crop
        self._notices.clear("engine")
        if old is not None:
            old.close()
        return avatar is not None

    def _adapt_portrait(self, wanted: tuple[Path | None, Box | None]) -> bool:
        path, box = wanted
        if done := self._portraits.poll(wanted):
            if done.value is None:
                self._reject("avatar", wanted, done.error, ("choose-avatar",))
            else:
                return self._take_portrait(wanted, done.value)
        elif path is not None and wanted != self._portrait_key and wanted not in self._failed and not self._portraits.busy:
            self._portraits.begin(wanted, lambda: load_portrait(path, box, self._own_detector()))
        return False

    def _take_portrait(self, key: tuple[Path | None, Box | None], portrait: Portrait) -> bool:
        if self.engine is not None:
            try:
                crop = portrait.crop(self.engine.size)
                self.avatar, self.crop = self.engine.encode(crop), crop
            except AvatarError as error:
                self._reject("avatar", key, error, ("choose-avatar",))
                return False
        self.portrait, self._portrait_key = portrait, key
        self._failed = {other for other in self._failed if other != key}
        if portrait.notes:
            self._notices.put(Notice("avatar", "info", portrait.notes[0], "", ("choose-avatar",)))
        else:
            self._notices.clear("avatar")
        return self.avatar is not None

    def _reject(self, about: str, key: object, error: Exception | None, actions: tuple[str, ...]) -> None:
        self._failed.add(key)
        if isinstance(error, AvatarError):
            message, hint = error.message, error.hint
        else:
            what = "model" if about == "engine" else "photo"
            message, hint = f"The {what} cannot be used: {type(error).__name__}: {error}.", "Choose another one."
        kept = {"engine": self.engine, "avatar": self.avatar}[about] is not None
        self._notices.put(Notice(about, "warning" if kept else "error", message, hint, actions))

    def _own_detector(self) -> FaceDetector:
        # Only the photo loader's thread comes here, and one at a time.
        self._detector = self._detector or self._open_detector()
        return self._detector
