"""List this computer's virtual cameras, and say how to get one."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from avatar_app.errors import OutputError
from avatar_app.outputs import v4l2loopback as loopback
from avatar_app.outputs.packages import install_command, root_install
from avatar_app.text import Text
from avatar_app.v4l2 import LOOPBACK

NAME = "Avatar Camera"
"""Name of the camera in calls, where the app may choose it."""

OPTIONS = f'exclusive_caps=1 card_label="{NAME}"'
LOAD = f"sudo modprobe v4l2loopback {OPTIONS}"

SYSFS = Path("/sys/class/video4linux")
DEVICES = Path("/dev")
MODULES = Path("/lib/modules")
LOADED = Path("/sys/module/v4l2loopback")

WINDOWS_FILTERS = {
    "OBS Virtual Camera": "{A3FCE0F5-3493-419F-958A-ABA1250EC20B}",
    "Unity Video Capture": "{5C2CD55C-92AD-4999-8666-912BD3E70010}",
}
"""Class identifiers under which the two camera drivers register."""


ABROAD = {
    "win32": Text(
        "Install OBS Studio (https://obsproject.com) and start its virtual camera once, or install Unity "
        "Capture."
    ),
    "darwin": Text(
        "Install OBS Studio 30 or newer (https://obsproject.com), start its virtual camera once and allow "
        "it in the system settings."
    ),
}
"""How to get a virtual camera on systems other than Linux."""


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A virtual camera.

    Attributes:
        name: its name in calls.
        path: the device file on Linux; the name elsewhere.
        exclusive_caps: it appears as a plain camera while it is written to, which Chrome and others require;
            None: unknown.
        writable: this user may write to it.
    """

    name: str
    path: str
    exclusive_caps: bool | None
    writable: bool


def list_virtual_cameras() -> list[VirtualCamera]:
    """List the virtual cameras that pictures can be sent to, by device number.

    Opens none of them for writing.
    """
    if sys.platform == "win32":
        return _windows_cameras()
    if sys.platform == "darwin":
        name = "OBS Virtual Camera"
        return [VirtualCamera(name, name, None, True)] if Path("/Applications/OBS.app").exists() else []
    if not SYSFS.is_dir():
        return []
    found = [
        _linux_camera(entry)
        for entry in sorted(SYSFS.glob("video*"), key=lambda entry: int(entry.name[5:] or 0))
    ]
    return [camera for camera in found if camera]


def require_virtual_camera(device: str) -> VirtualCamera:
    """Return the virtual camera with this path or name; empty: the first.

    Raises:
        OutputError: there is none, or this user may not write to it.
    """
    return _usable(device)[0]


def free_virtual_camera(device: str) -> VirtualCamera:
    """Return a virtual camera that no program writes to, ready to be opened.

    Raises:
        OutputError: as ``require_virtual_camera``, or another program sends to it.
    """
    usable = _usable(device)
    for camera in usable:
        if loopback.release(Path(camera.path)):
            return camera
    first = usable[0]
    hint = Text("Close that program: `fuser {}` names it. Or choose another output.", first.path)
    raise OutputError(
        Text("Another program sends to the virtual camera {} ({}).", first.path, first.name), hint
    )


def _usable(device: str) -> list[VirtualCamera]:
    cameras = list_virtual_cameras()
    if not cameras:
        raise OutputError(Text("There is no virtual camera on this computer."), _how_to_get_one())
    fitting = [camera for camera in cameras if device in ("", camera.path, camera.name)]
    if not fitting:
        names = ", ".join(f"{camera.path} ({camera.name})" for camera in cameras)
        raise OutputError(
            Text("There is no virtual camera {}.", device), Text("Choose one of these: {}.", names)
        )
    first = fitting[0]
    writable = [camera for camera in fitting if camera.writable]
    if not writable:
        hint = Text("Run `sudo usermod -aG video $USER`, then log out and in again.")
        raise OutputError(
            Text("You may not write to the virtual camera {} ({}).", first.path, first.name), hint
        )
    return writable


def setup_script() -> str:
    """Return the administrator's shell commands that create a virtual camera.

    Now and at each start of the computer; empty if unknown.
    """
    if not sys.platform.startswith("linux") or any(camera.writable for camera in list_virtual_cameras()):
        return ""
    lines = ["set -e"]
    if not LOADED.exists() and not _is_installed():
        install = root_install("v4l2loopback-dkms", "akmod-v4l2loopback", "v4l2loopback-dkms")
        if not install:
            return ""
        lines.append(install)
    return "\n".join(
        [
            *lines,
            f"echo 'options v4l2loopback {OPTIONS}' > /etc/modprobe.d/avatar-app.conf",
            "echo v4l2loopback > /etc/modules-load.d/avatar-app.conf",
            "modprobe -r v4l2loopback 2>/dev/null || true",
            f"modprobe v4l2loopback {OPTIONS}",
        ]
    )


def _is_installed() -> bool:
    """Whether the running kernel has the module."""
    try:
        return "/v4l2loopback.ko" in (MODULES / platform.release() / "modules.dep").read_text()
    except OSError:
        return False


def _how_to_get_one() -> Text:
    if sys.platform in ABROAD:
        return ABROAD[sys.platform]
    if LOADED.exists():
        return Text(
            "The kernel module is loaded without a device. Run `sudo modprobe -r v4l2loopback && {}`.", LOAD
        )
    if _is_installed():
        return Text("Run `{}`.", LOAD)
    install = install_command("v4l2loopback-dkms", "akmod-v4l2loopback", "v4l2loopback-dkms")
    return Text("Run {}, then `{}`. The output PipeWire needs no kernel module.", install, LOAD)


def _linux_camera(entry: Path) -> VirtualCamera | None:
    """Return the camera of a sysfs ``entry``; None for a real camera."""
    path = DEVICES / entry.name
    answer = loopback.ask(path)
    # A device that may not be opened is recognised by its place in sysfs: on no bus.
    is_loopback = answer.driver == LOOPBACK if answer else "/virtual/video4linux/" in str(entry.resolve())
    if not is_loopback:
        return None
    try:
        name = (entry / "name").read_text().strip()
    except OSError:
        name = entry.name
    exclusive = answer.is_exclusive(_module_allows_exclusive()) if answer else None
    return VirtualCamera(name, str(path), exclusive, os.access(path, os.R_OK | os.W_OK))


def _module_allows_exclusive() -> bool:
    try:
        return "Y" in (LOADED / "parameters" / "exclusive_caps").read_text()
    except OSError:
        return False


def _windows_cameras() -> list[VirtualCamera]:
    found: list[VirtualCamera] = []
    if sys.platform == "win32":
        import winreg

        for name, identifier in WINDOWS_FILTERS.items():
            try:
                winreg.CloseKey(winreg.OpenKey(winreg.HKEY_CLASSES_ROOT, f"CLSID\\{identifier}"))
            except OSError:
                continue
            found.append(VirtualCamera(name, name, None, True))
    return found
