"""Would a call work on this computer? If not, what is to be done."""

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
from avatar_app.doctor.speed import measure_speed
from avatar_app.engines.open import cuda_problem
from avatar_app.errors import AvatarError, BundleError, CameraError, OutputError
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys, desktop_limit
from avatar_app.outputs.sinks import VirtualCamera, list_virtual_cameras, require_pipewire
from avatar_app.outputs.virtual_cameras import ABROAD, LOAD, require_virtual_camera

log = logging.getLogger(__name__)

State = Literal["ok", "note", "problem"]

OLDEST_PYTHON = (3, 11)
SLOW, TOO_SLOW = 24.0, 15.0
"""Frames a second below which a call looks jerky, and below which it is no use."""
FORMATS = 3
"""How many of a camera's formats are named."""
WIDTH, NAME_AT, TEXT_AT = 79, 9, 25
"""Columns of the report as text."""
JOIN_VIDEO = "Run `sudo usermod -aG video $USER`, then log out and in again."


@dataclass(frozen=True, slots=True)
class Check:
    """What one look at the computer has found.

    Attributes:
        name: what was looked at, for people.
        todo: what to do about it, empty if nothing; commands are between backticks.
        needed: while this is a problem no call works.
    """

    name: str
    state: State
    found: str
    todo: str = ""
    needed: bool = False


def run_checks(model: str = "lite", device: str = "auto", quick: bool = False) -> list[Check]:
    """All checks; takes a few seconds. Never raises.

    Args:
        model, device: as the session would be started with.
        quick: leave out the measurement of the speed.
    """
    return list(checks(model, device, quick))


def checks(model: str = "lite", device: str = "auto", quick: bool = False) -> Iterator[Check]:
    """The same one after the other, as they are done."""
    parts: list[tuple[str, bool, Callable[[], Sequence[Check]]]] = [
        ("Python", True, lambda: [check_python()]),
        ("Graphics card", False, lambda: [check_graphics()]),
        ("Models", True, lambda: [check_models(model)]),
        ("Cameras", True, lambda: [check_cameras()]),
        ("Virtual camera", True, check_outputs),
        ("Running app", False, lambda: [check_app()]),
        ("Hotkeys", False, lambda: [check_hotkeys()]),
        ("Speed", True, lambda: [check_speed(model, device, quick)]),
    ]
    for name, needed, part in parts:
        try:
            found = part()
        except Exception as problem:  # a broken installation must not silence the other checks
            log.warning("the check of %s failed", name, exc_info=True)
            text = f"It could not be checked: {type(problem).__name__}: {problem}".rstrip(": .") + "."
            found = [
                Check(
                    name,
                    "problem",
                    text,
                    "Install the app again, with the versions in requirements.txt.",
                    needed,
                )
            ]
        yield from found


def would_work(found: Sequence[Check]) -> bool:
    """Whether a call would work."""
    return not any(check.needed and check.state == "problem" for check in found)


def as_text(check: Check) -> str:
    """One finding for a terminal.

    State, name, what was found, and below it what to do.
    """
    text = _folded(check.found, f"{check.state.ljust(NAME_AT)}{check.name.ljust(TEXT_AT - NAME_AT)}")
    if check.todo:
        text += "\n" + _folded(check.todo, f"{' ' * NAME_AT}{'what to do'.ljust(TEXT_AT - NAME_AT)}")
    return text


def _folded(text: str, first: str) -> str:
    """Folded to the width of a terminal, except for commands, so that they can be copied."""
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
            "Python",
            "problem",
            version,
            f"Install Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer.",
            needed=True,
        )
    return Check("Python", "ok", f"{version} on {platform.system()} {platform.machine()}")


def check_graphics() -> Check:
    """Whether PyTorch uses the graphics card there is.

    Without it the processor computes, so a call works all the same.
    """
    name = "Graphics card"
    try:
        installed = metadata.version("torch")
    except metadata.PackageNotFoundError:
        installed = ""
    card = graphics_card.find_card()
    torch = f"PyTorch {installed}" if installed else "PyTorch is not installed"
    if card is None:
        if graphics_card.lacks_driver():
            todo = "Install NVIDIA's driver, restart the computer and run `doctor` again."
            return Check(name, "problem", "An NVIDIA card is there, but its driver is not.", todo)
        return Check(name, "ok", f"No NVIDIA card: the processor computes. {torch}.")
    problem = cuda_problem() or graphics_card.misfit(card, installed)
    if problem is None:
        return Check(name, "ok", f"{card}, {torch}.")
    return Check(name, "problem", f"{card} is not used: {problem}.", graphics_card.advice(card, installed))


def check_models(model: str) -> Check:
    """The chosen model and the face network are needed.

    Others that are damaged are named.
    """
    for needed in (model, "faces"):
        try:
            open_bundle(needed)
        except BundleError as error:
            return Check("Models", "problem", error.message, error.hint, needed=True)
    whole, damaged = [], []
    for folder in bundle_folders():
        try:
            bundle = read_bundle(folder)
            bundle.verify()
            whole.append(f"{bundle.name} ({len(bundle.hashes)} files)")
        except BundleError as error:
            damaged.append(error)
    found = f"{', '.join(whole)}: as published."
    if damaged:
        return Check("Models", "note", f"{found} {damaged[0].message}", damaged[0].hint)
    return Check("Models", "ok", found)


