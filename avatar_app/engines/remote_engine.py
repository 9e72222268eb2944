"""An engine on another computer.

``detect`` runs here, ``encode`` and ``render`` there.

What leaves this computer is the avatar's photo, once, and key points. There is no way for a camera frame to
get out: this module and `avatar_app.remote` cannot import its type (see setup.cfg).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from avatar_app import __version__
from avatar_app.bundles.bundle import Bundle
from avatar_app.engines import Show
from avatar_app.engines.landmarks import detected, landmark_points
from avatar_app.errors import BundleError, DeviceError, PortraitError
from avatar_app.onnx_runtime import open_session
from avatar_app.remote.link import Arrived, Link, digest_of
from avatar_app.remote.messages import (
    FARTHEST,
    Hello,
    MalformedMessage,
    Photo,
    Pose,
    packed_points,
    unpacked_points,
)
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.remote.pictures import CODECS, open_decoder
from avatar_app.text import Text
from avatar_app.types import Avatar, Crop, Image, KeyPoints

WELCOME, PHOTO, ANSWER = 10.0, 30.0, 3.0
"""Seconds that a server has for its welcome, for a photo and for a picture."""

SILENT, SLOW = 0.5, 3.0
"""Seconds without a picture, and round trips of the last one, after which a call goes on without the other
computer."""

WINDOW = 2
"""Poses on the way at a time: more would wait in the network's queues and grow old there."""

NUMBERED = itertools.count(1)


def open_remote(bundle: Bundle, line: str) -> RemoteEngine:
    """Open a bundle on the computer of a pairing line.

    Raises ConfigError for a bad line, EngineError if it is not reached.
    """
    return RemoteEngine(bundle, parse_pairing(line), list(CODECS))


@dataclass(frozen=True, slots=True)
class Traffic:
    """Round trip in milliseconds (median of the last second), pictures and received bits a second."""

    round_trip: float
    fps: float
    bits: float


class RemoteEngine:
    """Renders on the computer of a pairing line.

    Args:
        bundle: the model, which has to be the server's too; its detector runs here.
        codecs: picture formats in the order of preference.
    """

    def __init__(self, bundle: Bundle, pairing: Pairing, codecs: list[str], fps: int = 30) -> None:
        self._detect = open_session(bundle.file("detect.onnx"), 1) if "detect.onnx" in bundle.hashes else None
        self._pairing = pairing
        self._pictures = threading.Condition()
        self._newest: tuple[int, Image] | None = None
        self._captured: dict[int, tuple[float, Show | None]] = {}
        self._trips: deque[tuple[float, float, int]] = deque(maxlen=240)
        self._decoder = open_decoder("jpeg")
        self._codec = ""
        self._number = 0
        self._answered_at, self._last_trip = time.monotonic(), 0.0
        hello = Hello(__version__, bundle.name, digest_of(bundle.hashes), codecs, fps)
        self._link = Link(pairing, hello, self._take)
        try:
            welcome = self._link.wait_for_welcome(WELCOME)
        except Exception:
            self._link.close()
            raise
        self.size = welcome.size
        self.reads_pictures = welcome.reads_pictures
        self.name = f"{welcome.engine} at {pairing.address}"
        if self.reads_pictures and self._detect is None:
            self._link.close()
            raise BundleError(
                Text("The model {} has no detector on this computer.", bundle.name),
                Text("Import it here as well."),
            )

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def received_bytes(self) -> int:
        """Since it was opened."""
        return self._link.received_bytes

    @property
    def traffic(self) -> Traffic:
        """What the network does, over the last second."""
        now = time.monotonic()
        last = [(trip, size) for at, trip, size in list(self._trips) if now - at < 1]
        if not last:
            return Traffic(0.0, 0.0, 0.0)
        return Traffic(
            float(np.median([trip for trip, _ in last])) * 1000,
            len(last),
            8.0 * sum(size for _, size in last),
        )

    def detect(self, crop: Crop) -> KeyPoints:
        if self._detect is None:
            return landmark_points(crop)
        return detected(self._detect, crop.image)

    def encode(self, crop: Crop) -> Avatar:
        made, png = cv2.imencode(".png", cv2.cvtColor(crop.image, cv2.COLOR_RGB2BGR))
        if not made:
            raise PortraitError(Text("The photo cannot be sent."), Text("Choose another one."))
        landmarks = None if crop.landmarks is None else crop.landmarks.astype("<f4").tobytes()
        near = (other for other in crop.others if np.abs(other).max() < FARTHEST)
        others = [other.astype("<f4").tobytes() for other in near]
        number = next(NUMBERED)
        points = self._link.place_photo(Photo(number, png.tobytes(), landmarks, others), PHOTO)
        return Avatar(unpacked_points(points), number)

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        """Send a pose and wait for its picture. Raises DeviceError if none comes."""
        number = self._send(avatar, pose, time.monotonic(), None)
        with self._pictures:
            self._pictures.wait_for(lambda: self._newest is not None and self._newest[0] >= number, ANSWER)
            if self._newest is None or self._newest[0] < number:
                raise self._unanswered()
            return self._newest[1]

    def stream(self, avatar: Avatar, pose: KeyPoints, captured_at: float, show: Show) -> None:
        """Send a pose, unless enough of them are on the way.

        ``show`` gets each picture when it comes, in another thread.

        Raises DeviceError: the other computer has not answered for ``SILENT`` seconds.
        """
        now = time.monotonic()
        if self._link.connected and self._link.waiting < WINDOW:
            self._answered_at = now if self._link.waiting == 0 else self._answered_at
            self._send(avatar, pose, captured_at, show)
        elif now - self._answered_at > max(SILENT, SLOW * self._last_trip):
            raise self._unanswered()

    def close(self) -> None:
        self._link.close()
        self._decoder.close()

    def _unanswered(self) -> DeviceError:
        return DeviceError(
            Text("The other computer at {} does not answer.", self._pairing.address),
            Text("See that `avatar-app serve` runs there."),
        )

    def _send(self, avatar: Avatar, pose: KeyPoints, captured_at: float, show: Show | None) -> int:
        with self._pictures:
            self._number += 1
            number = self._number
            self._captured[number] = (captured_at, show)
        sent = int(time.monotonic() * 1e6)
        self._link.send_pose(Pose(number, sent, int(avatar.features), packed_points(pose)), number)
        return number

    def _take(self, arrived: Arrived) -> bool:
        message = arrived.message
        codec = self._link.welcome.codec if self._link.welcome else "jpeg"
        if codec != self._codec:
            self._decoder.close()
            self._decoder, self._codec = open_decoder(codec), codec
        try:
            picture = self._decoder.decode(message.data)
        except MalformedMessage:
            return False
        self._answered_at, self._last_trip = arrived.at, arrived.at - message.sent / 1e6
        self._trips.append((arrived.at, arrived.at - message.sent / 1e6, len(message.data)))
        with self._pictures:
            if self._newest is not None and self._newest[0] >= message.number:
                return True
            self._newest = (message.number, picture)
            captured_at, show = self._captured.get(message.number, (arrived.at, None))
            for number in [number for number in self._captured if number <= message.number]:
                del self._captured[number]
            self._pictures.notify_all()
        if show is not None:
            show(picture, captured_at)
        return True
