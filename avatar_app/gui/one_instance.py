"""One instance for each user: a second start hands its wishes over to the first."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from avatar_app.control.server import NotRunning, send_command
from avatar_app.errors import AvatarError

OPTIONS = ("source", "model", "device", "output")
"""Options of the command line that override the settings, besides the avatar."""


def hand_over(arguments: argparse.Namespace) -> bool:
    """Leave it to the instance that runs already, if there is one: its window comes to the front and takes the avatar.

    Two sessions beside each other would fight for the camera. Raises AvatarError where that instance has no window, does not answer or
    cannot take what is wanted: nothing is dropped in silence.
    """
    try:
        _require(send_command("raise"))
    except NotRunning:
        return False
    left = [f"--{name}" for name in OPTIONS if getattr(arguments, name, None) is not None]
    if left:
        message = f"The app is running already; its window came to the front, but does not take over {', '.join(left)}."
        raise AvatarError(message, "Choose it there, or end the app first.")
    if getattr(arguments, "avatar", None) is not None:
        _require(send_command(f"avatar {arguments.avatar}"))
    return True


def _require(answer: Mapping[str, object]) -> None:
    """Raises AvatarError where a running instance refuses."""
    if not answer["ok"]:
        raise AvatarError(str(answer["message"]), str(answer.get("hint", "")))
