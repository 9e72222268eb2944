"""``live``: the whole session without a window, for servers, tests and scripts."""

from __future__ import annotations

import argparse
import dataclasses
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_app.bundles.bundle import open_bundle
from avatar_app.cameras.address import is_address, source_title
from avatar_app.cameras.permission import ask_for_camera
from avatar_app.commands.numbers import instance_name, seconds, whole_number
from avatar_app.commands.options import (
    add_device_arguments,
    add_face_argument,
    add_framing_arguments,
    add_motion_arguments,
    add_report_argument,
)
from avatar_app.commands.printer import say
from avatar_app.control.server import ControlServer
from avatar_app.ending import ENDING
from avatar_app.engines.open import require_device
from avatar_app.errors import OutputError
from avatar_app.files import is_there, require_apart, require_writable, write_json
from avatar_app.media.formats import require_recording
from avatar_app.motion.calibration import NeutralStore
from avatar_app.outputs.canvas import Canvas
from avatar_app.paths import user_neutrals
from avatar_app.photos.library import Library
from avatar_app.photos.lookup import find_photo
from avatar_app.session.commands import Commands
from avatar_app.session.controls import OUTPUTS, ROTATIONS, Controls, Status
from avatar_app.session.controls import SIZES as CALL_SIZES
from avatar_app.session.session import Session
from avatar_app.sound.opening import SYSTEM, find_microphone, list_microphones
from avatar_app.sound.virtual_microphone import require_virtual_microphone
from avatar_app.text import Text

WHY = {
    "starting": "the model or the photo was still being loaded",
    "no-camera": "the camera gave no picture",
    "paused": "it was paused",
    "fault": "something failed",
    "stale": "its pictures came too late",
    "no-face": "no face was seen",
    "unseen": "no face was seen to take the neutral pose of",
    "uncalibrated": "no neutral pose was taken",
    "no-output": "the output did not take it",
}
"""Why no avatar was sent, by the reason at the end."""

CALIBRATE_AFTER = 1.0
"""Default in seconds."""

AGAIN_AFTER = 2.0
"""Seconds after which the pose is taken again if it was dropped as that of a poster."""

SIZES = {f"{width}x{height}": (width, height) for width, height in CALL_SIZES}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit code: 0 if an avatar was sent, or if the neutral pose was left to `control recalibrate` and "
        "never requested; 1 if no avatar was sent, if a recording failed, or if a part did not stop; 2 for "
        "an error in the arguments; 130, 143 or 129 if SIGINT (Ctrl-C), SIGTERM or SIGHUP ended it, after "
        "everything was closed."
    )
    _add_files(parser.add_argument_group("input and output"))
    add_device_arguments(parser)
    _add_motion(parser.add_argument_group("motion"))
    _add_picture(parser.add_argument_group("picture"))


def _add_files(files: argparse._ArgumentGroup) -> None:
    files.add_argument(
        "--source",
        default="",
        metavar="CAMERA",
        help="a camera's name or number, a video, a folder or a URL (default: the first camera)",
    )
    files.add_argument(
        "--avatar", required=True, metavar="PHOTO", help="a photo, or the name of one in the gallery"
    )
    add_face_argument(files)
    _add_outputs(files)
    files.add_argument(
        "--name",
        type=instance_name,
        metavar="NAME",
        help="name of this instance, for `control --name`: several can run at once",
    )
    files.add_argument(
        "--seconds",
        type=seconds,
        metavar="N",
        help="stop after this many seconds (default: on interruption)",
    )
    add_report_argument(files, "what was measured")


def _add_outputs(files: argparse._ArgumentGroup) -> None:
    files.add_argument(
        "--output",
        default="virtual-camera",
        metavar="WHERE",
        help="virtual-camera, pipewire, none, a video file to write, "
        "or an address to send to, without sound: rtmp://, udp://, or srt:// if PyAV has it "
        "(default: virtual-camera)",
    )
    files.add_argument(
        "--device-name",
        default="",
        metavar="D",
        help="the virtual camera's path or name (default: the first)",
    )
    files.add_argument(
        "--microphone",
        default="",
        metavar="M",
        help="record its sound in sync with the picture: its name or a part of it, or "
        '"default" for the system\'s (default: no sound)',
    )
    files.add_argument(
        "--virtual-microphone",
        action="store_true",
        help="offer the microphone to calls, delayed like the avatar: choose Avatar Microphone there (Linux)",
    )


