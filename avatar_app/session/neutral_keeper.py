"""Keep the neutral pose in use: remembered, calibrated, or dropped if a poster's."""

from __future__ import annotations

from avatar_app.files import reason
from avatar_app.motion.calibration import NeutralStore
from avatar_app.session.controls import Notice
from avatar_app.session.stage import Notices
from avatar_app.text import Text
from avatar_app.types import KeyPoints


class NeutralKeeper:
    """Holds the driver's neutral pose for the current model and photo.

    Belongs to one thread. A pose taken from a face that has never moved may be that of a poster; it is
    dropped when the face turns out to be one.

    Attributes:
        pose: the neutral pose, None before the first calibration.
        borrowed: it was taken with another photo.
    """

    def __init__(self, store: NeutralStore, notices: Notices) -> None:
        self.pose: KeyPoints | None = None
        self.borrowed = False
        self._store = store
        self._notices = notices
        self._session: dict[str, KeyPoints] = {}
        self._model = self._key = ""
        self._unkept: Notice | None = None
        self._unproven = False
        self._before: tuple[KeyPoints | None, KeyPoints | None] = (None, None)

    def begin(self, model: str, key: str, like: KeyPoints) -> None:
        """Choose the neutral pose for a new avatar or engine.

        The remembered one, else the one in use or the last one of this session, which fit nearly as well.

        Args:
            key: model and photo, under which the pose is remembered.
            like: key points of the photo; poses of another kind do not count.
        """
        self._model, self._key, self._unproven = model, key, False
        candidates = (self._store.get(key), self._session.get(model), self.pose)
        usable = [pose is not None and _alike(pose, like) for pose in candidates]
        place = usable.index(True) if True in usable else None
        self.pose = candidates[place] if place is not None else None
        self.borrowed = place not in (0, None)

    def take(self, pose: KeyPoints, proven: bool) -> None:
        """Use this pose from now on.

        Args:
            proven: the face has moved, so it is not a picture.
        """
        if not self._unproven:
            self._before = self.pose, self._store.get(self._key)
        self._unproven = not proven
        self.pose = self._session[self._model] = pose
        self.borrowed = False
        self._keep(pose)

    def settle(self, proven: bool, picture: bool) -> None:
        """Note that the face of the pose has moved, or is a picture.

        A picture's pose is replaced by the one before.
        """
        if not self._unproven or not (proven or picture):
            return
        self._unproven = False
        if proven:
            return
        self.pose, kept = self._before
        self._session.pop(self._model, None)
        if self.pose is not None:
            self._session[self._model] = self.pose
        self._keep(kept)

    def _keep(self, pose: KeyPoints | None) -> None:
        """Remember the pose for the next time; None: forget it."""
        self._notices.withdraw(self._unkept)
        try:
            self._store.put(self._key, pose)
        except OSError as problem:
            message = Text("The calibration cannot be kept on disk: {}.", reason(problem))
            hint = Text("It works until you quit the app. Free some space and calibrate again.")
            self._unkept = Notice("settings", "warning", message, hint)
            self._notices.put(self._unkept)


def _alike(first: KeyPoints, second: KeyPoints) -> bool:
    """Whether two sets of key points are of one kind."""
    one, other = ({name: part.shape for name, part in points.parts.items()} for points in (first, second))
    return one == other
