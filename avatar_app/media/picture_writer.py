"""Write single pictures."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import PIL.Image

from avatar_app.errors import OutputError
from avatar_app.files import reason, write_whole
from avatar_app.media.formats import STILL, require_picture_output
from avatar_app.text import Text
from avatar_app.types import Image

QUALITY = 95


class PictureWriter:
    """Writes one picture, whole or not at all; used like `ClipWriter`.

    Args:
        path: ends in one of ``formats.STILL``.
        alpha: the picture is (height, width, 4) and may be transparent.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path, alpha: bool = False) -> None:
        require_picture_output(path, alpha)
        self.path = path

    def write(self, image: Image, time: Fraction) -> None:
        """Write the picture, replacing an earlier one; ``time`` is ignored."""
        data = io.BytesIO()
        kind = STILL[self.path.suffix.lower()]
        PIL.Image.fromarray(image).save(data, kind, quality=QUALITY)
        try:
            write_whole(self.path, data.getvalue(), 0o666)
        except OSError as problem:
            raise OutputError(
                Text("The output {} cannot be written: {}.", self.path, reason(problem)),
                Text("Free some space or name another folder."),
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no file is open."""
