"""Compose pictures on the canvas that the controls ask for, each only once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from avatar_app.errors import OutputError
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.i420 import Outgoing
from avatar_app.session.controls import Controls, Notice
from avatar_app.session.stage import Notices
from avatar_app.types import Frame, Picture

Item = TypeVar("Item", Picture, Frame)


class Composer:
    """Holds one canvas and the last composed picture. Belongs to one thread."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._look: tuple[object, ...] = ()
        self._canvas: Canvas | None = None
        self._composed: tuple[Picture | Frame, Outgoing] | None = None
        self._background_of = ""
        self._fault: Notice | None = None

    def picture(self, picture: Picture, controls: Controls) -> Outgoing:
        """Compose an avatar's picture on its background."""
        canvas = self.canvas(controls)

        def compose(picture: Picture) -> Outgoing:
            if picture.avatar != self._background_of:
                self._background_of = picture.avatar
                canvas.reset()  # the blurred background is made of the avatar's own first picture
            return canvas.compose(picture)

        return self.once(picture, compose)

    def once(self, item: Item, compose: Callable[[Item], Outgoing]) -> Outgoing:
        """Compose an item, unless it was the last one composed on this canvas."""
        if self._composed is None or self._composed[0] is not item:
            self._composed = (item, compose(item))
        return self._composed[1]

    def canvas(self, controls: Controls) -> Canvas:
        """Return the canvas for the user's choices.

        A background that cannot be used becomes a notice.
        """
        look = (
            controls.size,
            controls.background,
            controls.mirror_output,
            controls.label,
            controls.framing,
        )
        if self._canvas is None or look != self._look:
            self._look, self._composed = look, None
            self._notices.withdraw(self._fault)
            try:
                self._canvas = Canvas(*look)
            except OutputError as error:
                self._fault = Notice("settings", "warning", error.message, error.hint)
                self._notices.put(self._fault)
                self._canvas = Canvas(look[0], "photo", *look[2:])
        return self._canvas
