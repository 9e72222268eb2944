"""Check whether a call would work on this computer, and say what to do if not."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from avatar_app.bundles.bundle import bundle_folders, open_bundle, read_bundle
from avatar_app.cameras.formats import camera_formats
from avatar_app.cameras.listing import user_of, users_of
from avatar_app.cameras.opening import CameraInfo, list_cameras
from avatar_app.cameras.permission import require_camera_permission
from avatar_app.control.server import NotRunning, send_command
from avatar_app.doctor import nvidia as graphics_card
from avatar_app.doctor import webgpu
from avatar_app.doctor.speed import measure_speed
from avatar_app.engines.open import cuda_problem
from avatar_app.errors import AvatarError, BundleError, CameraError, OutputError
from avatar_app.extras import python
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys, by_portal, desktop_limit, way
from avatar_app.outputs.sinks import VirtualCamera, list_virtual_cameras, require_pipewire
from avatar_app.outputs.virtual_cameras import ABROAD, LOAD, require_virtual_camera
from avatar_app.text import NOTHING, Text, join, parts_of

log = logging.getLogger(__name__)

State = Literal["ok", "note", "problem"]

OLDEST_PYTHON = (3, 11)
SLOW, TOO_SLOW = 24.0, 15.0
"""Frames a second below which a call is jerky, and below which it is useless."""
FORMATS = 3
"""Number of a camera's formats that are listed."""
WIDTH, NAME_AT, TEXT_AT = 79, 9, 25
"""Columns of the report as text."""
REASONS = {
    "starting": Text("starting"),
    "no-avatar": Text("no-avatar"),
    "no-camera": Text("no-camera"),
    "uncalibrated": Text("uncalibrated"),
    "no-face": Text("no-face"),
    "paused": Text("paused"),
    "fault": Text("fault"),
    "stale": Text("stale"),
}
"""Reasons for the still card, for people."""
JOIN_VIDEO = Text("Run `sudo usermod -aG video $USER`, then log out and in again.")


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check.

    Attributes:
        name: what was checked, for people.
        todo: what to do about it, empty if nothing; commands are between backticks.
        needed: while this is a problem no call works.
    """

    name: Text
    state: State
    found: Text
    todo: Text = NOTHING
    needed: bool = False


def checks(model: str = "lite", device: str = "auto", quick: bool = False) -> Iterator[Check]:
    """Yield the results of all checks; takes a few seconds. Never raises.

    Args:
        model, device: as the session would be started with.
        quick: leave out the measurement of the speed.
    """
    parts: list[tuple[Text, bool, Callable[[], Sequence[Check]]]] = [
        (Text("Python"), True, lambda: [check_python()]),
        (Text("Graphics card"), False, lambda: [check_graphics(model, quick)]),
        (Text("Models"), True, lambda: [check_models(model)]),
        (Text("Cameras"), True, lambda: [check_cameras()]),
        (Text("Virtual camera"), True, check_outputs),
        (Text("Running app"), False, lambda: [check_app()]),
        (Text("Hotkeys"), False, lambda: [check_hotkeys()]),
        (Text("Speed"), True, lambda: [check_speed(model, device, quick)]),
    ]
    for name, needed, part in parts:
        try:
            found = part()
        except Exception as problem:  # a broken installation must not stop the other checks
            log.warning("the check of %s failed", name, exc_info=True)
            said = f"{type(problem).__name__}: {problem}".rstrip(": .")
            found = [
                Check(
                    name,
                    "problem",
                    Text("It could not be checked: {}.", said),
                    Text("Install the app again, with the versions in requirements.txt."),
                    needed,
                )
            ]
        yield from found


def would_work(found: Sequence[Check]) -> bool:
    """Whether a call would work."""
    return not any(check.needed and check.state == "problem" for check in found)


def as_text(check: Check) -> str:
    """Write one result for a terminal: state, name, finding, what to do."""
    text = _folded(check.found, f"{check.state.ljust(NAME_AT)}{check.name.ljust(TEXT_AT - NAME_AT)}")
    if check.todo:
        text += "\n" + _folded(check.todo, f"{' ' * NAME_AT}{'what to do'.ljust(TEXT_AT - NAME_AT)}")
    return text


def _folded(text: str, first: str) -> str:
    """Fold text to the width of a terminal.

    Commands stay whole, so that they can be copied.
    """
    whole = re.sub("`[^`]*`", lambda command: command[0].replace(" ", "\0"), text)
    others = " " * TEXT_AT
    lines = textwrap.wrap(
        whole,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\0", " ")


def check_python() -> Check:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Check(
            Text("Python"),
            "problem",
            Text("{}", version),
            Text("Install Python {}.{} or newer.", OLDEST_PYTHON[0], OLDEST_PYTHON[1]),
            needed=True,
        )
    return Check(Text("Python"), "ok", Text("{} on {} {}", version, platform.system(), platform.machine()))


def check_graphics(model: str = "lite", quick: bool = True) -> Check:
    """Check whether a graphics card can be used; calls work without one."""
    name = Text("Graphics card")
    try:
        installed = metadata.version("torch")
    except metadata.PackageNotFoundError:
        installed = ""
    card = graphics_card.find_card()
    torch = f"PyTorch {installed}" if installed else Text("PyTorch is not installed")
    if card is None and graphics_card.lacks_driver():
        todo = Text("Install NVIDIA's driver, restart the computer and run `doctor` again.")
        return Check(name, "problem", Text("An NVIDIA card is there, but its driver is not."), todo)
    problem = None if card is None else cuda_problem() or graphics_card.misfit(card, installed)
    if card is not None and problem is None:
        return Check(name, "ok", Text("{}, {}.", card.title, torch))
    other = webgpu.look(model, quick)
    if card is None or problem is None:
        return Check(name, other.state, join([other.found, Text("No NVIDIA card; {}.", torch)]), other.todo)
    unused = Text("{} is not used: {}.", card.title, problem)
    if other.computes:
        return Check(name, "ok", join([other.found, unused]))
    return Check(name, "problem", unused, graphics_card.advice(card, installed))


def check_models(model: str) -> Check:
    """Check the chosen model and the face networks, which are required.

    Other damaged models are named.
    """
    for needed in (model, "faces"):
        try:
            open_bundle(needed)
        except BundleError as error:
            return Check(Text("Models"), "problem", error.message, error.hint, needed=True)
    whole: list[Text] = []
    damaged: list[BundleError] = []
    for folder in bundle_folders():
        try:
            bundle = read_bundle(folder)
            bundle.verify()
            whole.append(Text("{} ({} files)", bundle.name, len(bundle.hashes)))
        except BundleError as error:
            damaged.append(error)
    found = Text("{}: as published.", join(whole, ", "))
    if damaged:
        return Check(Text("Models"), "note", join([found, damaged[0].message]), damaged[0].hint)
    return Check(Text("Models"), "ok", found)


def check_cameras() -> Check:
    cameras = list_cameras()
    if not cameras:
        todo = Text("Connect one; see that no privacy switch is on.")
        if sys.platform == "darwin":
            allow = Text("Allow this program the camera in System Settings, Privacy & Security.")
            todo = join([todo, allow])
        return Check(Text("Cameras"), "problem", Text("No camera is connected."), todo, needed=True)
    try:
        require_camera_permission()
    except CameraError as error:
        return Check(Text("Cameras"), "problem", error.message, error.hint, needed=True)
    closed = [camera for camera in cameras if camera.path and not os.access(camera.path, os.R_OK | os.W_OK)]
    if len(closed) == len(cameras):
        return Check(
            Text("Cameras"),
            "problem",
            Text("You may not use {} ({}).", closed[0].name, closed[0].path),
            JOIN_VIDEO,
            needed=True,
        )
    found = Text("{}.", join(map(_described, cameras), "; "))
    if closed:
        return Check(
            Text("Cameras"), "note", join([found, Text("You may not use {}.", closed[0].name)]), JOIN_VIDEO
        )
    users = {
        camera.name: user_of(camera.path) for camera in cameras if camera.path and camera.kind != "virtual"
    }
    busy = [Text("{} is in use by {}", name, user) for name, user in users.items() if user]
    if busy:
        return Check(
            Text("Cameras"),
            "note",
            Text("{} {}.", found, join(busy, "; ")),
            Text("If that is another program, close the camera there."),
        )
    return Check(Text("Cameras"), "ok", found)


def _described(camera: CameraInfo) -> Text:
    formats = camera_formats(camera.path) if camera.path else []
    # The most important one first: without it large pictures are slow.
    formats.sort(key=lambda text: not text.startswith("MJPG"))
    if len(formats) > FORMATS:
        formats[FORMATS:] = [Text("{} more", len(formats) - FORMATS)]
    return _with_details(camera.name, formats)


def _with_details(name: str, details: Sequence[str]) -> Text:
    return Text("{} ({})", name, join(details, ", ")) if details else Text("{}", name)


def check_outputs() -> list[Check]:
    """Check the ways to a call, of which one is required."""
    virtual, has_virtual = _check_virtual_camera()
    if sys.platform != "linux":
        return [Check(Text("Virtual camera"), "ok" if has_virtual else "problem", *virtual, needed=True)]
    pipewire, has_pipewire = _check_pipewire()
    bad: State = "note" if has_virtual or has_pipewire else "problem"
    return [
        Check(
            Text("Virtual camera"),
            ("note" if virtual[1] else "ok") if has_virtual else bad,
            *virtual,
            needed=True,
        ),
        Check(Text("PipeWire"), "ok" if has_pipewire else bad, *pipewire, needed=True),
    ]


def _check_virtual_camera() -> tuple[tuple[Text, Text], bool]:
    """Return the finding, what to do, and whether there is a usable virtual camera."""
    if importlib.util.find_spec("pyvirtualcam") is None:
        return (
            Text("The library pyvirtualcam is not installed."),
            Text("Run `{} -m pip install pyvirtualcam`.", python()),
        ), False
    cameras = list_virtual_cameras()
    if sys.platform == "linux":
        try:
            require_virtual_camera("")
        except OutputError as error:
            return (error.message, error.hint), False
    elif not cameras:
        return (
            Text("There is no virtual camera on this computer."),
            ABROAD.get(sys.platform, NOTHING),
        ), False
    usable = [camera for camera in cameras if camera.writable]
    found = Text("{}.", join(map(_described_output, usable), "; "))
    if all(camera.exclusive_caps is False for camera in usable):
        return (
            found,
            Text(
                "Chrome, Zoom and Teams do not list it so; run `sudo modprobe -r v4l2loopback && {}`.", LOAD
            ),
        ), True
    return (found, NOTHING), True


def _described_output(camera: VirtualCamera) -> Text:
    parts = [] if camera.path == camera.name else [camera.path]
    if camera.exclusive_caps is not None:
        parts.append(f"exclusive_caps {'on' if camera.exclusive_caps else 'off'}")
    parts += [Text("open in {}", user) for user in users_of(camera.path)]
    return _with_details(camera.name, parts)


def _check_pipewire() -> tuple[tuple[Text, Text], bool]:
    try:
        require_pipewire()
    except OutputError as error:
        return (error.message, error.hint), False
    return (Text("A camera can be published; browsers and Flatpak programs see it."), NOTHING), True


def check_app() -> Check:
    name = Text("Running app")
    try:
        reply = send_command("status", timeout=1.0)
    except NotRunning:
        return Check(name, "ok", Text("It is not running now."))
    except AvatarError as error:
        return Check(name, "note", error.message, error.hint)
    shared = Text("It is running; the camera, the speed and the hotkeys are shared with it.")
    return Check(name, "ok", join([shared, _shown(str(reply["message"]))]))


def _shown(message: str) -> Text:
    """Describe what the call sees, by the running app's answer."""
    what, _, why = message.removeprefix("shows ").partition(" ")
    if what == "card":
        return Text("shows card {}", REASONS.get(why, why))
    shown = {"avatar": Text("shows avatar"), "self": Text("shows self")}
    return shown.get(what, Text("{}", message))


