"""Hold the engine and the avatar in use, and exchange either while running.

A replacement is built completely before it takes over; if that fails, the last good one stays and a notice
says why.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from avatar_app.engines import Engine
from avatar_app.errors import AvatarError, DeviceError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.portrait import PhotoChoice, Portrait, find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.photos.photo_files import stamp
from avatar_app.session.controls import Controls, Notice
from avatar_app.session.engine_loader import EngineLoader, Ready
from avatar_app.session.fallback import Fallback, has_fallback
from avatar_app.session.loader import Loader
from avatar_app.session.stage import Notices
from avatar_app.text import Text, join
from avatar_app.types import Avatar, Crop

log = logging.getLogger(__name__)

AGAIN = 10.0
"""Seconds until a model that does not load is tried again while there is no other."""

ENGINE_ACTIONS = ("retry", "choose-model", "doctor")


Wanted = tuple[Path | None, PhotoChoice]
"""A photo and the user's choice in it."""


class PhotoReader:
    """Reads photos, each in a loader's thread."""

    def __init__(self, detector: Callable[[], FaceDetector]) -> None:
        self._detector = detector
        self._lock = threading.Lock()

    def read(self, path: Path, choice: PhotoChoice) -> Portrait:
        """Read a photo and find the chosen face in it.

        An abandoned thread may still be at it; only the next photo waits for it.
        """
        with self._lock:
            return find_portrait(read_portrait(path), self._detector(), choice, path)


