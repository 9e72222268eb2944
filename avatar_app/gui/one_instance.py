"""One instance for each user: a second start passes its options to the first."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from avatar_app.control.server import NotRunning, send_command
from avatar_app.errors import AvatarError
from avatar_app.files import is_there
from avatar_app.text import Text

OPTIONS = ("source", "model", "device", "output")
"""Options of the command line that override the settings, besides the avatar."""


def hand_over(arguments: argparse.Namespace) -> bool:
    """Hand over to a running instance; return whether there is one.

    Its window comes to the front and takes the avatar. Two sessions at a time would fight for the camera.
    Raises AvatarError if that instance has no window, does not answer or cannot take an option: nothing is
    dropped silently.
    """
    try:
        _require(send_command("raise"))
    except NotRunning:
        return False
    left = [f"--{name}" for name in OPTIONS if getattr(arguments, name, None) is not None]
    if left:
        message = Text(
            "The app is running already; its window came to the front, but does not take over {}.",
            ", ".join(left),
        )
        raise AvatarError(message, Text("Choose it there, or quit the app first."))
    avatar = getattr(arguments, "avatar", None)
    if avatar is not None:
        # The other process may run in another folder.
        _require(send_command(f"avatar {Path(avatar).absolute() if is_there(avatar) else avatar}"))
    return True


def _require(answer: Mapping[str, object]) -> None:
    """Raise AvatarError if a running instance refuses."""
    if not answer["ok"]:
        raise AvatarError(Text("{}", answer["message"]), Text("{}", answer.get("hint", "")))