def check_hotkeys() -> Check:
    name = Text("Hotkeys")
    with suppress(AvatarError):
        send_command("status", timeout=1.0)
        if limit := desktop_limit():
            return Check(name, "note", *_found_and_todo(limit))
        return Check(name, "ok", Text("The running app has them ({}).", way()))
    if by_portal():  # a trial binding would ask the user
        return Check(name, "ok", Text("The desktop binds them: see its settings ({}).", way()))
    hotkeys = Hotkeys(DEFAULT_HOTKEYS, lambda action: None)
    try:
        problems = hotkeys.start()
    finally:
        hotkeys.close()
    if not problems:
        return Check(name, "ok", Text("{} are free ({}).", ", ".join(DEFAULT_HOTKEYS.values()), way()))
    found, todo = _found_and_todo(problems[0])
    if len(problems) > 1:
        found = Text("{} ({} more)", found, len(problems) - 1)
    return Check(name, "note", found, todo)


def _found_and_todo(problem: Text) -> tuple[Text, Text]:
    found, *todo = parts_of(problem)
    return found, join(todo)


def check_speed(model: str, device: str, quick: bool) -> Check:
    if quick:
        return Check(Text("Speed"), "note", Text("Not measured."), needed=True)
    try:
        speed = measure_speed(model, device)
    except AvatarError as error:
        return Check(Text("Speed"), "problem", error.message, error.hint, needed=True)
    found = Text("{:.0f} fps with {}.", speed.fps, speed.engine)
    if speed.traffic is not None:
        trip = Text("Its pictures take {:.0f} ms there and back.", speed.traffic.round_trip)
        found = join([found, trip])
    if speed.fps >= SLOW:
        return Check(Text("Speed"), "ok", found, needed=True)
    if speed.traffic is not None:
        todo = Text("Let fewer people use that computer, or look for a faster way to it, such as a cable.")
        state: State = "problem" if speed.fps < TOO_SLOW else "note"
        return Check(Text("Speed"), state, found, todo, needed=True)
    todo = (
        Text("Close other programs that keep the processor busy.")
        if model == "lite"
        else Text("Choose the model lite, or close other programs that keep the processor busy.")
    )
    return Check(Text("Speed"), "problem" if speed.fps < TOO_SLOW else "note", found, todo, needed=True)
