"""What the doctor finds and what hotkeys report, for ``messages``.

Whole sentences, and the pieces that they are joined from.
"""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP

CHECK_MESSAGES = (
    # Names of checks.
    QT_TRANSLATE_NOOP("Messages", "Graphics card"),
    QT_TRANSLATE_NOOP("Messages", "Models"),
    QT_TRANSLATE_NOOP("Messages", "Cameras"),
    QT_TRANSLATE_NOOP("Messages", "Virtual camera"),
    QT_TRANSLATE_NOOP("Messages", "Running app"),
    QT_TRANSLATE_NOOP("Messages", "Hotkeys"),
    QT_TRANSLATE_NOOP("Messages", "Speed"),
    # Findings, and what to do about them.
    QT_TRANSLATE_NOOP("Messages", "It could not be checked: {0}."),
    QT_TRANSLATE_NOOP("Messages", "Install the app again, with the versions in requirements.txt."),
    QT_TRANSLATE_NOOP("Messages", "Install Python {0} or newer."),
    QT_TRANSLATE_NOOP("Messages", "{0} on Linux {1}"),
    QT_TRANSLATE_NOOP("Messages", "{0} on Windows {1}"),
    QT_TRANSLATE_NOOP("Messages", "{0} on Darwin {1}"),
    QT_TRANSLATE_NOOP("Messages", "Install NVIDIA's driver, restart the computer and run `doctor` again."),
    QT_TRANSLATE_NOOP("Messages", "An NVIDIA card is there, but its driver is not."),
    QT_TRANSLATE_NOOP("Messages", "No NVIDIA card: the processor computes."),
    QT_TRANSLATE_NOOP("Messages", "PyTorch is not installed."),
    QT_TRANSLATE_NOOP("Messages", "{0} (driver {1})."),
    QT_TRANSLATE_NOOP("Messages", "{0} (driver {1}), {2}."),
    QT_TRANSLATE_NOOP("Messages", "{0} is not used: {1}."),
    QT_TRANSLATE_NOOP("Messages", "PyTorch {0} is built for newer cards."),
    QT_TRANSLATE_NOOP("Messages", "PyTorch {0} is built for older cards."),
    QT_TRANSLATE_NOOP("Messages", "this PyTorch ({0}) is built for the processor alone."),
    QT_TRANSLATE_NOOP("Messages", "this PyTorch ({0}) is built without CUDA."),
    QT_TRANSLATE_NOOP(
        "Messages", "PyTorch {0} finds no usable device; the driver may be too old for CUDA {1}."
    ),
    QT_TRANSLATE_NOOP("Messages", "no NVIDIA driver was found."),
    QT_TRANSLATE_NOOP("Messages", "Graphics cards are numbered from cuda:0."),
    QT_TRANSLATE_NOOP("Messages", "Run {0}."),
    QT_TRANSLATE_NOOP("Messages", "{0}: as published."),
    QT_TRANSLATE_NOOP("Messages", "{0} ({1} files)."),
    QT_TRANSLATE_NOOP("Messages", "{0} ({1} files), {2}."),
    QT_TRANSLATE_NOOP("Messages", "Connect one; see that no privacy switch is on."),
    QT_TRANSLATE_NOOP("Messages", "Allow this program the camera in System Settings, Privacy & Security."),
    QT_TRANSLATE_NOOP("Messages", "You may not use {0} ({1})."),
    QT_TRANSLATE_NOOP("Messages", "You may not use {0}."),
    QT_TRANSLATE_NOOP("Messages", "{0} is in use by {1}."),
    QT_TRANSLATE_NOOP("Messages", "If that is another program, close the camera there."),
    QT_TRANSLATE_NOOP("Messages", "{0} up to {1} x {2}."),
    QT_TRANSLATE_NOOP("Messages", "{0}, {1} more)."),
    QT_TRANSLATE_NOOP("Messages", "{0}, {1} more); {2}."),
    QT_TRANSLATE_NOOP("Messages", "{0}; {1}."),
    QT_TRANSLATE_NOOP("Messages", "The library pyvirtualcam is not installed."),
    QT_TRANSLATE_NOOP(
        "Messages", "Chrome, Zoom and Teams do not list it so; run `sudo modprobe -r v4l2loopback && {0}`."
    ),
    QT_TRANSLATE_NOOP("Messages", "{0}, open in {1}."),
    QT_TRANSLATE_NOOP("Messages", "A camera can be published; browsers and Flatpak programs see it."),
    QT_TRANSLATE_NOOP("Messages", "Try again."),
    QT_TRANSLATE_NOOP("Messages", "It is not running now."),
    QT_TRANSLATE_NOOP("Messages", "It is running; the camera, the speed and the hotkeys are shared with it."),
    QT_TRANSLATE_NOOP(
        "Messages", "It is running; the camera, the speed and the hotkeys are shared with it. shows avatar"
    ),
    QT_TRANSLATE_NOOP(
        "Messages", "It is running; the camera, the speed and the hotkeys are shared with it. shows self"
    ),
    QT_TRANSLATE_NOOP(
        "Messages", "It is running; the camera, the speed and the hotkeys are shared with it. shows card {0}"
    ),
    QT_TRANSLATE_NOOP("Messages", "starting."),
    QT_TRANSLATE_NOOP("Messages", "no-avatar."),
    QT_TRANSLATE_NOOP("Messages", "no-camera."),
    QT_TRANSLATE_NOOP("Messages", "uncalibrated."),
    QT_TRANSLATE_NOOP("Messages", "no-face."),
    QT_TRANSLATE_NOOP("Messages", "paused."),
    QT_TRANSLATE_NOOP("Messages", "fault."),
    QT_TRANSLATE_NOOP("Messages", "stale."),
    QT_TRANSLATE_NOOP("Messages", "The app did not answer within {0} seconds."),
    QT_TRANSLATE_NOOP("Messages", "Try again; if that does not help, end it and start it anew."),
    QT_TRANSLATE_NOOP("Messages", "The running app gave an answer that makes no sense."),
    QT_TRANSLATE_NOOP("Messages", "It may be another version: end it and start it anew."),
    QT_TRANSLATE_NOOP("Messages", "The running app has them."),
    QT_TRANSLATE_NOOP("Messages", "{0} are free."),
    QT_TRANSLATE_NOOP("Messages", "Not measured."),
    QT_TRANSLATE_NOOP("Messages", "{0} fps with {1}."),
    QT_TRANSLATE_NOOP("Messages", "Close other programs that compute."),
    QT_TRANSLATE_NOOP("Messages", "Choose the model lite, or close other programs that compute."),
    QT_TRANSLATE_NOOP("Messages", "No face was found in the clip that comes with the app."),
    QT_TRANSLATE_NOOP("Messages", "Check the models: `models verify faces`."),
    # Hotkeys.
    QT_TRANSLATE_NOOP("Messages", "recalibrate."),
    QT_TRANSLATE_NOOP("Messages", "pause."),
    QT_TRANSLATE_NOOP("Messages", "next."),
    QT_TRANSLATE_NOOP("Messages", "previous."),
    QT_TRANSLATE_NOOP("Messages", "The hotkey {0} has no key that is known as {1}."),
    QT_TRANSLATE_NOOP("Messages", "The hotkey {0} is not some of {1} and then one key."),
    QT_TRANSLATE_NOOP("Messages", "Write it like Ctrl+Alt+X or Ctrl+Shift+F5."),
    QT_TRANSLATE_NOOP("Messages", "The hotkey {0} would be pressed in ordinary typing."),
    QT_TRANSLATE_NOOP("Messages", "Add Ctrl, Alt or Meta to it."),
    QT_TRANSLATE_NOOP("Messages", "The hotkey {0} is given to both {1} and {2}; it does the first."),
    QT_TRANSLATE_NOOP("Messages", "The hotkey {0} ({1}) {2}; choose another in the settings."),
    QT_TRANSLATE_NOOP("Messages", "The hotkey {0} ({1}) {2}; choose another in the settings ({3} more)."),
    QT_TRANSLATE_NOOP("Messages", "is taken by another program."),
    QT_TRANSLATE_NOOP("Messages", "needs a key that this keyboard does not have."),
    QT_TRANSLATE_NOOP("Messages", "types a character on this keyboard."),
    QT_TRANSLATE_NOOP("Messages", "is refused by the system (error {0})."),
    QT_TRANSLATE_NOOP("Messages", "Wayland has no hotkeys for programs like this."),
    QT_TRANSLATE_NOOP("Messages", "There is no display for hotkeys (DISPLAY is not set)."),
    QT_TRANSLATE_NOOP("Messages", "The display {0} does not answer, so there are no hotkeys."),
    QT_TRANSLATE_NOOP(
        "Messages", "In a Wayland session hotkeys work only while an X11 window has the focus."
    ),
    QT_TRANSLATE_NOOP("Messages", "The display ended the hotkeys ({0})."),
    QT_TRANSLATE_NOOP("Messages", "The display {0} cannot be opened, so there are no hotkeys."),
    QT_TRANSLATE_NOOP("Messages", "Bind keys of your desktop to `python run.py control recalibrate`."),
    QT_TRANSLATE_NOOP("Messages", "Hotkeys need python-xlib, which is not installed."),
    QT_TRANSLATE_NOOP("Messages", "Install it with: pip install python-xlib."),
    QT_TRANSLATE_NOOP("Messages", "The system gives no hotkeys: {0}."),
    QT_TRANSLATE_NOOP("Messages", "no answer."),
)