class ActiveAvatar:
    """The engine and the avatar in use. Belongs to one thread.

    Args:
        open_engine: from a model's and a device's name.
        detector: finds the faces of photos; called and used in other threads.
    """

    def __init__(
        self,
        open_engine: Callable[[str, str], Engine],
        detector: Callable[[], FaceDetector],
        notices: Notices,
    ) -> None:
        self._reader = PhotoReader(detector)
        self._again = threading.Event()
        self._notices = notices
        self._engines = EngineLoader(open_engine, lambda: self.portrait)
        self._portraits: Loader[Portrait] = Loader("photo loader")
        self._failed: dict[object, object] = {}
        """Failed loads: a model -> the time until which it is not retried; a photo -> the file's stamp that
        failed.
        """
        self._fallback = Fallback(notices)
        self._engine_key: tuple[str, str] | None = None
        self._portrait_key: object = None
        self._portrait_stamp: object = None
        """The file's stamp before the last read; a file that changes meanwhile is read again."""
        self.engine: Engine | None = None
        self.portrait: Portrait | None = None
        self.crop: Crop | None = None
        self.avatar: Avatar | None = None

    @property
    def loading(self) -> str:
        """Name of what is being loaded, for people."""
        if opening := self._engines.loading:
            return f"model {opening[0]}"
        return "photo" if self._portraits.busy else ""

    @property
    def model(self) -> str:
        """Name of the model in use, empty without one."""
        return self._engine_key[0] if self._engine_key else ""

    def retry_soon(self) -> None:
        """Retry failed loads, including the graphics card.

        May be called from any thread.
        """
        self._again.set()

    def leave_device(self, error: DeviceError, device: str) -> bool:
        """Note that a device failed; return whether the processor takes over."""
        return self._fallback.fail(error, device)

    def adapt(self, controls: Controls) -> bool:
        """Start, continue or finish the loads that the controls require.

        Returns whether the avatar to render is a new one.
        """
        if self._again.is_set():
            self._again.clear()
            self._failed.clear()
            self._fallback.forget()
            self._engines.improve(self.engine)
        opening = self._engines.loading
        wanted = controls.model, self._fallback.device(controls.device, opening[1] if opening else "")
        changed = self._adapt_engine(wanted)
        self._improve(wanted)
        choice = PhotoChoice(controls.avatar_box, controls.avatar_turn, controls.avatar_face)
        return self._adapt_portrait((controls.avatar, choice)) or changed

    def close(self) -> None:
        self._engines.close(0.1)
        self._portraits.close(0.1)
        engine, self.engine = self.engine, None
        # The photo is kept: after a fault it continues, even if its file was deleted meanwhile.
        self._engine_key = self.avatar = self.crop = None
        if engine is not None:
            engine.close()

    def _adapt_engine(self, wanted: tuple[str, str]) -> bool:
        if done := self._engines.poll(wanted):
            if done.value is None:
                self._refuse_engine(wanted, done.error)
            else:
                return self._take_engine(wanted, done.value)
        elif wanted != self._engine_key and not self._engines.loading and self._may_open(wanted):
            self._engines.open(wanted)
        return False

    def _refuse_engine(self, wanted: tuple[str, str], error: Exception | None) -> None:
        if self._fallback.tries_again(wanted[1]):
            self._fallback.wait()
            return
        if isinstance(error, DeviceError) and self.leave_device(error, wanted[1]):
            return
        self._failed[wanted] = time.monotonic() + AGAIN
        self._reject("engine", error, ENGINE_ACTIONS)

    def _may_open(self, wanted: tuple[str, str]) -> bool:
        if self._fallback.tries_again(wanted[1]):
            return True
        until = self._failed.get(wanted)
        return not isinstance(until, float) or (self.engine is None and time.monotonic() >= until)

    def _take_engine(self, key: tuple[str, str], ready: Ready) -> bool:
        old, self.engine, self._engine_key = self.engine, ready.engine, key
        self.avatar, self.crop = ready.avatar, ready.crop
        self._engines.improve(ready.engine)
        self._fallback.opened(key[1])
        if old is not None:
            old.close()
        return self.avatar is not None

    def _improve(self, wanted: tuple[str, str]) -> None:
        """Let a better device be tried, and use it as soon as it is there.

        The motion goes on as it is: the model and its key points are the same.
        """
        done = self._engines.better(self.engine)
        if done is None:
            return
        if isinstance(done.error, DeviceError):
            self._fallback.decline(done.error)
        if done.error is not None:
            log.error("no better device could be tried", exc_info=done.error)
        if done.value is None:
            return
        if wanted != self._engine_key:  # the user has chosen another model or device meanwhile
            done.value.engine.close()
            return
        log.info("from now on %s computes", done.value.engine.name)
        self._take_engine(wanted, done.value)

    def _adapt_portrait(self, wanted: Wanted) -> bool:
        path, choice = wanted
        if done := self._portraits.poll(wanted):
            if done.value is None:
                self._failed[wanted] = self._portrait_stamp
                self._reject("avatar", done.error, ("choose-avatar",))
            else:
                return self._take_portrait(wanted, done.value)
        elif (
            path is not None
            and wanted != self._portrait_key
            and not self._portraits.busy
            and self._may_read(wanted)
        ):
            self._portrait_stamp = stamp(path)
            self._portraits.begin(wanted, lambda: self._reader.read(path, choice))
        return False

    def _may_read(self, wanted: Wanted) -> bool:
        """Return whether a photo that failed has changed or come back since."""
        path = wanted[0]
        return wanted not in self._failed or path is None or self._failed[wanted] != stamp(path)

    def _take_portrait(self, key: Wanted, portrait: Portrait) -> bool:
        if self.engine is not None:
            try:
                crop = portrait.crop(self.engine.size)
                self.avatar, self.crop = self.engine.encode(crop), crop
            except Exception as error:
                if (
                    isinstance(error, DeviceError)
                    and self._engine_key is not None
                    and has_fallback(self._engine_key[1])
                ):
                    raise  # the stage restarts, on the processor
                self._failed[key] = self._portrait_stamp
                self._reject("avatar", error, ("choose-avatar",))
                return False
        self.portrait, self._portrait_key = portrait, key
        self._failed.pop(key, None)
        if notes := portrait.notes:
            self._notices.put(Notice("avatar", "info", notes[0], join(notes[1:2]), ("choose-avatar",)))
        else:
            self._notices.clear("avatar")
        return self.avatar is not None

    def _reject(self, about: str, error: Exception | None, actions: tuple[str, ...]) -> None:
        if isinstance(error, AvatarError):
            message, hint = error.message, error.hint
        elif isinstance(error, MemoryError):
            message, hint = (
                Text("The computer's memory is full."),
                Text("Close other programs, then try again."),
            )
        else:
            log.error("the %s cannot be used", about, exc_info=error)
            said = Text("{}: {}", type(error).__name__, error)
            message, hint = (
                Text("The model cannot be used: {}.", said)
                if about == "engine"
                else Text("The photo cannot be used: {}.", said),
                Text("Choose another one."),
            )
        kept = {"engine": self.engine, "avatar": self.avatar}[about] is not None
        self._notices.put(Notice(about, "warning" if kept else "error", message, hint, actions))
