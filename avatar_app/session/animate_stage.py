"""The animate thread: a frame in, a picture out.

frame -> look for the face -> key points -> smooth -> (calibrate) -> transfer -> hold or follow -> render -> picture
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from avatar_app.engines import Engine, StreamingEngine, render_layer
from avatar_app.errors import DeviceError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.driver import Driver, Look
from avatar_app.motion.calibration import Calibration, NeutralStore
from avatar_app.motion.head import Strength
from avatar_app.motion.hold import Hold
from avatar_app.motion.match import Match, match, turn_between
from avatar_app.motion.settling import Settling
from avatar_app.motion.smoothing import STRENGTHS, KeyPointFilter
from avatar_app.motion.transfer import Transfer, motion_transfer
from avatar_app.outputs.placement import moving_area
from avatar_app.session.active_avatar import Cast
from avatar_app.session.controls import Controls, Seen
from avatar_app.session.engine_watch import EngineWatch
from avatar_app.session.face_watch import FaceWatch, Turn
from avatar_app.session.neutral_keeper import NeutralKeeper
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices, Stage
from avatar_app.session.statistics import Meter
from avatar_app.types import Avatar, Frame, Image, KeyPoints, Layer, Picture

FAR_YAW, FAR_PITCH = 55.0, 45.0
"""Degrees from the photo's pose beyond which landmarks cannot be trusted: the avatar holds as if no face were there."""

BLIND = 1.0
"""Seconds without a frame after which what was seen in the last one no longer counts."""

MATCHED = 0.1
"""Seconds after which it is told anew how well the user's pose fits, unless every frame may be the best one."""

BETTER = 0.01
"""By how much a moment must beat the best one so far while seeking."""


