"""Compute the pose to render from the driver's face."""

from __future__ import annotations

from avatar_app.faces.driver import Detection
from avatar_app.motion.head import Strength
from avatar_app.motion.hold import Hold
from avatar_app.motion.match import Match, match, turn_between
from avatar_app.motion.presets import Presets
from avatar_app.motion.settling import Settling
from avatar_app.motion.smoothing import STRENGTHS, KeyPointFilter
from avatar_app.motion.transfer import Transfer, motion_transfer
from avatar_app.session.active_avatar import ActiveAvatar
from avatar_app.session.calibrator import Calibrator
from avatar_app.session.controls import Controls
from avatar_app.session.neutral_keeper import NeutralKeeper
from avatar_app.types import Frame, KeyPoints

FAR_YAW, FAR_PITCH = 55.0, 45.0
"""Degrees from the photo's pose beyond which landmarks are unreliable: the avatar holds as if there were no
face.
"""

MATCHED = 0.1
"""Seconds between measurements of the match, except while seeking."""


class PoseReader:
    """Smooths key points, transfers their motion, and holds the last pose.

    Belongs to one thread.

    Attributes:
        match: how well the user's pose matches the photo's, None without a face or an avatar.
    """

    def __init__(self, neutrals: NeutralKeeper, calibrator: Calibrator) -> None:
        self._neutrals, self._calibrator = neutrals, calibrator
        self._filter: tuple[str, KeyPointFilter] | None = None
        self._transfer: tuple[object, Transfer] | None = None
        self._settling: tuple[KeyPoints, Settling] | None = None
        self._hold: Hold | None = None
        self._presets: Presets | None = None
        self._plays: int | None = None
        self._matched_at = 0.0
        self.match: Match | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a pose was rendered for this avatar, or there is no avatar."""
        return self._hold is None or self._hold.has_begun

    def begin(self, like: KeyPoints) -> None:
        """Prepare for an avatar with these key points, or another engine."""
        self._transfer = self._filter = self._settling = None
        self._hold, self._presets = Hold(like), Presets(like)

    def restart(self) -> None:
        """Restart smoothing: the next frame is unrelated to those before."""
        self._filter = None

    def forget(self) -> None:
        """Note that there is no frame, or no face in it."""
        self.match = self._filter = None

    def pose(
        self, look: Detection | None, frame: Frame, active: ActiveAvatar, controls: Controls, proven: bool
    ) -> KeyPoints | None:
        """Return the avatar's pose for the driver's face; None without one.

        Args:
            proven: the face has moved, so it is not a picture.
        """
        avatar, engine, own = active.avatar, active.engine, active.crop
        if look is not None and look.another:
            self._filter = self._settling = None
        if (
            look is None
            or look.crop.landmarks is None
            or avatar is None
            or engine is None
            or own is None
            or own.landmarks is None
        ):
            self.forget()
            return None
        turn = turn_between(own.landmarks, look.crop.landmarks)
        if self.match is None or controls.seeking or not 0 <= frame.captured_at - self._matched_at < MATCHED:
            self.match = match(own.landmarks, look.crop.landmarks, turn, frame.image, look.box)
            self._matched_at = frame.captured_at
        if abs(turn[0]) > FAR_YAW or abs(turn[1]) > FAR_PITCH:
            self._filter = None
            return None
        points = self._smooth(engine.detect(look.crop), frame.captured_at, controls.smoothing)
        self._calibrator.add(points, self.match, proven)
        neutral = self._settled(points, frame.captured_at)
        return self._transfer_for(avatar.key_points, neutral, controls)(points) if neutral else None

    def _smooth(self, points: KeyPoints, moment: float, strength: str) -> KeyPoints:
        if self._filter is None or self._filter[0] != strength:
            self._filter = (strength, KeyPointFilter(STRENGTHS.get(strength)))
        return self._filter[1].step(points, moment)

    def _settled(self, points: KeyPoints, moment: float) -> KeyPoints | None:
        """Return the neutral pose, moved to where the head rests."""
        taken = self._neutrals.pose
        if taken is None:
            return None
        if self._settling is None or self._settling[0] is not taken:
            self._settling = taken, Settling(taken)
        return self._settling[1].step(points, moment)

    def _transfer_for(self, portrait: KeyPoints, neutral: KeyPoints, controls: Controls) -> Transfer:
        """Return the motion transfer, created again only when an input has changed."""
        strength = Strength(controls.head, controls.expression, controls.gaze)
        key = (id(portrait), id(neutral), controls.relative, controls.adapt_scale, strength)
        if self._transfer is None or self._transfer[0] != key:
            transfer = motion_transfer(
                portrait,
                neutral,
                relative=controls.relative,
                adapt_scale=controls.adapt_scale,
                strength=strength,
            )
            self._transfer = (key, transfer)
        return self._transfer[1]

    def shown(self, pose: KeyPoints | None, moment: float, controls: Controls) -> KeyPoints | None:
        """Return the pose to render, or for a while the last one, with ready expressions.

        None before the first.
        """
        if self._hold is None or self._presets is None:
            return None
        if self._plays not in (None, controls.plays):
            self._presets.play(controls.played, moment)
        self._plays = controls.plays
        shown = self._hold.follow(pose, moment) if pose else self._hold.wait(moment)
        return self._presets.follow(shown, controls.preset, moment) if shown else None
