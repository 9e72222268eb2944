"""Errors a user can act on. Everything else is a bug and keeps its traceback."""

from __future__ import annotations

from avatar_app.text import NOTHING, Text, join


class AvatarError(Exception):
    """Something the user can act on.

    Args:
        message: what happened, with the value that caused it, one sentence.
        hint: what to do about it, one sentence.
    """

    def __init__(self, message: Text, hint: Text = NOTHING) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return join([self.message, self.hint])


class PortraitError(AvatarError):
    """The photo cannot be used."""


class ClipError(AvatarError):
    """The driving clip cannot be used."""


class BundleError(AvatarError):
    """A model bundle or checkpoint is missing, damaged or unknown."""


class EngineError(AvatarError):
    """The chosen engine or device cannot run here."""


class DeviceError(EngineError):
    """The graphics card cannot go on: its memory is taken, or it has failed."""


class OutputError(AvatarError):
    """The result cannot be written or sent."""


class CameraError(AvatarError):
    """The camera cannot be opened or read."""


class SoundError(AvatarError):
    """The microphone cannot be opened or read, or its sound not be passed on."""


class ConfigError(AvatarError):
    """A configuration file has a wrong key or value."""
