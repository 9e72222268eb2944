"""The one sentence that says what others see now.

For the window's header, its title, the tray and screen readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from avatar_app.session.controls import Controls, Status

Kind = Literal["good", "info", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Headline:
    """What others see.

    Attributes:
        kind: ``good`` only while the avatar goes to an output.
        action: name in ``shortcuts.ACTIONS`` of the action for a click; empty: none.
    """

    kind: Kind
    text: str
    action: str = ""


CARDS: dict[str, tuple[Kind, object, str]] = {
    "starting": ("info", QT_TRANSLATE_NOOP("Headline", "Getting ready..."), ""),
    "no-avatar": ("warning", QT_TRANSLATE_NOOP("Headline", "Choose an avatar"), "choose-avatar"),
    "no-camera": ("warning", QT_TRANSLATE_NOOP("Headline", "No camera picture"), "choose-camera"),
    "uncalibrated": ("warning", QT_TRANSLATE_NOOP("Headline", "Not calibrated"), ""),
    "no-face": ("warning", QT_TRANSLATE_NOOP("Headline", "No face seen yet"), ""),
    "fault": ("bad", QT_TRANSLATE_NOOP("Headline", "Something failed"), "doctor"),
    "stale": ("warning", QT_TRANSLATE_NOOP("Headline", "Waiting for a picture"), ""),
}
"""Sentences by ``Status.reason``."""


def is_sent(status: Status, controls: Controls) -> bool:
    """Whether pictures go to other programs, not only to this screen."""
    return controls.output != "none" and status.output not in ("", "none")


def headline(status: Status, controls: Controls) -> Headline:
    """Return the current headline. The real face has priority, then a pause."""
    if status.shows == "self":
        if is_sent(status, controls):
            return Headline("bad", _say("REAL FACE – Hide"), "pass-through")
        return Headline("warning", _say("Real face, preview only – Hide"), "pass-through")
    if controls.paused or status.resting:
        resting = Headline("info", _say("Nobody is watching – camera off"))
        return Headline("warning", _say("Paused"), "pause") if controls.paused else resting
    if status.shows == "card":
        kind, text, action = CARDS.get(status.reason, CARDS["fault"])
        return Headline(kind, _say(str(text)), action)
    if is_sent(status, controls):
        return Headline("good", _say("Live to {0}").format(output_title(status.output)))
    return Headline("info", _say("Preview only – set up"), "join")


def output_title(output: str) -> str:
    """Return an output's name without the device file in brackets."""
    name, bracket, rest = output.partition(" (")
    return name if bracket and rest.startswith("/dev/") else output


def _say(text: str) -> str:
    return QCoreApplication.translate("Headline", text)


TEXTS = (
    QT_TRANSLATE_NOOP("Headline", "REAL FACE – Hide"),
    QT_TRANSLATE_NOOP("Headline", "Real face, preview only – Hide"),
    QT_TRANSLATE_NOOP("Headline", "Paused"),
    QT_TRANSLATE_NOOP("Headline", "Nobody is watching – camera off"),
    QT_TRANSLATE_NOOP("Headline", "Live to {0}"),
    QT_TRANSLATE_NOOP("Headline", "Preview only – set up"),
)
