"""The animate thread: a frame in, a picture out.

frame -> find the face -> key points -> smooth -> (calibrate) -> transfer -> hold or follow -> render ->
picture
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from avatar_app.engines import Engine, StreamingEngine, render_layer, streaming
from avatar_app.errors import DeviceError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.driver import Driver
from avatar_app.motion.calibration import NeutralStore
from avatar_app.motion.match import Match
from avatar_app.outputs.placement import moving_area
from avatar_app.remote.pairing import address_of, is_remote
from avatar_app.remote.traffic import Traffic
from avatar_app.session.active_avatar import ActiveAvatar
from avatar_app.session.calibrator import Calibrator
from avatar_app.session.controls import Controls, SeenFrame
from avatar_app.session.engine_watch import EngineWatch
from avatar_app.session.face_watch import FaceWatch, Turn
from avatar_app.session.memory import give_memory_back
from avatar_app.session.neutral_keeper import NeutralKeeper
from avatar_app.session.pose_reader import PoseReader
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices, Stage
from avatar_app.session.statistics import Meter
from avatar_app.types import Area, Avatar, Frame, Image, KeyPoints, Layer, Picture, Scene

LOADING = 0.1
"""Seconds between looks at the driver while the first avatar loads, which needs the processor more."""


class AnimateStage(Stage):
    """Renders pictures of the newest frames.

    Its public attributes may be read from any thread.
    """

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
        self._active = ActiveAvatar(open_engine, lambda: self._driver.detector, notices)
        self._calibrator = Calibrator(self._neutrals, controls())
        self._poses = PoseReader(self._neutrals, self._calibrator)
        self._picks = controls().picks
        self._engine_watch = EngineWatch(meter, notices)
        self.seen: SeenFrame | None = None
        self.turn: Turn = 0

    # For other threads.

    @property
    def engine_name(self) -> str:
        engine = self._active.engine
        return engine.name if engine else ""

    @property
    def other_computer(self) -> Traffic | None:
        """State of the connection to the rendering computer; None if rendering is local."""
        far, device = streaming(self._active.engine), self._controls().device
        if not is_remote(device):
            return None
        return far.traffic() if far else Traffic(address_of(device), connected=False)

    @property
    def loading(self) -> str:
        return self._active.loading

    @property
    def calibrated(self) -> bool:
        return self._neutrals.pose is not None and self._active.avatar is not None

    @property
    def waits_for_face(self) -> bool:
        """Whether there is a neutral pose, but no face since the avatar was chosen."""
        return not self._poses.has_begun and self.match is None and self.seen is not None

    @property
    def match(self) -> Match | None:
        """How well the user's pose matches the photo's, None without a face or an avatar."""
        return self._poses.match

    @property
    def found(self) -> int:
        """Number of better moments that seeking has found since the start."""
        return self._calibrator.found

    @property
    def borrowed(self) -> bool:
        """Whether the neutral pose was taken with another photo."""
        return self.calibrated and self._neutrals.borrowed

    @property
    def has_avatar(self) -> bool:
        return self._active.avatar is not None

    @property
    def calibrating(self) -> float | None:
        """Progress of a calibration, None also while no face can be calibrated with.

        "hold still" does not help a user whom the camera does not see.
        """
        return self._calibrator.share if self.match is not None else None

    @property
    def portrait(self) -> Image | None:
        crop = self._active.crop
        return crop.image if crop else None

    @property
    def avatar(self) -> Path | None:
        """The photo whose face is animated."""
        return self._active.portrait.path if self._active.portrait else None

    def retry(self) -> None:
        """Retry failed loads."""
        self._active.retry_soon()
        self.hurry()

    # In the stage's thread.

    def open(self) -> None:
        detector, now = self._open_detector(), time.monotonic()
        self._driver = Driver(detector)
        self._watch = FaceWatch(detector, self._driver.faces, self._notices, now)
        self._poses = PoseReader(self._neutrals, self._calibrator)

    def close(self) -> None:
        self._active.close()
        self._pictures.clear()
        self._poses.forget()

    def step(self) -> None:
        controls = self._controls()
        if self._active.adapt(controls):
            self._begin_avatar()
        self._apply_requests(controls)
        frame = self._frames.take(0.1)
        began = time.monotonic()
        if frame is None:
            if self._watch.is_blind(began):
                self._forget_frame()
            return
        self._watch.frame_came(began)
        if self._looks_later(frame):
            return
        engine = self._active.engine
        look = self._driver.look(
            frame,
            controls.follow,
            engine.size if engine else 256,
            engine is not None and engine.reads_pictures,
        )
        faces = self._driver.faces
        others = tuple(face.points[:, :2] for face in faces.others)
        self.seen = (
            SeenFrame(frame, look.face.points[:, :2], look.box, others)
            if look
            else SeenFrame(frame, others=others)
        )
        self._watch.add(frame, look is not None)
        self.turn = self._watch.turn
        self._neutrals.settle(faces.proven, faces.picture)
        pose = self._poses.pose(look, frame, self._active, controls, faces.proven)
        if self._active.avatar is not None and self._neutrals.pose is not None and not controls.paused:
            shown = self._poses.shown(pose, frame.captured_at, controls)
            if engine is not None and shown is not None:
                self._render(engine, self._active.avatar, shown, frame.captured_at, began)

    def _looks_later(self, frame: Frame) -> bool:
        """Whether a frame is left out while the first avatar loads."""
        if self._active.avatar is not None or not self._active.loading or self.seen is None:
            return False
        return 0 <= frame.captured_at - self.seen.frame.captured_at < LOADING

    def _render(
        self, engine: Engine, avatar: Avatar, pose: KeyPoints, captured_at: float, began: float
    ) -> None:
        """Render a pose, for a frame processed since ``began``."""
        far = streaming(engine)
        if far is not None:
            self._stream(far, avatar, pose, captured_at)
            return
        layer = render_layer(engine, avatar, pose, self._area)
        self._meter.animated(time.monotonic() - began)
        self._pictures.put(layer.on(avatar.scene, captured_at, self._name()))
        self._engine_watch.add()

    def _area(self, scene: Scene) -> Area:
        """Return the part of an avatar's scene that the frame shows."""
        controls = self._controls()
        return moving_area(scene, controls.size, controls.framing, controls.mirror_output)

    def _stream(self, engine: StreamingEngine, avatar: Avatar, pose: KeyPoints, captured_at: float) -> None:
        """Send a pose; its picture arrives in the slot later, from another thread."""
        name, sent, scene = self._name(), time.monotonic(), avatar.scene

        def show(layer: Layer, moment: float) -> None:
            self._meter.animated(time.monotonic() - sent)
            self._pictures.put(layer.on(scene if layer.alpha is not None else None, moment, name))

        engine.stream(avatar, pose, None if scene is None else self._area(scene), captured_at, show)

    def _forget_frame(self) -> None:
        """Handle a camera without frames: a missing face is not the user's fault then.

        A calibration waits, and starts again.
        """
        self.seen = None
        self._poses.forget()
        self._notices.clear("face")
        self._calibrator.wait()

    def _report(self, error: Exception) -> None:
        if isinstance(error, DeviceError) and self._active.leave_device(error, self._controls().device):
            self.hurry()
        else:
            super()._report(error)

    def _begin_avatar(self) -> None:
        """Prepare for a new avatar or engine."""
        assert self._active.avatar is not None
        like = self._active.avatar.key_points
        self._neutrals.begin(self._active.model, self._key(), like)
        self._poses.begin(like)
        self._calibrator.begin_avatar()
        self._engine_watch.begin(like)
        if self._neutrals.pose is None:
            self._pictures.clear()
        give_memory_back()  # what loading took, up to 100 MB

    def _apply_requests(self, controls: Controls) -> None:
        if self._calibrator.follow(controls):
            self._driver.center()
            self._driver.faces.choose_again()
            self._poses.restart()
        if controls.picks != self._picks:
            self._picks = controls.picks
            self._driver.faces.choose_at(*controls.picked)

    def _key(self) -> str:
        """Return the key under which the neutral pose is remembered.

        The pose is the driver's, and fits every crop of the photo.
        """
        portrait = self._active.portrait
        return f"{self._active.model}|{portrait.path if portrait else ''}"

    def _name(self) -> str:
        """Return the name of the rendered crop, to which a blurred background belongs.

        Each crop of a photo has sides of its own.
        """
        portrait = self._active.portrait
        return f"{self._key()}|{portrait.box}" if portrait else self._key()
