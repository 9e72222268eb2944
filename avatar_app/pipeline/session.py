"""Wires the stages of a live session, starts and stops them; controls in, status out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avatar_app.pipeline.state import Controls, Seen, Status
from avatar_app.types import Image, Picture


class Session:
    """A live session. Its methods may be called from any thread and never wait for a stage, except ``stop``."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def start(self) -> None:
        """Start the stages; returns at once, models load in the background."""

    @property
    def controls(self) -> Controls:
        return self._controls

    def change(self, **changes: Any) -> Controls:
        """Replace fields of the controls, e.g. ``change(paused=True)``; returns the new ones."""
        raise NotImplementedError

    def recalibrate(self) -> None:
        """Take the user's pose of the next few good frames as the neutral one."""

    def retry(self, about: str) -> None:
        """Try again at once what a notice is about, instead of in a few seconds."""

    def status(self) -> Status:
        return Status()

    def seen(self) -> Seen | None:
        """The newest camera frame, for the preview on this screen alone."""
        return None

    def shown(self) -> Picture | None:
        """What the output was sent last: exactly what the call gets, at ``controls.size``."""
        return None

    def portrait(self) -> Image | None:
        """The avatar's photo as it was cropped, (size, size, 3); for the ghost overlay."""
        return None

    def snapshot(self, path: Path) -> None:
        """Write what the output shows as PNG. Raises OutputError."""

    def stop(self) -> list[str]:
        """Stop all stages in the order of the data, each within 2 seconds; returns the names of those that are stuck."""
        return []
