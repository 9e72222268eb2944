"""An engine on another computer: ``detect`` runs here, the rest there.

The avatar's photo, once, and key points leave this computer. A camera frame cannot: this module and
`avatar_app.remote` cannot import its type (see setup.cfg).
"""

from __future__ import annotations

import itertools
import math
import time

from avatar_app import __version__
from avatar_app.bundles.bundle import Bundle
from avatar_app.engines import Show
from avatar_app.engines.landmarks import detected, landmark_points
from avatar_app.errors import BundleError, DeviceError
from avatar_app.onnx_runtime import open_session
from avatar_app.remote.link import Link, digest_of
from avatar_app.remote.messages import Hello, MalformedMessage, Pose
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.remote.photos import packed_photo, rectangle, unpacked_scene
from avatar_app.remote.picture_receiver import PictureReceiver, ReceivedPicture
from avatar_app.remote.pictures import CODECS
from avatar_app.remote.points import packed_points, unpacked_points
from avatar_app.remote.traffic import Traffic
from avatar_app.text import Text
from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer

WELCOME, PHOTO, ANSWER = 10.0, 30.0, 3.0
"""Seconds that a server may take for its welcome, for a photo and for a picture."""

SILENT, SLOW = 0.5, 3.0
"""Seconds without a picture, and multiples of the last round trip, after which a call continues without the
other computer.
"""

PATIENCE = 3.0
"""Seconds for the first picture of a connection, which may wait for its photo, and whenever there is another
address to try.
"""

WINDOW, SPARE, MOST = 2, 4, 45
"""Poses in flight: for a server that answers each with a picture; for one that paces itself, those beyond the
number that fits into one and a half round trips; and the maximum.
"""

NUMBERED = itertools.count(1)


def open_remote(bundle: Bundle, line: str) -> RemoteEngine:
    """Open a bundle on the computer of a pairing line.

    Raises ConfigError for a malformed line, EngineError if the computer is not reached.
    """
    return RemoteEngine(bundle, parse_pairing(line), list(CODECS))


class RemoteEngine:
    """Renders on the computer of a pairing line.

    Args:
        bundle: the model, which the server must have too; its detector runs here.
        codecs: picture formats in the order of preference.
    """

    def __init__(self, bundle: Bundle, pairing: Pairing, codecs: list[str], fps: int = 30) -> None:
        self._pairing = pairing
        self._receiver = PictureReceiver()
        self._asked_at = time.monotonic()
        digest = digest_of(bundle.hashes)
        hello = Hello(__version__, bundle.name, digest, codecs, fps, layers=True, sees=True)
        self._link = Link(pairing, hello, self._take)
        try:
            welcome = self._link.wait_for_welcome(WELCOME)
            # Not earlier: it takes up to seconds, and a call tries an absent server again and again.
            detector = bundle.file("detect.onnx") if "detect.onnx" in bundle.hashes else None
            self._detect = open_session(detector, 1) if detector else None
        except Exception:
            self._link.close()
            raise
        self._paces, self._fps = welcome.paces, fps
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
        """Bytes since it was opened."""
        return self._link.received_bytes

    def traffic(self) -> Traffic:
        return self._receiver.traffic(self._link.address, self._link.connected)

    def detect(self, crop: Crop) -> KeyPoints:
        if self._detect is None:
            return landmark_points(crop)
        return detected(self._detect, crop.image)

    def encode(self, crop: Crop) -> Avatar:
        number = next(NUMBERED)
        points, sent = self._link.place_photo(packed_photo(number, crop), PHOTO)
        try:
            scene = None if sent is None else unpacked_scene(sent, self.size)
            return Avatar(unpacked_points(points), number, scene)
        except MalformedMessage as problem:
            raise DeviceError(
                Text(
                    "The other computer at {} sent what cannot be used: {}.", self._pairing.address, problem
                ),
                Text("Install the same version of the app on both."),
            ) from None

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        """Send a pose and wait for its picture; raise DeviceError if none comes."""
        return self._rendered(avatar, pose, None).image

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        """Do the same for the person alone."""
        return self._rendered(avatar, pose, area)

    def _rendered(self, avatar: Avatar, pose: KeyPoints, area: Area | None) -> Layer:
        end = time.monotonic() + ANSWER
        self._link.wait_for_connection(ANSWER)
        number = self._send(avatar, pose, area, time.monotonic(), None)
        layer = self._receiver.wait_for(number, end - time.monotonic())
        if layer is None:
            raise self._unanswered()
        return layer

    def stream(
        self, avatar: Avatar, pose: KeyPoints, area: Area | None, captured_at: float, show: Show
    ) -> None:
        """Send a pose, unless enough of them are in flight.

        ``show`` gets each picture when it arrives, in another thread.

        Raises:
            DeviceError: the other computer has not answered for ``SILENT`` seconds.
        """
        now, waiting = time.monotonic(), self._link.waiting
        if self._link.connected and waiting == 0:
            self._asked_at = now
        elif now - max(self._asked_at, self._receiver.last_at) > self._patience:
            raise self._unanswered()
        if self._link.connected and waiting < self._window():
            self._send(avatar, pose, area, captured_at, show)

    def close(self) -> None:
        self._link.close()
        self._receiver.close()

    def _window(self) -> int:
        if not self._paces:
            return WINDOW
        return min(MOST, SPARE + math.ceil(1.5 * self._fps * self._receiver.last_trip))

    @property
    def _patience(self) -> float:
        trip, is_new = self._receiver.last_trip, self._link.welcomed_at > self._receiver.last_at
        if is_new or not trip or self._pairing.others:
            return PATIENCE
        return max(SILENT, SLOW * trip)

    def _unanswered(self) -> DeviceError:
        return DeviceError(
            Text("The other computer at {} does not answer.", self._pairing.address),
            Text("See that `avatar-app serve` runs there."),
        )

    def _send(
        self, avatar: Avatar, pose: KeyPoints, area: Area | None, captured_at: float, show: Show | None
    ) -> int:
        number = self._receiver.expect(captured_at, show)
        sent, wanted = int(time.monotonic() * 1e6), None if area is None else rectangle(area)
        self._link.send_pose(Pose(number, sent, int(avatar.features), packed_points(pose), wanted), number)
        return number

    def _take(self, arrived: ReceivedPicture) -> bool:
        return self._receiver.take(arrived, self._link.welcome.codec if self._link.welcome else "")
