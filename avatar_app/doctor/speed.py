"""Measure how fast this computer renders.

Runs the animate thread's work on the photo and the clip shipped with the app.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import cycle, islice

from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines import Engine, StreamingEngine, streaming
from avatar_app.engines.open import open_engine
from avatar_app.errors import EngineError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.driver import Driver
from avatar_app.media.photo import read_portrait
from avatar_app.media.video import read_clip
from avatar_app.motion.smoothing import STRENGTHS, KeyPointFilter
from avatar_app.motion.transfer import Transfer, motion_transfer
from avatar_app.paths import assets_folder, shipped_avatars
from avatar_app.remote.traffic import Traffic
from avatar_app.session.clip import portrait_crop
from avatar_app.text import Text
from avatar_app.types import Avatar, Frame, Image

WARM_UP = 8
"""Frames at the start that do not count."""
FRAMES = 60
CAMERA = 30
"""Frames a second."""

SECONDS = 3.0
"""Time limit on slow computers."""


@dataclass(frozen=True, slots=True)
class Speed:
    """The measured speed.

    Attributes:
        engine: name of the engine, for people.
        fps: frames a second, from a camera's frame to the picture of the avatar.
        traffic: of an engine on another computer.
    """

    engine: str
    fps: float
    traffic: Traffic | None = None


def measure_speed(model: str, device: str) -> Speed:
    """Animate the photo with the clip for a few seconds.

    Raises:
        BundleError, EngineError: the model cannot be used here.
        AvatarError: the photo or the clip is missing.
    """
    engine = open_engine(open_bundle(model), device)
    try:
        far = streaming(engine)
        if far is not None:
            return Speed(engine.name, _streamed(engine, far), far.traffic())
        return Speed(engine.name, 1 / _seconds_per_frame(engine))
    finally:
        engine.close()


def _streamed(engine: Engine, stream: StreamingEngine) -> float:
    """Return the pictures a second that arrive when poses are sent at a camera's rate."""
    avatar = _encoded(engine, FaceDetector.open())
    came: list[float] = []
    end = time.monotonic() + SECONDS
    while (now := time.monotonic()) < end:
        stream.stream(avatar, avatar.key_points, None, now, lambda _, moment: came.append(moment))
        time.sleep(1 / CAMERA)
    return len(came) / SECONDS


def _encoded(engine: Engine, detector: FaceDetector) -> Avatar:
    photo = read_portrait(next(iter(sorted(shipped_avatars().glob("*.jpg"))), shipped_avatars() / "a photo"))
    return engine.encode(portrait_crop(photo, detector, "auto", engine.size, []))


def _seconds_per_frame(engine: Engine) -> float:
    clip = list(islice(read_clip(assets_folder() / "driving.mp4").frames(), 30))
    detector = FaceDetector.open()
    avatar = _encoded(engine, detector)
    chain = _Chain(engine, avatar, detector)
    durations: list[float] = []
    # Forth and back, because at a cut the search for the face would start again.
    for index, image in enumerate(islice(cycle([*clip, *clip[-2:0:-1]]), WARM_UP + FRAMES)):
        began = time.perf_counter()
        chain.step(image, index / 30)
        if index >= WARM_UP:
            durations.append(time.perf_counter() - began)
        if sum(durations) > SECONDS:
            break
    return sum(durations) / len(durations)


class _Chain:
    """The animate thread's work on a frame."""

    def __init__(self, engine: Engine, avatar: Avatar, detector: FaceDetector) -> None:
        self._engine = engine
        self._avatar = avatar
        self._driver = Driver(detector)
        self._filter = KeyPointFilter(STRENGTHS["light"])
        self._transfer: Transfer | None = None

    def step(self, image: Image, moment: float) -> None:
        look = self._driver.look(
            Frame(image, moment, 0), True, self._engine.size, self._engine.reads_pictures
        )
        if look is None:
            raise EngineError(
                Text("No face was found in the clip that comes with the app."),
                Text("Check the models: `models verify faces`."),
            )
        points = self._filter.step(self._engine.detect(look.crop), moment)
        if self._transfer is None:
            self._transfer = motion_transfer(self._avatar.key_points, points)
        self._engine.render(self._avatar, self._transfer(points))
