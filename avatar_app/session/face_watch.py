"""Warn the user when no face can drive the avatar, and say why.

No face is visible, only a picture of one, or the camera is rotated.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from avatar_app.cameras.rotation import turned
from avatar_app.faces.choice import FaceChoice
from avatar_app.faces.detector import FaceDetector
from avatar_app.landmarks import face_height
from avatar_app.session.controls import Notice
from avatar_app.session.stage import Notices
from avatar_app.text import Text
from avatar_app.types import Frame, Image

Turn = Literal[0, 90, 180, 270]
"""Degrees clockwise."""

BLIND = 1.0
"""Seconds without a frame after which the faces of the last one no longer count."""

FACELESS = 2.0
"""Seconds without a face after which the user gets a notice."""

TURN_EVERY = 2.0
"""Seconds between searches of the rotated picture, which cost about 40 ms of one thread."""

NO_FACE = Notice(
    "face",
    "warning",
    Text("The camera does not see a face."),
    Text("Sit in front of the camera, with light from the front."),
)
STILL_FACE = Notice(
    "face",
    "warning",
    Text("The only face in view does not move, so it is taken for a picture."),
    Text("Sit in front of the camera. If it is you, move your head a little."),
)


class FaceWatch:
    """Puts and clears the notice about the face. Belongs to one thread.

    Attributes:
        turn: rotation of the camera's picture that brings a face upright; 0 if none is needed.
    """

    def __init__(self, detector: FaceDetector, faces: FaceChoice, notices: Notices, now: float) -> None:
        self.turn: Turn = 0
        self._detector, self._faces, self._notices = detector, faces, notices
        self._seen_at, self._turned_at, self._frame_at = now, -np.inf, now

    def is_blind(self, now: float) -> bool:
        """Whether the camera has given no frame for a while."""
        return now - self._frame_at > BLIND

    def frame_came(self, now: float) -> None:
        """Count a frame; after a gap, waiting for a face starts now."""
        if self.is_blind(now):
            self._seen_at = now
        self._frame_at = now

    def add(self, frame: Frame, followed: bool) -> None:
        """Note whether a face is followed in this frame."""
        now = frame.captured_at
        if followed:
            self._seen_at, self.turn = now, 0
            self._notices.clear("face")
            return
        if now - self._seen_at <= FACELESS:
            return
        if self._faces.only_pictures:
            self.turn = 0
        elif now - self._turned_at > TURN_EVERY:
            self._turned_at = now
            self.turn = upright_turn(frame.image, self._detector)
        self._report(
            STILL_FACE if self._faces.only_pictures else turned_face(self.turn) if self.turn else NO_FACE
        )

    def _report(self, notice: Notice) -> None:
        if self._notices.about("face") != notice:
            self._notices.put(notice)


def turned_face(turn: Turn) -> Notice:
    """Return the notice that offers to turn the camera's picture."""
    hint = Text(
        "Turn the camera, or its picture: under Camera in the window, or with `live --rotate {}`.", turn
    )
    return Notice(
        "face", "warning", Text("The camera's picture is turned: a face lies in it."), hint, ("turn-camera",)
    )


def upright_turn(image: Image, detector: FaceDetector) -> Turn:
    """Return the rotation after which a picture has an upright face.

    The largest face decides. 0: no face either way.
    """
    best: tuple[float, Turn] = (0.0, 0)
    turns: tuple[Turn, ...] = (90, 180, 270)
    for turn in turns:
        for face in detector.find(turned(image, turn), levels=1)[:1]:
            best = max(best, (face_height(face.points), turn))
    return best[1]