class AnimateStage(Stage):
    """Makes pictures of the newest frames. Its public attributes may be read from any thread."""

    def __init__(
        self,
        open_engine: Callable[[str, str], Engine],
        open_detector: Callable[[], FaceDetector],
        controls: Callable[[], Controls],
        frames: Slot[Frame],
        pictures: Slot[Picture],
        neutrals: NeutralStore,
        meter: Meter,
        notices: Notices,
    ) -> None:
        super().__init__("animation", "engine", notices, ("retry", "choose-model", "doctor"))
        self._open_detector = open_detector
        self._controls = controls
        self._frames = frames
        self._pictures = pictures
        self._neutrals = NeutralKeeper(neutrals, notices)
        self._meter = meter
        self._cast = Cast(open_engine, open_detector, notices)
        self._calibrations, self._picks = controls().calibrations, controls().picks
        self._calibration: Calibration | None = None
        self._settling: tuple[KeyPoints, Settling] | None = None
        self._best = 0.0
        self._seeking = False
        self._retry = False
        self._engine_watch = EngineWatch(meter, notices)
        self.seen: Seen | None = None
        self.match: Match | None = None
        self.turn: Turn = 0
        self.found = 0

    # What others may read.

    @property
    def engine_name(self) -> str:
        engine = self._cast.engine
        return engine.name if engine else ""

    @property
    def loading(self) -> str:
        return self._cast.loading

    @property
    def calibrated(self) -> bool:
        return self._neutrals.pose is not None and self._cast.avatar is not None

    @property
    def waits_for_face(self) -> bool:
        """There is a neutral pose, but no face has been seen since the avatar was chosen."""
        return (
            self._hold is not None
            and not self._hold.has_begun
            and self.match is None
            and self.seen is not None
        )

    @property
    def borrowed(self) -> bool:
        """Whether the neutral pose was taken with another photo."""
        return self.calibrated and self._neutrals.borrowed

    @property
    def has_avatar(self) -> bool:
        return self._cast.avatar is not None

    @property
    def calibrating(self) -> float | None:
        """None also while there is nothing to calibrate with: "hold still" is no help to somebody whom the camera does not see."""
        calibration = self._calibration
        return calibration.share if calibration and self.match is not None else None

    @property
    def portrait(self) -> Image | None:
        crop = self._cast.crop
        return crop.image if crop else None

    @property
    def avatar(self) -> Path | None:
        """The photo whose face is animated."""
        return self._cast.portrait.path if self._cast.portrait else None

    def retry(self) -> None:
        """Load again what failed to load."""
        self._retry = True
        self.hurry()

    # The thread.

    def open(self) -> None:
        detector, now = self._open_detector(), time.monotonic()
        self._driver = Driver(detector)
        self._watch = FaceWatch(detector, self._driver.faces, self._notices, now)
        self._filter: tuple[str, KeyPointFilter] | None = None
        self._transfer: tuple[object, Transfer] | None = None
        self._hold: Hold | None = None
        self._matched_at = 0.0
        self._frame_at = now

    def close(self) -> None:
        self._cast.close()
        self._pictures.clear()
        self.match = None

    def step(self) -> None:
        controls = self._controls()
        if self._retry:
            self._retry = False
            self._cast.retry()
        if self._cast.adapt(controls):
            self._begin_avatar(controls)
        self._heed_requests(controls)
        frame = self._frames.take(0.1)
        began = time.monotonic()
        if frame is None:
            if began - self._frame_at > BLIND:
                self._forget_frame()
            return
        if began - self._frame_at > BLIND:
            self._watch.begin(began)
        self._frame_at = began
        engine = self._cast.engine
        look = self._driver.look(
            frame,
            controls.follow,
            engine.size if engine else 256,
            engine is not None and engine.reads_pictures,
        )
        faces = self._driver.faces
        others = tuple(face.points[:, :2] for face in faces.others)
        self.seen = (
            Seen(frame, look.face.points[:, :2], look.box, others) if look else Seen(frame, others=others)
        )
        self._watch.add(frame, look is not None)
        self.turn = self._watch.turn
        self._neutrals.settle(faces.proven, faces.picture)
        pose = self._pose(look, frame, controls)
        if self._cast.avatar is None or self._neutrals.pose is None or controls.paused or self._hold is None:
            return
        shown = self._hold.follow(pose, frame.captured_at) if pose else self._hold.wait(frame.captured_at)
        if engine is not None and shown is not None:
            if isinstance(engine, StreamingEngine):
                self._stream(engine, self._cast.avatar, shown, frame.captured_at)
                return
            area = partial(
                moving_area, size=controls.size, framing=controls.framing, mirror=controls.mirror_output
            )
            layer = render_layer(engine, self._cast.avatar, shown, area)
            self._meter.animated(time.monotonic() - began)
            self._pictures.put(layer.on(self._cast.avatar.scene, frame.captured_at, self._name()))
            self._engine_watch.add()

    def _stream(self, engine: StreamingEngine, avatar: Avatar, pose: KeyPoints, captured_at: float) -> None:
        """Send a pose; its picture goes to the slot when it comes, from another thread."""
        name, sent = self._name(), time.monotonic()

        def show(image: Image, moment: float) -> None:
            self._meter.animated(time.monotonic() - sent)
            self._pictures.put(Layer(image).on(None, moment, name))

        engine.stream(avatar, pose, captured_at, show)

    def _forget_frame(self) -> None:
        """The camera gives nothing: neither is there a face nor is it the user's fault. A calibration waits, and begins anew."""
        self.seen = self.match = self._filter = None
        self._notices.clear("face")
        if self._calibration is not None:
            self._calibration = Calibration(time.monotonic())

    def _report(self, error: Exception) -> None:
        if isinstance(error, DeviceError) and self._cast.leave_device(error, self._controls().device):
            self.hurry()
        else:
            super()._report(error)

    def _begin_avatar(self, controls: Controls) -> None:
        """A new avatar or engine is ready."""
        assert self._cast.avatar is not None
        like = self._cast.avatar.key_points
        self._neutrals.begin(self._cast.model, self._key(), like)
        self._transfer = self._filter = self._settling = None
        self._best = 0.0
        self._hold = Hold(like)
        self._engine_watch.begin(like)
        if self._neutrals.pose is None:
            self._pictures.clear()

    def _heed_requests(self, controls: Controls) -> None:
        if controls.calibrations != self._calibrations:
            self._calibrations = controls.calibrations
            self._driver.center()
            self._driver.faces.choose_again()
            self._filter = None
            self._calibration = Calibration(time.monotonic())
        if controls.picks != self._picks:
            self._picks = controls.picks
            self._driver.faces.choose_at(*controls.picked)
        if controls.seeking and not self._seeking:
            self._best = 0.0
        self._seeking = controls.seeking

    def _pose(self, look: Look | None, frame: Frame, controls: Controls) -> KeyPoints | None:
        """The pose to render, or None where there is no usable one."""
        avatar, engine, own = self._cast.avatar, self._cast.engine, self._cast.crop
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
            self.match, self._filter = None, None
            return None
        turn = turn_between(own.landmarks, look.crop.landmarks)
        if self.match is None or controls.seeking or not 0 <= frame.captured_at - self._matched_at < MATCHED:
            self.match = match(own.landmarks, look.crop.landmarks, turn, frame.image, look.box)
            self._matched_at = frame.captured_at
        if abs(turn[0]) > FAR_YAW or abs(turn[1]) > FAR_PITCH:
            self._filter = None
            return None
        points = self._smooth(engine.detect(look.crop), frame.captured_at, controls)
        self._calibrate(points, controls)
        if self._neutrals.pose is None:
            return None
        if self._settling is None or self._settling[0] is not self._neutrals.pose:
            self._settling = self._neutrals.pose, Settling(self._neutrals.pose)
        neutral = self._settling[1].step(points, frame.captured_at)
        return self._transfer_for(avatar.key_points, neutral, controls)(points)

    def _smooth(self, points: KeyPoints, moment: float, controls: Controls) -> KeyPoints:
        if self._filter is None or self._filter[0] != controls.smoothing:
            self._filter = (controls.smoothing, KeyPointFilter(STRENGTHS.get(controls.smoothing)))
        return self._filter[1].step(points, moment)

    def _calibrate(self, points: KeyPoints, controls: Controls) -> None:
        if self._calibration is not None:
            neutral = self._calibration.add(points, time.monotonic())
            if neutral is not None:
                self._calibration = None
                self._neutrals.take(neutral, self._driver.faces.proven)
        elif controls.seeking and self.match is not None and self.match.score > self._best + BETTER:
            self._best = self.match.score
            self.found += 1
            self._neutrals.take(points, self._driver.faces.proven)

    def _key(self) -> str:
        """By which a neutral pose is remembered: it is the driver's, and fits every crop of the photo."""
        portrait = self._cast.portrait
        return f"{self._cast.model}|{portrait.path if portrait else ''}"

    def _name(self) -> str:
        """What is rendered, by which a blurred background is known to belong to it: each crop of a photo has sides of its own."""
        portrait = self._cast.portrait
        return f"{self._key()}|{portrait.box}" if portrait else self._key()

    def _transfer_for(self, portrait: KeyPoints, neutral: KeyPoints, controls: Controls) -> Transfer:
        """The motion transfer, made anew only when something it depends on has changed."""
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
