"""Ask for permission to use cameras, which macOS grants to each program once.

Other systems need none. A program started in a terminal has the terminal's permission.
"""

from __future__ import annotations

import logging
import platform
from functools import cache
from typing import Any

from avatar_app.cameras.address import is_address
from avatar_app.errors import CameraError
from avatar_app.files import is_there
from avatar_app.text import Text

log = logging.getLogger(__name__)

NOT_ASKED, RESTRICTED, DENIED, GIVEN = range(4)
"""Values of AVAuthorizationStatus."""


def ask_for_camera(source: str) -> None:
    """Let macOS ask the user, if it has not yet; return at once.

    For the main thread, before a session starts.

    Args:
        source: as for ``open_source``; files, folders and addresses need no permission.
    """
    if not _needs_camera(source):
        return
    if _status() == NOT_ASKED:
        _ask()


def require_camera_permission() -> None:
    """Ask for permission if nobody has yet; raise CameraError without it.

    The caller tries again until the user has answered.
    """
    status = _status()
    if status == NOT_ASKED:
        _ask()
        raise CameraError(
            Text("macOS asks whether this program may use the camera."),
            Text("Allow it; the camera then opens by itself."),
        )
    if status == DENIED:
        hint = Text(
            "Open System Settings, Privacy & Security, Camera; switch on the program that you start "
            "this one from, such as Terminal; then start both again."
        )
        raise CameraError(Text("macOS does not let this program use the camera."), hint)
    if status == RESTRICTED:
        raise CameraError(
            Text("The rules of this Mac forbid cameras."),
            Text("Ask whoever manages it, or see Screen Time in System Settings."),
        )


def _needs_camera(source: str) -> bool:
    return not is_address(source) and not (source and is_there(source))


def _status() -> int:
    library = _library()
    return (
        GIVEN
        if library is None
        else int(library.AVCaptureDevice.authorizationStatusForMediaType_(library.AVMediaTypeVideo))
    )


@cache
def _ask() -> None:
    """Ask for permission, once in the life of the program.

    The question stays on the screen until it is answered.
    """
    library = _library()
    if library is not None:
        library.AVCaptureDevice.requestAccessForMediaType_completionHandler_(
            library.AVMediaTypeVideo, _answered
        )


def _answered(given: bool) -> None:
    """Receive the answer, in a thread of the system."""
    log.info("macOS: the camera was %s", "allowed" if given else "refused")


def _library() -> Any:
    """Return AVFoundation, or None where it is missing.

    OpenCV then reports what is wrong.
    """
    if platform.system() != "Darwin":
        return None
    try:
        import AVFoundation
    except ImportError as problem:
        log.warning("the permission for cameras cannot be asked for: %s", problem)
        return None
    return AVFoundation
