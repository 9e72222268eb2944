"""The camera thread: frames from a source into the slot.

The source is opened again whenever it fails.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.cameras.opening import Source
from avatar_app.cameras.rotation import turned
from avatar_app.errors import CameraError
from avatar_app.session.controls import Controls
from avatar_app.session.rest import LOOK
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Again, Notices, Stage
from avatar_app.session.statistics import Meter
from avatar_app.text import Text
from avatar_app.types import Frame, Image

FROZEN = 3.0
"""Seconds of identical pictures after which a camera counts as stuck: sensors have noise, even in the
dark.
"""


LARGE = 2560 * 1440
"""Pixels from which a frame is reduced: faces are read at 192 pixels a side, and four times the pixels cost
three times the work.
"""


class CameraStage(Stage):
    """Reads frames and stamps them when they arrive.

    Args:
        sent_to: name of the open output, such as ``Avatar Camera (/dev/video9)``; empty without one.
        rests: whether nobody needs pictures; the camera is closed meanwhile.
    """

    def __init__(
        self,
        open_source: Callable[[str], Source],
        controls: Callable[[], Controls],
        frames: Slot[Frame],
        meter: Meter,
        notices: Notices,
        sent_to: Callable[[], str] = str,
        rests: Callable[[], bool] = bool,
    ) -> None:
        super().__init__("camera", "camera", notices, ("retry", "choose-camera"))
        self._open_source = open_source
        self._controls = controls
        self._frames = frames
        self._sent_to = sent_to
        self._rests = rests
        self._meter = meter
        self._source: Source | None = None
        self._wanted = ""
        self._index = 0
        self._still: npt.NDArray[np.uint8] | None = None
        self._still_since = 0.0
        self.description = ""

    def open(self) -> None:
        self._wanted = self._controls().source
        if not self._rests():
            self._source = self._open_source(self._wanted)
        self._still = None

    def step(self) -> None:
        if self._rests() != (self._source is None):
            raise Again
        if self._source is None:
            self._stopping.wait(LOOK)
            return
        controls = self._controls()
        if controls.source != self._wanted:
            self._notices.clear("camera")
            raise Again
        if self._source.live and is_same_device(self._source.name, self._sent_to()):
            message = Text("The camera {} shows what this app sends.", self._source.name.partition(",")[0])
            raise CameraError(message, Text("Choose another camera, or another output."))
        image = self._source.read()
        now = self._source.arrived
        if self._source.live:
            self._require_motion(image, now)
        image = turned(reduced(image), controls.rotation)
        if controls.mirror_input:
            image = np.asarray(cv2.flip(image, 1), np.uint8)
        if not self.description:
            # Only now: a camera that opens but gives no picture has not recovered.
            self.description = self._source.name
            self._notices.clear("camera")
        self._index += 1
        self._meter.frame(self._frames.put(Frame(image, now, self._index)))

    def wake(self) -> None:
        """Close the source, which ends a waiting read."""
        source = self._source
        if source is not None:
            source.close()

    def close(self) -> None:
        self.description = ""
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _report(self, error: Exception) -> None:
        if (
            self._controls().source == self._wanted
        ):  # faults of a camera that is no longer wanted are not shown
            super()._report(error)

    def _require_motion(self, image: Image, now: float) -> None:
        sample = image[::16, ::16].copy()
        if (
            self._still is None
            or sample.shape != self._still.shape
            or not np.array_equal(sample, self._still)
        ):
            self._still, self._still_since = sample, now
        elif now - self._still_since > FROZEN:
            raise CameraError(
                Text("The camera has sent one and the same picture for {:.0f} seconds.", FROZEN),
                Text("Open its shutter, or unplug it and plug it in again."),
            )


def is_same_device(source: str, output: str) -> bool:
    """Return whether a source is an output's device: the avatar would drive itself.

    Sources are such as ``OBS Virtual Camera, 1280 x 720``.
    """
    name, _, path = output.rstrip(")").partition(" (")
    return bool(output) and source.partition(",")[0] in (name, path)


def reduced(image: Image) -> Image:
    """Reduce a frame to at most ``LARGE`` pixels, by a whole factor."""
    rows, columns = image.shape[:2]
    times = 1
    while (rows // times) * (columns // times) > LARGE:
        times += 1
    if times == 1:
        return image
    return np.asarray(
        cv2.resize(image, (columns // times, rows // times), interpolation=cv2.INTER_AREA), np.uint8
    )