def check_cameras() -> Check:
    cameras = list_cameras()
    if not cameras:
        todo = "Connect one; see that no privacy switch is on."
        if sys.platform == "darwin":
            todo += " Allow this program the camera in System Settings, Privacy & Security."
        return Check("Cameras", "problem", "No camera is connected.", todo, needed=True)
    try:
        require_camera_permission()
    except CameraError as error:
        return Check("Cameras", "problem", error.message, error.hint, needed=True)
    closed = [camera for camera in cameras if camera.path and not os.access(camera.path, os.R_OK | os.W_OK)]
    if len(closed) == len(cameras):
        return Check(
            "Cameras",
            "problem",
            f"You may not use {closed[0].name} ({closed[0].path}).",
            JOIN_VIDEO,
            needed=True,
        )
    found = "; ".join(_described(camera) for camera in cameras) + "."
    if closed:
        return Check("Cameras", "note", f"{found} You may not use {closed[0].name}.", JOIN_VIDEO)
    users = {
        camera.name: user_of(camera.path) for camera in cameras if camera.path and camera.kind != "virtual"
    }
    busy = [f"{name} is in use by {user}" for name, user in users.items() if user]
    if busy:
        return Check(
            "Cameras",
            "note",
            f"{found} {'; '.join(busy)}.",
            "If that is another program, close the camera there.",
        )
    return Check("Cameras", "ok", found)


def _described(camera: CameraInfo) -> str:
    formats = camera_formats(camera.path) if camera.path else []
    formats.sort(
        key=lambda text: not text.startswith("MJPG")
    )  # the one that matters: without it large pictures are slow
    if len(formats) > FORMATS:
        formats[FORMATS:] = [f"{len(formats) - FORMATS} more"]
    return f"{camera.name} ({', '.join(formats)})" if formats else camera.name


def check_outputs() -> list[Check]:
    """The ways to a call: one of them is needed."""
    virtual, has_virtual = _check_virtual_camera()
    if sys.platform != "linux":
        return [Check("Virtual camera", "ok" if has_virtual else "problem", *virtual, needed=True)]
    pipewire, has_pipewire = _check_pipewire()
    bad: State = "note" if has_virtual or has_pipewire else "problem"
    return [
        Check(
            "Virtual camera", ("note" if virtual[1] else "ok") if has_virtual else bad, *virtual, needed=True
        ),
        Check("PipeWire", "ok" if has_pipewire else bad, *pipewire, needed=True),
    ]


def _check_virtual_camera() -> tuple[tuple[str, str], bool]:
    """What was found and what to do, and whether there is one to use."""
    if importlib.util.find_spec("pyvirtualcam") is None:
        return (
            "The library pyvirtualcam is not installed.",
            f"Run `{graphics_card.python()} -m pip install pyvirtualcam`.",
        ), False
    cameras = list_virtual_cameras()
    if sys.platform == "linux":
        try:
            require_virtual_camera("")
        except OutputError as error:
            return (error.message, error.hint), False
    elif not cameras:
        return ("There is no virtual camera on this computer.", ABROAD.get(sys.platform, "")), False
    usable = [camera for camera in cameras if camera.writable]
    found = "; ".join(_described_output(camera) for camera in usable) + "."
    if all(camera.exclusive_caps is False for camera in usable):
        return (
            found,
            f"Chrome, Zoom and Teams do not list it so; run `sudo modprobe -r v4l2loopback && {LOAD}`.",
        ), True
    return (found, ""), True


def _described_output(camera: VirtualCamera) -> str:
    parts = [] if camera.path == camera.name else [camera.path]
    if camera.exclusive_caps is not None:
        parts.append(f"exclusive_caps {'on' if camera.exclusive_caps else 'off'}")
    parts += [f"open in {user}" for user in users_of(camera.path)]
    return f"{camera.name} ({', '.join(parts)})" if parts else camera.name


def _check_pipewire() -> tuple[tuple[str, str], bool]:
    try:
        require_pipewire()
    except OutputError as error:
        return (error.message, error.hint), False
    return ("A camera can be published; browsers and Flatpak programs see it.", ""), True


def check_app() -> Check:
    name = "Running app"
    try:
        reply = send_command("status", timeout=1.0)
    except NotRunning:
        return Check(name, "ok", "It is not running now.")
    except AvatarError as error:
        return Check(name, "note", error.message, error.hint)
    said = f" {reply['message']}".rstrip()
    return Check(
        name, "ok", f"It is running; the camera, the speed and the hotkeys are shared with it.{said}"
    )


def check_hotkeys() -> Check:
    with suppress(AvatarError):
        send_command("status", timeout=1.0)
        found, _, todo = desktop_limit().partition(". ")
        return (
            Check("Hotkeys", "note", f"{found}.", todo)
            if found
            else Check("Hotkeys", "ok", "The running app has them.")
        )
    hotkeys = Hotkeys(DEFAULT_HOTKEYS, lambda action: None)
    try:
        problems = hotkeys.start()
    finally:
        hotkeys.close()
    if problems:
        found, _, todo = problems[0].partition(". ")
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        return Check("Hotkeys", "note", f"{found.rstrip('.')}{more}.", todo)
    return Check("Hotkeys", "ok", f"{', '.join(DEFAULT_HOTKEYS.values())} are free.")


def check_speed(model: str, device: str, quick: bool) -> Check:
    if quick:
        return Check("Speed", "note", "Not measured.", needed=True)
    try:
        speed = measure_speed(model, device)
    except AvatarError as error:
        return Check("Speed", "problem", error.message, error.hint, needed=True)
    found = f"{speed.fps:.0f} fps with {speed.engine}."
    if speed.fps >= SLOW:
        return Check("Speed", "ok", found, needed=True)
    todo = (
        "Close other programs that compute."
        if model == "lite"
        else "Choose the model lite, or close other programs that compute."
    )
    return Check("Speed", "problem" if speed.fps < TOO_SLOW else "note", found, todo, needed=True)
