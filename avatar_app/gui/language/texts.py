"""What states and actions of the pipeline are called in the window."""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

REASONS = {
    "starting": QT_TRANSLATE_NOOP("Reasons", "Still card: getting ready"),
    "no-avatar": QT_TRANSLATE_NOOP("Reasons", "Still card: choose a photo on the left"),
    "no-camera": QT_TRANSLATE_NOOP("Reasons", "Still card: the camera gives no picture"),
    "uncalibrated": QT_TRANSLATE_NOOP(
        "Reasons", "Still card: look like the photo, then press %1 to calibrate"
    ),
    "paused": QT_TRANSLATE_NOOP("Reasons", "Still card: paused, press %2 to go on"),
    "fault": QT_TRANSLATE_NOOP("Reasons", "Still card: something failed, see above"),
    "no-face": QT_TRANSLATE_NOOP("Reasons", "Still card: the camera sees no face yet"),
    "stale": QT_TRANSLATE_NOOP("Reasons", "Still card: waiting for a new picture"),
}
"""``Status.reason`` -> the line under the output. %1 is the key to calibrate, %2 the one to pause."""

SHORT_REASONS = {
    "starting": QT_TRANSLATE_NOOP("Reasons", "Starting"),
    "no-avatar": QT_TRANSLATE_NOOP("Reasons", "No avatar"),
    "no-camera": QT_TRANSLATE_NOOP("Reasons", "No camera"),
    "uncalibrated": QT_TRANSLATE_NOOP("Reasons", "Not calibrated"),
    "paused": QT_TRANSLATE_NOOP("Reasons", "Paused"),
    "fault": QT_TRANSLATE_NOOP("Reasons", "Fault"),
    "no-face": QT_TRANSLATE_NOOP("Reasons", "No face"),
    "stale": QT_TRANSLATE_NOOP("Reasons", "Waiting"),
}

NOTICE_ACTIONS = {
    "retry": QT_TRANSLATE_NOOP("Notices", "Try again"),
    "choose-camera": QT_TRANSLATE_NOOP("Notices", "Choose a camera"),
    "choose-avatar": QT_TRANSLATE_NOOP("Notices", "Choose a photo"),
    "choose-output": QT_TRANSLATE_NOOP("Notices", "Choose an output"),
    "choose-model": QT_TRANSLATE_NOOP("Notices", "Choose a model"),
    "calibrate": QT_TRANSLATE_NOOP("Notices", "Calibrate"),
    "resume": QT_TRANSLATE_NOOP("Notices", "Go on"),
    "doctor": QT_TRANSLATE_NOOP("Notices", "Check this computer"),
    "turn-camera": QT_TRANSLATE_NOOP("Notices", "Turn the picture"),
}

OUTPUT_NAMES = {
    "none": QT_TRANSLATE_NOOP("Outputs", "None (preview only)"),
    "virtual-camera": QT_TRANSLATE_NOOP("Outputs", "Virtual camera"),
    "pipewire": QT_TRANSLATE_NOOP("Outputs", "PipeWire camera"),
}

HINTS = {
    "no-face": QT_TRANSLATE_NOOP(
        "Hints", "No face is seen. Sit before the camera with light from the front."
    ),
    "no-camera": QT_TRANSLATE_NOOP(
        "Hints", "The camera gives no picture. Connect it, or choose another one."
    ),
    "no-avatar": QT_TRANSLATE_NOOP("Hints", "Choose a photo first."),
    "loading": QT_TRANSLATE_NOOP("Hints", "Getting ready..."),
    "paused": QT_TRANSLATE_NOOP("Hints", "Paused: go on to compare your pose with the photo's."),
    "head": QT_TRANSLATE_NOOP("Hints", "Turn and tilt your head like the photo."),
    "expression": QT_TRANSLATE_NOOP("Hints", "Match the photo's mouth and eyes."),
    "position": QT_TRANSLATE_NOOP(
        "Hints", "Bring your face to the middle, about half as high as the picture."
    ),
    "live": QT_TRANSLATE_NOOP("Hints", "If the avatar looks wrong, look like the photo and calibrate again."),
    "good": QT_TRANSLATE_NOOP("Hints", "That fits well."),
    "ready": QT_TRANSLATE_NOOP("Hints", "That fits well: calibrate now."),
    "hold": QT_TRANSLATE_NOOP("Hints", "Hold still for a moment..."),
}


def reason_text(reason: str, calibrate_key: str, pause_key: str) -> str:
    """The line under the output for ``Status.reason``."""
    text = QCoreApplication.translate("Reasons", str(REASONS.get(reason, REASONS["fault"])))
    return text.replace("%1", calibrate_key or "?").replace("%2", pause_key or "?")


def short_reason(reason: str) -> str:
    return QCoreApplication.translate("Reasons", str(SHORT_REASONS.get(reason, SHORT_REASONS["fault"])))


def notice_action(name: str) -> str:
    return QCoreApplication.translate("Notices", str(NOTICE_ACTIONS.get(name, name)))


def output_name(output: str) -> str:
    return QCoreApplication.translate("Outputs", str(OUTPUT_NAMES[output]))


def hint(name: str) -> str:
    return QCoreApplication.translate("Hints", str(HINTS[name]))
