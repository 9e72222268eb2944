"""The session for the window, usable while the real one is still being imported."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from avatar_app.errors import OutputError
from avatar_app.outputs.i420 import Outgoing
from avatar_app.session.controls import Controls, Notice, SeenFrame, Status
from avatar_app.text import Text
from avatar_app.types import Image

log = logging.getLogger(__name__)


class Live(Protocol):
    """The part of ``session.session.Session`` that the window uses.

    Nothing here waits, except ``stop``.
    """

    @property
    def controls(self) -> Controls: ...

    def change(self, **changes: Any) -> Controls: ...

    def recalibrate(self) -> None: ...

    def follow_face(self, x: float, y: float) -> None: ...

    def turn_camera(self) -> None: ...

    def retry(self, about: str) -> None: ...

    def status(self) -> Status: ...

    def seen(self) -> SeenFrame | None: ...

    def shown(self) -> Outgoing | None: ...

    def portrait(self) -> Image | None: ...

    def snapshot(self, path: Path) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> list[str]: ...


class LateSession:
    """Stands in for a session until it is created.

    Importing and connecting one takes most of a second, which the first paint must not wait for.

    Args:
        make: creates the session, in a thread of its own, from the controls at that time.
    """

    def __init__(self, controls: Controls, make: Callable[[Controls], Live]) -> None:
        self._lock = threading.Lock()
        self._controls = controls
        self._make = make
        self._live: Live | None = None
        self._failure: Exception | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._build, name="session start", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _build(self) -> None:
        try:
            live = self._make(self._controls)
        except Exception as error:
            log.exception("the session could not be built")
            self._failure = error
            return
        with self._lock:
            if self._stopped:
                return
            live.change(
                **{entry.name: getattr(self._controls, entry.name) for entry in dataclasses.fields(Controls)}
            )
            live.start()
            self._live = live

    @property
    def controls(self) -> Controls:
        return self._live.controls if self._live else self._controls

    def change(self, **changes: Any) -> Controls:
        with self._lock:
            if self._live:
                return self._live.change(**changes)
            self._controls = dataclasses.replace(self._controls, **changes)
            return self._controls

    def recalibrate(self) -> None:
        if self._live:
            self._live.recalibrate()

    def follow_face(self, x: float, y: float) -> None:
        if self._live:
            self._live.follow_face(x, y)

    def turn_camera(self) -> None:
        if self._live:
            self._live.turn_camera()

    def retry(self, about: str) -> None:
        if self._live:
            self._live.retry(about)

    def status(self) -> Status:
        if self._live:
            return self._live.status()
        if self._failure:
            text = f"{type(self._failure).__name__}: {self._failure}".rstrip(": .")
            return Status(
                reason="fault",
                notices=(
                    Notice(
                        "engine",
                        "error",
                        Text("The session cannot start: {}.", text),
                        Text("The log has the details."),
                        ("doctor",),
                    ),
                ),
            )
        return Status()

    def seen(self) -> SeenFrame | None:
        return self._live.seen() if self._live else None

    def shown(self) -> Outgoing | None:
        return self._live.shown() if self._live else None

    def portrait(self) -> Image | None:
        return self._live.portrait() if self._live else None

    def snapshot(self, path: Path) -> None:
        if self._live is None:
            raise OutputError(
                Text("There is no picture to keep yet."), Text("Wait until the output shows one.")
            )
        self._live.snapshot(path)

    def stop(self) -> list[str]:
        with self._lock:
            self._stopped = True
        return self._live.stop() if self._live else []

    def join(self, seconds: float = 5.0) -> None:
        """Wait until the session exists, or could not be created."""
        self._thread.join(seconds)
