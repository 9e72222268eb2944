"""What the user wants (``Controls``), and the state of the session (``Status``).

A window and the stages exchange only these two values. Controls are a desired state, not commands: each stage
compares them with what it has and adapts. Calibrating is an event, counted by a number that grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from avatar_app.configuration import between, matching, one_of
from avatar_app.motion.match import Match
from avatar_app.motion.smoothing import STRENGTHS
from avatar_app.remote.traffic import Traffic
from avatar_app.text import NOTHING, Text
from avatar_app.types import Array, Box, Frame, Framing

OUTPUTS = ("none", "virtual-camera", "pipewire")
SIZES = ((640, 480), (1280, 720), (1920, 1080))
"""Width and height of the output."""

ROTATIONS = (0, 90, 180, 270)

ZOOMS = (0.5, 2.0)
"""Limits of the zoom."""

ZOOM_STEP = 0.1

CENTRED = {"zoom": 1.0, "pan_x": 0.0, "pan_y": 0.0}
"""Fields of a person placed as in the photo."""

BACKGROUND = matching(
    r"[^#].*|#[0-9a-fA-F]{6}", "photo, blur, a colour such as #203040, or the path of a picture"
)

Strength = Annotated[float, between(0, 1.5)]
"""Factor on a part of the motion; 1 leaves it unchanged."""

Offset = Annotated[float, between(-1, 1)]

Level = Literal["info", "warning", "error"]
Shows = Literal["card", "avatar", "self"]


@dataclass(frozen=True, slots=True)
class Controls:
    """What the user wants.

    Attributes:
        source: a camera's name or number, a video file, a folder of pictures or a URL; empty: the first
            camera.
        avatar: the photo; None: no avatar chosen yet.
        avatar_box, avatar_turn, avatar_face: the user's choice in the photo, as in `PhotoChoice`.
        model: a bundle's name.
        device: as for ``engines.open.open_engine``.
        rotation: degrees clockwise, one of ``ROTATIONS``, by which the camera's picture is turned first.
        calibrations: how many times the user has asked to calibrate.
        picks, picked: how many times the user has pointed at a face, and the last point, in fractions of the
            picture's width and height; that face is followed until it is gone.
        seeking: look for the moment most like the photo and calibrate there, repeatedly while true.
        relative: motion since the neutral pose; False: the pose itself.
        adapt_scale: scale motion by the ratio of the faces' sizes.
        head, expression, gaze: factor on each motion, 0..1.5. Without gaze the avatar looks where its photo
            does.
        preset: the ready expression that stays, one of ``presets.PRESETS``; empty: none.
        hold: a chosen ready expression stays, instead of ending by itself.
        plays, played: how many times one was played, and the last one.
        smoothing: a key of ``smooth.STRENGTHS``.
        follow: the crop follows the face; else it stays where the last calibration put it.
        zoom, pan_x, pan_y: position of the person in the frame, as in `types.Framing`.
        mirror_input: mirror the camera's picture, after turning it.
        mirror_output: mirror the output.
        paused: show the still card.
        pass_through: show the camera itself: only after the user has confirmed it. It is never remembered,
            and see ``changed``.
        background: behind the person: ``photo``: the photo's own, ``blur``: the same blurred, a colour as
            ``#rrggbb``, or the path of a picture.
        label: write "AI avatar" on the picture.
        output: one of ``OUTPUTS``, or ``stream``.
        output_device: which virtual camera; empty: the first. For a stream its address.
        size: one of ``SIZES``.
        fps: pictures a second that the output is sent.
        microphone: its sound goes into recordings; a name, or ``default`` for the system's; empty: none.
        pass_sound: let calls hear it too, delayed like the picture, by a microphone of the app's own.
        recording: video file to which the output is written; None: not recording.
        may_rest: nobody looks at this screen, and the user lets the session rest while nobody watches the
            output either.
    """

    source: str = ""
    avatar: Path | None = None
    avatar_box: Box | None = None
    avatar_turn: int | None = None
    avatar_face: int = 0
    model: str = "lite"
    device: str = "auto"
    rotation: Annotated[int, one_of(*ROTATIONS)] = 0
    calibrations: int = 0
    picks: int = 0
    picked: tuple[float, float] = (0.5, 0.5)
    seeking: bool = False
    relative: bool = True
    adapt_scale: bool = True
    head: Strength = 1.0
    expression: Strength = 1.0
    gaze: Strength = 1.0
    preset: str = ""
    hold: bool = False
    plays: int = 0
    played: str = ""
    smoothing: Annotated[str, one_of(*STRENGTHS)] = "light"
    follow: bool = True
    zoom: Annotated[float, between(*ZOOMS)] = 1.0
    pan_x: Offset = 0.0
    pan_y: Offset = 0.0
    mirror_input: bool = False
    mirror_output: bool = False
    paused: bool = False
    pass_through: bool = False
    background: Annotated[str, BACKGROUND] = "photo"
    label: bool = False
    output: Annotated[str, one_of(*OUTPUTS)] = "none"
    output_device: str = ""
    size: Annotated[tuple[int, int], one_of(*SIZES)] = (1280, 720)
    fps: Annotated[int, between(1, 120)] = 30
    microphone: str = ""
    pass_sound: bool = False
    recording: Path | None = None
    may_rest: bool = False

    @property
    def framing(self) -> Framing:
        """Position and size of the person in the frame."""
        return Framing(self.zoom, self.pan_x, self.pan_y)


FORGOTTEN = frozenset(
    ("avatar", "avatar_box", "avatar_turn", "avatar_face", "calibrations", "picks", "picked", "seeking")
) | {"paused", "pass_through", "recording", "may_rest", "preset", "hold", "plays", "played"}
"""Fields that are not saved. The photo is remembered in another way."""

KEPT = tuple(item.name for item in fields(Controls) if item.name not in FORGOTTEN)

HIDING = frozenset({"paused", "avatar", "avatar_box", "avatar_turn", "avatar_face"})
"""Fields by which the user asks for the card or an avatar, whatever is shown."""


def changed(controls: Controls, **changes: Any) -> Controls:
    """Return the controls with some fields replaced; every change goes through here.

    A user who pauses, continues or chooses an avatar, even the same one, is hidden from then on: such a
    change clears ``pass_through``, whatever else it says, and only a new confirmation sets it again. It
    cannot be set during a pause.
    """
    after = replace(controls, **changes)
    hidden = after.paused or not HIDING.isdisjoint(changes)
    return replace(after, pass_through=False) if hidden else after


def expressed(controls: Controls, name: str, hold: bool) -> dict[str, Any]:
    """Return the fields that change when a ready expression is chosen.

    Choosing the one that stays ends it.
    """
    if hold:
        return {"preset": "" if controls.preset == name else name}
    return {"plays": controls.plays + 1, "played": name, "preset": ""}


def zoomed(controls: Controls, step: float) -> float:
    """Return the zoom after a step, + larger, within ``ZOOMS``."""
    return round(min(max(controls.zoom + step, ZOOMS[0]), ZOOMS[1]), 2)


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for the user that stays until its cause is gone.

    Attributes:
        about: ``camera``, ``avatar``, ``engine``, ``face``, ``motion``, ``output``, ``recording``, ``sound``
            or ``settings``; there is one notice for each.
        message, hint: as in ``errors.AvatarError``.
        actions: offered remedies, in order: ``retry``, ``choose-camera``, ``choose-avatar``,
            ``choose-output``, ``choose-microphone``, ``choose-model``, ``calibrate``, ``resume``, ``doctor``,
            ``turn-camera``.
    """

    about: str
    level: Level
    message: Text
    hint: Text = NOTHING
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """The newest camera frame and the faces in it, for this screen's preview alone.

    Attributes:
        points: (88, 2) landmarks in pixels of the frame, or None without a face.
        box: the crop around the face, in pixels of the frame, or None before the first face.
        others: landmarks of faces that are not followed, from the last search of the whole frame.
    """

    frame: Frame
    points: Array | None = None
    box: Box | None = None
    others: tuple[Array, ...] = ()


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measurements of the last few seconds.

    Attributes:
        camera_fps: frames a second from the camera.
        avatar_fps: distinct avatar pictures a second that were sent.
        output_fps: pictures a second that were sent, repeats included.
        latency_p50, latency_p95: from a frame's capture to its picture's first sending, milliseconds; 0
            before the first.
        animate_ms: median time from a frame to its picture, milliseconds.
        dropped: frames since the start that were replaced by newer ones before they were animated.
        repeated: pictures since the start that were sent again for want of a newer one.
        sent: pictures since the start.
    """

    camera_fps: float = 0.0
    avatar_fps: float = 0.0
    output_fps: float = 0.0
    latency_p50: float = 0.0
    latency_p95: float = 0.0
    animate_ms: float = 0.0
    dropped: int = 0
    repeated: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """State of the session.

    Attributes:
        shows: what the output shows.
        reason: why it shows the card: ``starting``, ``no-avatar``, ``no-camera``, ``uncalibrated``,
            ``no-face``, ``paused``, ``fault``, ``stale``; empty otherwise.
        camera, engine, output: names of open parts, for people; empty while closed.
        loading: name of what is being loaded, for people; empty if nothing is.
        calibrated: there is a neutral pose for this model, this avatar's own or another's.
        borrowed: the neutral pose was taken with another avatar: it fits nearly as well, calibrating again
            makes it exact.
        face: a face is seen now.
        match: how well the user's pose matches the photo's, None without a face or an avatar.
        calibrating: progress of a running calibration, None if none runs or no face can be calibrated with.
        found: number of better moments that ``seeking`` has found since the start; a window flashes when it
            grows.
        avatar: the photo that is animated; None without one.
        recording: the file being written, None without one.
        avatars: pictures of an avatar that the output has taken since the start, repeats included.
        other: state of the connection to the rendering computer; None if rendering is local.
        resting: the camera is off until somebody looks.
    """

    shows: Shows = "card"
    reason: str = "starting"
    camera: str = ""
    engine: str = ""
    output: str = ""
    loading: str = ""
    calibrated: bool = False
    borrowed: bool = False
    face: bool = False
    match: Match | None = None
    calibrating: float | None = None
    found: int = 0
    avatar: Path | None = None
    recording: Path | None = None
    avatars: int = 0
    other: Traffic | None = None
    resting: bool = False
    statistics: Statistics = field(default_factory=Statistics)
    notices: tuple[Notice, ...] = ()