def _add_motion(motion: argparse._ArgumentGroup) -> None:
    motion.add_argument(
        "--calibrate-after",
        type=seconds,
        metavar="S",
        help="take the neutral pose once after so many seconds, also where one is remembered for the "
        "avatar; negative: only on "
        f"`control recalibrate` (default: {CALIBRATE_AFTER:.0f}, and only where none is remembered)",
    )
    add_motion_arguments(motion)


def _add_picture(picture: argparse._ArgumentGroup) -> None:
    picture.add_argument(
        "--rotate",
        type=int,
        choices=ROTATIONS,
        default=0,
        help="turn the camera's picture clockwise, in degrees (default: 0)",
    )
    picture.add_argument(
        "--size", choices=list(SIZES), default="1280x720", help="size of the output (default: 1280x720)"
    )
    picture.add_argument(
        "--fps",
        type=whole_number(5, 60),
        default=30,
        metavar="N",
        help="pictures per second, 5 to 60 (default: 30)",
    )
    picture.add_argument(
        "--background",
        default="photo",
        metavar="B",
        help="background: photo (the photo's own), blur, a colour such as #203040, or a "
        "picture (default: photo)",
    )
    add_framing_arguments(picture)
    picture.add_argument("--mirror", action="store_true", help="mirror the output")
    picture.add_argument("--label", action="store_true", help='write "AI avatar" on the picture')


def run(arguments: argparse.Namespace) -> int:
    open_bundle(arguments.model)  # report a wrong name at once
    require_device(arguments.device)
    if arguments.json:
        require_writable(arguments.json)
    library = Library()
    controls = controls_of(arguments, library)
    read = (Path(text) for text in (arguments.source, arguments.background) if text and is_there(text))
    require_apart([controls.recording, arguments.json], [controls.avatar, *read])
    Canvas(controls.size, controls.background)  # report a background that cannot be read at once
    _require_sound(controls)
    session = Session(controls, NeutralStore(user_neutrals()))
    stopped = threading.Event()
    commands = Commands(session, library, {"quit": lambda _: stopped.set()})
    server = ControlServer(commands, name=arguments.name or "")
    tally = Tally()
    began = time.monotonic()
    server.start()  # first: if another instance runs, it owns camera and output
    try:
        ask_for_camera(session.controls.source)
        session.start()
        _watch(session, stopped, arguments.seconds, arguments.calibrate_after, tally)
    except KeyboardInterrupt:
        pass  # closed like after any other end
    finally:
        status = session.status()
        server.close()
        at = time.monotonic()
        stuck = session.stop()
        tally.add(session.status())  # a recording may fail when its file is finished
        stopping = time.monotonic() - at
    tally.add(status)
    report = _report(arguments, status, tally, at - began, stopping, stuck)
    if arguments.json:
        write_json(arguments.json, report)
    rates = status.statistics
    say(
        f"{rates.sent} picture{'s' * (rates.sent != 1)} in {at - began:.1f} s; at the end "
        f"{rates.avatar_fps:.1f} new ones a second, "
        f"{rates.latency_p50:.0f} ms old (95 %: {rates.latency_p95:.0f} ms)"
    )
    problem = _without_avatar(arguments, status, session.controls)
    if problem and ENDING.code is None:
        say(f"error: {problem}", error=True)
    return 1 if problem or stuck or tally.recording_failed else 0


def _require_sound(controls: Controls) -> None:
    """Raise SoundError at once for a missing microphone."""
    if controls.pass_sound:
        require_virtual_microphone()
    if controls.microphone:
        find_microphone(controls.microphone, list_microphones())


