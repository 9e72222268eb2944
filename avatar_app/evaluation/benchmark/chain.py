"""Time a frame from the camera's bytes to the output, stage by stage.

All in one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2

from avatar_app.cameras.mjpeg import MjpegFeed
from avatar_app.engines import Engine, render_layer
from avatar_app.faces.detector import FaceDetector, crop_picture
from avatar_app.faces.driver import Detection, Driver
from avatar_app.motion.hold import Hold
from avatar_app.motion.match import match, turn_between
from avatar_app.motion.smoothing import STRENGTHS, KeyPointFilter
from avatar_app.motion.transfer import Transfer, motion_transfer
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.placement import moving_area
from avatar_app.outputs.sinks import Sink
from avatar_app.session.camera_stage import reduced
from avatar_app.session.clip import fixed_box, portrait_crop
from avatar_app.session.slot import Slot
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Crop, Frame, Image, KeyPoints, Picture

CAMERA_SIZE = (1280, 720)
"""The size that the app requests from a camera."""
CALL_SIZE = (1280, 720)
QUALITY = 85
"""JPEG quality of the camera."""

STAGES = ("decode", "crop", "detect", "transfer", "render", "compose", "send")
"""Stages of a frame. In a call the camera's thread decodes, and the output's does the stages after
rendering.
"""
ANIMATION = ("crop", "detect", "transfer", "render")
"""Stages of the thread that sets the rate of a call."""
STEP = ("detect", "render")
"""Stages of the engine: bytes in, bytes out."""


class Chain:
    """Processes frames as a call does.

    Args:
        synchronise: waits for the engine's device; its time is included.
        copies: repeats a frame's copies to the device and back, to measure them.
    """

    def __init__(
        self,
        engine: Engine,
        photo: Image,
        needs_face: bool,
        sink: Sink,
        synchronise: Callable[[], None],
        copies: Callable[[], None],
    ) -> None:
        self.engine = engine
        detector = FaceDetector.open()
        needs_face = needs_face or bool(detector.find(photo))
        self.crop = portrait_crop(
            photo, detector if needs_face else None, "auto" if needs_face else "center", engine.size, []
        )
        self._avatar = engine.encode(self.crop)
        self._driver = Driver(detector)
        self._sink = sink
        self._synchronise, self._copies = synchronise, copies
        self._decode = MjpegFeed("http://localhost/").decode
        self._smooth = KeyPointFilter(STRENGTHS["light"])
        self._hold = Hold(self._avatar.key_points)
        self._transfer: Transfer | None = None
        self._canvas = Canvas(CALL_SIZE, "photo")
        self._slot: Slot[Picture] = Slot()
        self._count = 0

    def step(self, jpeg: bytes, stopwatch: Stopwatch) -> Outgoing:
        """Process one frame; return what was sent."""
        self._count += 1
        with stopwatch.time("decode"):
            image = self._decode(jpeg)
            assert image is not None
            frame = Frame(reduced(image), self._count / 30, self._count)
        with stopwatch.time("crop"):
            look = self._driver.look(frame, True, self.engine.size, self.engine.reads_pictures)
            crop = (
                look.crop if look else Crop(crop_picture(image, fixed_box(image, "center"), self.engine.size))
            )
        with stopwatch.time("detect"):
            points = self.engine.detect(crop)
            self._synchronise()
        with stopwatch.time("transfer"):
            pose = self._pose(points, look, frame)
        with stopwatch.time("render"):
            layer = render_layer(self.engine, self._avatar, pose, partial(moving_area, size=CALL_SIZE))
            self._synchronise()
        with stopwatch.time("hand over"):
            self._slot.put(layer.on(self._avatar.scene, frame.captured_at))
            taken = self._slot.take(0)
            assert taken is not None
        with stopwatch.time("copy"):
            self._copies()
            self._synchronise()
        with stopwatch.time("compose"):
            shown = self._canvas.compose(taken)
        with stopwatch.time("send"):
            self._sink.send(shown)
        return shown

    def _pose(self, points: KeyPoints, look: Detection | None, frame: Frame) -> KeyPoints:
        own = self.crop.landmarks
        if own is not None and look is not None and look.crop.landmarks is not None:
            match(own, look.crop.landmarks, turn_between(own, look.crop.landmarks), frame.image, look.box)
        smooth = self._smooth.step(points, frame.captured_at)
        if self._transfer is None:
            self._transfer = motion_transfer(self._avatar.key_points, smooth)
        return self._hold.follow(self._transfer(smooth), frame.captured_at)


def camera_pictures(images: list[Image], size: tuple[int, int] = CAMERA_SIZE) -> list[bytes]:
    """Convert a clip to the pictures of a webcam of that size.

    It runs forwards and back, so that a loop has no cut, at which the tracker would have to search again. For
    clips of another shape the rest is filled with the mirrored edge.
    """
    return [_jpeg(image, size) for image in [*images, *images[-2:0:-1]]]


def _jpeg(image: Image, size: tuple[int, int]) -> bytes:
    rows, columns = image.shape[:2]
    scale = min(size[0] / columns, size[1] / rows)
    width, height = round(columns * scale), round(rows * scale)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    whole = cv2.copyMakeBorder(
        large, top, size[1] - height - top, left, size[0] - width - left, cv2.BORDER_REFLECT
    )
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(whole, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    assert done
    return data.tobytes()
