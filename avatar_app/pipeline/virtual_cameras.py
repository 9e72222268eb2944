"""The virtual cameras that this computer has, and how to get one."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from avatar_app.errors import OutputError
from avatar_app.pipeline.packages import install_command

NAME = "Avatar Camera"
"""What calls list the camera as, where the app may choose it."""

LOAD = f'sudo modprobe v4l2loopback exclusive_caps=1 card_label="{NAME}"'

SYSFS = Path("/sys/class/video4linux")
DEVICES = Path("/dev")
MODULES = Path("/lib/modules")
LOADED = Path("/sys/module/v4l2loopback")

WINDOWS_FILTERS = {
    "OBS Virtual Camera": "{A3FCE0F5-3493-419F-958A-ABA1250EC20B}",
    "Unity Video Capture": "{5C2CD55C-92AD-4999-8666-912BD3E70010}",
}
"""Class identifiers under which the two camera drivers register themselves."""

QUERY_CAPABILITIES = 0x80685600
CAPABILITIES = struct.Struct("16s32s32sIII12x")
"""The kernel's VIDIOC_QUERYCAP and struct v4l2_capability: driver, card, bus, version, capabilities, device capabilities."""
CAPTURE, OUTPUT = 0x1, 0x2


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A virtual camera.

    Attributes:
        name: what calls list it as.
        path: the device file on Linux; the name elsewhere.
        exclusive_caps: it shows itself as a plain camera while it is written to, which Chrome and others insist on; None: unknown.
        writable: this user may write to it.
    """

    name: str
    path: str
    exclusive_caps: bool | None
    writable: bool


def list_virtual_cameras() -> list[VirtualCamera]:
    """The virtual cameras that pictures can be sent to, in the order of their device numbers. Opens none of them for writing."""
    if sys.platform == "win32":
        return _windows_cameras()
    if sys.platform == "darwin":
        name = "OBS Virtual Camera"
        return [VirtualCamera(name, name, None, True)] if Path("/Applications/OBS.app").exists() else []
    if not SYSFS.is_dir():
        return []
    found = [_linux_camera(entry) for entry in sorted(SYSFS.glob("video*"), key=lambda entry: int(entry.name[5:] or 0))]
    return [camera for camera in found if camera]


def require_virtual_camera(device: str) -> VirtualCamera:
    """The virtual camera with this path or name; the first one that can be written to for an empty ``device``. Linux only.

    Raises:
        OutputError: there is none, or this user may not write to it.
    """
    cameras = list_virtual_cameras()
    if not cameras:
        raise OutputError("There is no virtual camera on this computer.", _how_to_get_one())
    fitting = [camera for camera in cameras if device in ("", camera.path, camera.name)]
    if not fitting:
        names = ", ".join(f"{camera.path} ({camera.name})" for camera in cameras)
        raise OutputError(f"There is no virtual camera {device}.", f"Choose one of these: {names}.")
    for camera in fitting:
        if camera.writable:
            return camera
    hint = "Run `sudo usermod -aG video $USER`, then log out and in again."
    raise OutputError(f"You may not write to the virtual camera {fitting[0].path} ({fitting[0].name}).", hint)


def _how_to_get_one() -> str:
    release = os.uname().release
    if LOADED.exists():
        return f"The kernel module is loaded without a device. Run `sudo modprobe -r v4l2loopback && {LOAD}`."
    try:
        installed = "/v4l2loopback.ko" in (MODULES / release / "modules.dep").read_text()
    except OSError:
        installed = False
    if installed:
        return f"Run `{LOAD}`."
    install = install_command("v4l2loopback-dkms", "akmod-v4l2loopback", "v4l2loopback-dkms")
    return f"Run {install}, then `{LOAD}`. The output PipeWire needs no kernel module."


def _linux_camera(entry: Path) -> VirtualCamera | None:
    """What ``entry`` of sysfs is, None for a real camera."""
    path = DEVICES / entry.name
    answer = _ask_driver(path)
    # A device that may not be opened is still known by where it hangs: on no bus.
    is_loopback = answer[0] == "v4l2 loopback" if answer else "/virtual/video4linux/" in str(entry.resolve())
    if not is_loopback:
        return None
    try:
        name = (entry / "name").read_text().strip()
    except OSError:
        name = entry.name
    exclusive = not is_two_faced(answer[1]) if answer else None
    return VirtualCamera(name, str(path), exclusive, os.access(path, os.R_OK | os.W_OK))


def is_two_faced(capabilities: int) -> bool:
    """Whether a device claims to be a camera and a screen at once: v4l2loopback without ``exclusive_caps``."""
    return capabilities & (CAPTURE | OUTPUT) == CAPTURE | OUTPUT


def _ask_driver(path: Path) -> tuple[str, int] | None:
    """The driver's name and the device's capabilities, None if it may not be opened or is no video device."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(handle, QUERY_CAPABILITIES, bytes(CAPABILITIES.size))
    except OSError:
        return None
    finally:
        os.close(handle)
    driver, _, _, _, _, capabilities = CAPABILITIES.unpack(answer)
    return driver.split(b"\0")[0].decode(errors="replace"), capabilities


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