def controls_of(arguments: argparse.Namespace, library: Library) -> Controls:
    """Return the controls for the arguments; raise AvatarError for impossible ones."""
    output, recording, device = arguments.output, None, arguments.device_name
    if is_address(output):
        from avatar_app.media.stream_writer import require_stream

        require_stream(output)
        output, device = "stream", output
    elif output not in OUTPUTS:
        recording, output = Path(output), "none"
        require_recording(recording)
        if is_there(recording):
            raise OutputError(
                Text("There is a file {} already.", recording),
                Text("Name another one, so that no recording is lost."),
            )
    photo = find_photo(arguments.avatar, library)
    return Controls(
        source=arguments.source,
        avatar=photo.path,
        avatar_box=None if arguments.face else photo.box,
        avatar_turn=photo.turn,
        avatar_face=arguments.face,
        model=arguments.model,
        device=arguments.device,
        rotation=arguments.rotate,
        relative=arguments.relative,
        adapt_scale=arguments.adapt_scale,
        smoothing=arguments.smoothing,
        head=arguments.head,
        expression=arguments.expression,
        gaze=arguments.gaze,
        output=output,
        output_device=device,
        microphone=arguments.microphone or (SYSTEM if arguments.virtual_microphone else ""),
        pass_sound=arguments.virtual_microphone,
        recording=recording,
        size=SIZES[arguments.size],
        fps=arguments.fps,
        background=arguments.background,
        zoom=arguments.zoom,
        pan_x=arguments.offset[0],
        pan_y=arguments.offset[1],
        mirror_output=arguments.mirror,
        label=arguments.label,
    )


@dataclass
class Tally:
    """Summary of a run so far.

    Attributes:
        latency_p95: the largest, milliseconds.
        shows: what the output showed -> how often, counted five times a second.
        notices: each once, in order of appearance.
        recording_failed: a part of the recording is missing.
    """

    latency_p95: float = 0.0
    shows: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    recording_failed: bool = False

    def add(self, status: Status) -> None:
        """Add a status; print a new notice on stderr."""
        self.latency_p95 = max(self.latency_p95, status.statistics.latency_p95)
        shown = f"{status.shows} {status.reason}".strip()
        self.shows[shown] = self.shows.get(shown, 0) + 1
        for notice in status.notices:
            self.recording_failed |= notice.about == "recording" and notice.level == "error"
            text = f"{notice.message} {notice.hint}".strip()
            if text not in self.notices:
                self.notices.append(text)
                say(f"{notice.level}: {text}", error=True)


def _watch(
    session: Session,
    stopped: threading.Event,
    lasting: float | None,
    calibrate_after: float | None,
    tally: Tally,
) -> None:
    """Wait for the end.

    Calibrates when there is no pose, and once at the time that the user gave.
    """
    began = time.monotonic()
    due = CALIBRATE_AFTER if calibrate_after is None else calibrate_after
    asked_at: float | None = None
    while not stopped.wait(0.2):
        now = time.monotonic() - began
        if lasting is not None and now >= lasting:
            break
        status = session.status()
        idle = asked_at is None or (status.calibrating is None and now - asked_at > AGAIN_AFTER)
        needed = status.reason == "uncalibrated" or (
            calibrate_after is not None and status.calibrated and asked_at is None
        )
        if 0 <= due <= now and status.face and needed and idle:
            session.recalibrate()
            asked_at = now
        tally.add(status)


def _without_avatar(arguments: argparse.Namespace, status: Status, controls: Controls) -> str:
    """Return the error of a run in which no avatar was ever sent.

    Empty if one was, or if the user never asked for a pose.
    """
    by_hand = (
        arguments.calibrate_after is not None and arguments.calibrate_after < 0 and controls.calibrations == 0
    )
    if status.avatars or (by_hand and status.reason == "uncalibrated"):
        return ""
    faults = {notice.about for notice in status.notices}
    why = status.reason if status.shows == "card" else "no-output"
    if "camera" in faults:
        why = "no-camera"
    elif "output" in faults:
        why = "no-output"
    elif why == "uncalibrated" and not status.face:
        why = "unseen"
    return f"No avatar was sent: {WHY.get(why, why)}. See the notices above, or run `doctor`."


def _report(
    arguments: argparse.Namespace,
    status: Status,
    tally: Tally,
    seconds: float,
    stopping: float,
    stuck: list[str],
) -> dict[str, Any]:
    target = arguments.output
    if is_address(target):
        from avatar_app.media.stream_writer import stream_title

        target = stream_title(target)
    return {
        "seconds": round(seconds, 2),
        "source": status.camera or source_title(arguments.source),
        "engine": status.engine,
        "output": status.output or target,
        "shows": status.shows,
        "avatars": status.avatars,
        "statistics": dataclasses.asdict(status.statistics),
        "during": dataclasses.asdict(tally),
        "stop_ms": round(stopping * 1000, 1),
        "stuck": stuck,
    }
