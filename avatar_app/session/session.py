"""Connect the stages of a live session, start and stop them.

camera --frames--> animate --pictures--> output --sent--> recording <--heard-- microphone
   each in a thread of its own, with only the newest value between them
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from avatar_app.bundles.bundle import open_bundle
from avatar_app.cameras.opening import Source, open_source
from avatar_app.engines import Engine
from avatar_app.engines.open import open_engine
from avatar_app.errors import OutputError
from avatar_app.faces.detector import FaceDetector
from avatar_app.files import reason, require_writable, write_whole
from avatar_app.motion.calibration import NeutralStore
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.sinks import open_sink
from avatar_app.session.animate_stage import AnimateStage
from avatar_app.session.camera_stage import CameraStage
from avatar_app.session.controls import Controls, SeenFrame, Status, changed
from avatar_app.session.memory import give_memory_back, share_heap
from avatar_app.session.output_stage import OutputStage
from avatar_app.session.recorder_stage import RecorderStage
from avatar_app.session.sink_keeper import OpenSink
from avatar_app.session.slot import Slot
from avatar_app.session.sound_stage import SoundStage
from avatar_app.session.stage import Notices
from avatar_app.session.statistics import Meter
from avatar_app.sound.microphone import Microphone
from avatar_app.sound.opening import open_microphone
from avatar_app.sound.virtual_microphone import VirtualMicrophone
from avatar_app.text import Text
from avatar_app.types import Frame, Image, Picture

STOP_SECONDS = 2.0
"""Seconds that each stage has to end."""


def open_model(model: str, device: str) -> Engine:
    """Open the engine for a model's and a device's name."""
    return open_engine(open_bundle(model), device, at_once=True)


class Session:
    """A live session.

    Its methods may be called from any thread and never wait for a stage, except ``stop``.

    Args:
        neutrals: where neutral poses are remembered; None forgets them at the end.
        open_source, open_engine, open_detector, open_sink, open_microphone: create its parts.
    """

    def __init__(
        self,
        controls: Controls,
        neutrals: NeutralStore | None = None,
        *,
        open_source: Callable[[str], Source] = open_source,
        open_engine: Callable[[str, str], Engine] = open_model,
        open_detector: Callable[[], FaceDetector] = FaceDetector.open,
        open_sink: OpenSink = open_sink,
        open_microphone: Callable[[str], Microphone] = open_microphone,
    ) -> None:
        self._lock = threading.Lock()
        self._controls = controls
        self._notices = Notices()
        self._meter = Meter()
        self._frames: Slot[Frame] = Slot()
        self._pictures: Slot[Picture] = Slot()
        self._sent: Slot[Outgoing] = Slot()

        def wanted() -> Controls:
            return self._controls

        def heard() -> Controls:
            # A recording that has failed keeps no microphone open.
            controls = self._controls
            return replace(controls, recording=None) if self._recording.failed else controls

        neutrals = neutrals or NeutralStore()
        self._camera = CameraStage(
            open_source,
            wanted,
            self._frames,
            self._meter,
            self._notices,
            lambda: self._output.description,
            lambda: self._output.rest.resting,
        )
        self._animate = AnimateStage(
            open_engine,
            open_detector,
            wanted,
            self._frames,
            self._pictures,
            neutrals,
            self._meter,
            self._notices,
        )
        self._output = OutputStage(
            open_sink,
            wanted,
            self._pictures,
            self._frames,
            self._sent,
            self._why_card,
            self._meter,
            self._notices,
        )
        # Viewers who come later must not see the user: nobody was there when that was confirmed.
        self._output.rest.begun = lambda: self.change(pass_through=False)
        self._sound = SoundStage(
            open_microphone, VirtualMicrophone, heard, self._meter.latency, self._notices
        )
        self._recording = RecorderStage(wanted, self._sent, self._notices, self._sound.take)
        self._stages = (self._camera, self._animate, self._output, self._sound, self._recording)

    def start(self) -> None:
        """Start the stages; return at once, models load in the background."""
        share_heap()
        for stage in self._stages:
            stage.start()

    @property
    def controls(self) -> Controls:
        return self._controls

    def change(self, **changes: Any) -> Controls:
        """Replace fields of the controls, such as ``change(paused=True)``.

        As ``controls.changed`` does; returns the new controls.
        """
        with self._lock:
            self._controls = changed(self._controls, **changes)
            return self._controls

    def recalibrate(self) -> None:
        """Take the user's pose of the next few good frames as the neutral one."""
        with self._lock:
            self._controls = changed(self._controls, calibrations=self._controls.calibrations + 1)

    def follow_face(self, x: float, y: float) -> None:
        """Follow the face nearest to a point of ``seen()``.

        In fractions of its width and height.
        """
        with self._lock:
            self._controls = changed(self._controls, picks=self._controls.picks + 1, picked=(x, y))

    def turn_camera(self) -> None:
        """Turn the camera's picture as offered by the notice about a rotated face."""
        with self._lock:
            self._controls = changed(
                self._controls, rotation=(self._controls.rotation + self._animate.turn) % 360
            )

    def retry(self, about: str) -> None:
        """Retry the subject of a notice at once instead of in a few seconds."""
        if about == "camera":
            self._camera.hurry()
        elif about in ("engine", "avatar"):
            self._animate.retry()
        elif about == "output":
            self._output.hurry()
        elif about == "recording":
            self._recording.retry()
        elif about == "sound":
            self._sound.hurry()

    def status(self) -> Status:
        animate, choice = self._animate, self._output.choice
        return Status(
            shows=choice.shows,
            reason=choice.reason,
            camera=self._camera.description,
            engine=animate.engine_name,
            output=self._output.description,
            loading=animate.loading,
            calibrated=animate.calibrated,
            borrowed=animate.borrowed,
            face=animate.match is not None or bool((seen := animate.seen) and seen.points is not None),
            match=animate.match,
            calibrating=animate.calibrating,
            found=animate.found,
            avatar=animate.avatar,
            recording=self._recording.path,
            avatars=self._output.avatars,
            other=animate.other_computer,
            resting=self._output.rest.resting,
            statistics=self._meter.statistics(),
            notices=self._notices.all(),
        )

    def seen(self) -> SeenFrame | None:
        """Return the newest camera frame, for the preview on this screen alone."""
        frame, seen = self._frames.peek(), self._animate.seen
        if frame is None or not self._camera.description:
            return None
        # A slow engine must not slow the preview: the newest frame, with the last detected face if that is
        # recent.
        if seen is not None and frame.captured_at - seen.frame.captured_at < 0.5:
            return SeenFrame(frame, seen.points, seen.box, seen.others)
        return SeenFrame(frame)

    def shown(self) -> Outgoing | None:
        """Return the picture last sent: exactly what the call gets, at ``controls.size``."""
        return self._output.shown

    def portrait(self) -> Image | None:
        """Return the avatar's cropped photo, (size, size, 3), for the ghost overlay."""
        return self._animate.portrait

    def snapshot(self, path: Path) -> None:
        """Write the output's picture as PNG. Raises OutputError."""
        picture = self.shown()
        if picture is None:
            raise OutputError(
                Text("There is no picture to keep yet."), Text("Wait until the output shows one.")
            )
        require_writable(path)
        done, data = cv2.imencode(".png", np.ascontiguousarray(picture.rgb()[..., ::-1]))
        try:
            if not done:
                raise OSError("the picture cannot be encoded")
            write_whole(path, data.tobytes())
        except OSError as problem:
            raise OutputError(
                Text("The picture {} cannot be written: {}.", path, reason(problem)),
                Text("Free some space or name another folder."),
            ) from None

    def stop(self) -> list[str]:
        """Stop all stages in the order of the data, each within 2 seconds.

        Returns the names of those that are stuck.
        """
        for stage in self._stages:
            stage.stop()
        for slot in (self._frames, self._pictures, self._sent):
            slot.close()
        stuck = [stage.name for stage in self._stages if not stage.join(STOP_SECONDS)]
        give_memory_back()
        return stuck

    def _why_card(self) -> str:
        """Return why no avatar can be shown, in the order in which a user would fix it."""
        animate = self._animate
        if self._controls.avatar is None:
            return "no-avatar"
        if not animate.has_avatar:
            return "fault" if self._notices.about("engine") or self._notices.about("avatar") else "starting"
        if self._notices.about("camera") is not None:
            return "no-camera"
        if not animate.calibrated:
            return "uncalibrated"
        return "no-face" if animate.waits_for_face else ""
