"""Names of states and actions in the window."""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

NOTICE_ACTIONS = {
    "retry": QT_TRANSLATE_NOOP("Notices", "Try again"),
    "choose-camera": QT_TRANSLATE_NOOP("Notices", "Choose a camera"),
    "choose-avatar": QT_TRANSLATE_NOOP("Notices", "Choose a photo"),
    "choose-output": QT_TRANSLATE_NOOP("Notices", "Choose an output"),
    "choose-microphone": QT_TRANSLATE_NOOP("Notices", "Choose a microphone"),
    "choose-model": QT_TRANSLATE_NOOP("Notices", "Choose a model"),
    "calibrate": QT_TRANSLATE_NOOP("Notices", "Calibrate"),
    "resume": QT_TRANSLATE_NOOP("Notices", "Resume"),
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
        "Hints", "No face is seen. Sit in front of the camera, with light from the front."
    ),
    "no-camera": QT_TRANSLATE_NOOP(
        "Hints", "The camera gives no picture. Connect it, or choose another one."
    ),
    "no-avatar": QT_TRANSLATE_NOOP("Hints", "Choose a photo first."),
    "loading": QT_TRANSLATE_NOOP("Hints", "Getting ready..."),
    "paused": QT_TRANSLATE_NOOP("Hints", "Paused: resume to compare your pose with the photo's."),
    "head": QT_TRANSLATE_NOOP("Hints", "Turn and tilt your head like the photo."),
    "expression": QT_TRANSLATE_NOOP("Hints", "Match the photo's mouth and eyes."),
    "position": QT_TRANSLATE_NOOP(
        "Hints", "Bring your face to the middle, about half as high as the picture."
    ),
    "live": QT_TRANSLATE_NOOP("Hints", "If the avatar looks wrong, look like the photo and calibrate again."),
    "good": QT_TRANSLATE_NOOP("Hints", "That fits well."),
    "ready": QT_TRANSLATE_NOOP("Hints", "That fits well: calibrate now."),
    "hold": QT_TRANSLATE_NOOP("Hints", "Hold still for a moment..."),
    "countdown": QT_TRANSLATE_NOOP("Hints", "Look like the photo..."),
}


def notice_action(name: str) -> str:
    return QCoreApplication.translate("Notices", str(NOTICE_ACTIONS.get(name, name)))


def output_name(output: str) -> str:
    return QCoreApplication.translate("Outputs", str(OUTPUT_NAMES[output]))


def hint(name: str) -> str:
    return QCoreApplication.translate("Hints", str(HINTS[name]))
