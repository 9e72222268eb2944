"""Errors and notices of the other parts in the user's language.

Those parts know nothing of languages: they write English sentences with values in them. Here the sentences
are known again by their fixed words. One that is not listed stays English.
"""

from __future__ import annotations

import re
from functools import cache

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from avatar_app.gui.language.check_messages import CHECK_MESSAGES

VALUE = re.compile(r"\{(\d)\}")
BETWEEN_SENTENCES = re.compile(r"(?<=\.) (?=[A-Z])")


def in_user_language(text: str) -> str:
    """A message or hint as ``AvatarError``, ``Notice`` and ``Check`` carry them, with its values, translated
    where it is known.

    A text that is not known as a whole is looked up sentence by sentence.
    """
    for pattern, template in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return _filled(QCoreApplication.translate("Messages", template), found.groups())
    sentences = BETWEEN_SENTENCES.split(text)
    return " ".join(map(in_user_language, sentences)) if len(sentences) > 1 else text


def _filled(template: str, values: tuple[str, ...]) -> str:
    return VALUE.sub(lambda place: _value(values[int(place[1])]), template)


def _value(text: str) -> str:
    """A value, which may be another sentence without its full stop."""
    known = in_user_language(f"{text}.")
    return text if known == f"{text}." else known.rstrip(".")


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The sentences as patterns, those with most fixed words first.

    Others may be general enough to fit too.
    """
    templates = sorted(
        (str(message) for message in MESSAGES), key=lambda template: -len(VALUE.sub("", template))
    )
    return [
        (re.compile("(.+?)".join(map(re.escape, VALUE.split(template)[::2])), re.DOTALL), template)
        for template in templates
    ]


MESSAGES = (
    QT_TRANSLATE_NOOP("Messages", "Run `models list` to see all models; import or fetch this one again."),
    QT_TRANSLATE_NOOP("Messages", "There is no model called {0}."),
    QT_TRANSLATE_NOOP("Messages", "Known models: {0}."),
    QT_TRANSLATE_NOOP(
        "Messages", "The model in {0} has the format version {1}, but this app reads version {2}."
    ),
    QT_TRANSLATE_NOOP("Messages", "Update the app, or import the model again."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} has no {1}."),
    QT_TRANSLATE_NOOP("Messages", "Import it again, so that all files are made."),
    QT_TRANSLATE_NOOP("Messages", "The file {0} is damaged: its SHA-256 is {1}..., not {2}...."),
    QT_TRANSLATE_NOOP("Messages", "The description {0} cannot be read: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The description {0} is damaged: it is not JSON."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} is incomplete: {1} is missing."),
    QT_TRANSLATE_NOOP("Messages", "The file {0} cannot be read: {1}."),
    QT_TRANSLATE_NOOP("Messages", "No face was found in the picture."),
    QT_TRANSLATE_NOOP("Messages", "This model needs one: use a picture of one face, seen from the front."),
    QT_TRANSLATE_NOOP("Messages", "ONNX Runtime {0} cannot open {1}."),
    QT_TRANSLATE_NOOP(
        "Messages", "Install the version of onnxruntime in requirements.txt, or import the model again."
    ),
    QT_TRANSLATE_NOOP("Messages", "The model {0} finds faces and cannot animate a photo."),
    QT_TRANSLATE_NOOP("Messages", "Choose another one of `models list`."),
    QT_TRANSLATE_NOOP("Messages", "There is no device {0}."),
    QT_TRANSLATE_NOOP("Messages", "Choose one of {0} or cuda:N."),
    QT_TRANSLATE_NOOP("Messages", "Install PyTorch for CUDA (pytorch.org says how), or use --device cpu."),
    QT_TRANSLATE_NOOP("Messages", "Use --device cpu."),
    QT_TRANSLATE_NOOP("Messages", "CUDA cannot be used: {0}."),
    QT_TRANSLATE_NOOP("Messages", "There is no device cuda:{0}: {1} found."),
    QT_TRANSLATE_NOOP("Messages", "The memory of cuda:{0} is too small or taken for the model {1}."),
    QT_TRANSLATE_NOOP("Messages", "Close other programs that use it, or use --device cpu."),
    QT_TRANSLATE_NOOP("Messages", "The graphics card cuda:{0} has failed: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Restart the computer, or choose the processor (--device cpu)."),
    QT_TRANSLATE_NOOP("Messages", "The other computer at {0} does not answer."),
    QT_TRANSLATE_NOOP("Messages", "See that `avatar-app serve` runs there."),
    QT_TRANSLATE_NOOP("Messages", "The other computer at {0} cannot be reached: {1}."),
    QT_TRANSLATE_NOOP(
        "Messages", "See that `avatar-app serve` runs there, and that nothing between blocks the port."
    ),
    QT_TRANSLATE_NOOP("Messages", "This computer computes the avatar until the other one is back."),
    QT_TRANSLATE_NOOP("Messages", "The other computer does not accept the token."),
    QT_TRANSLATE_NOOP("Messages", "Copy its pairing line again."),
    QT_TRANSLATE_NOOP("Messages", "The other computer speaks another version of the protocol."),
    QT_TRANSLATE_NOOP("Messages", "Install the same version of the app on both."),
    QT_TRANSLATE_NOOP("Messages", "The other computer serves as many people as it can."),
    QT_TRANSLATE_NOOP("Messages", "Try again later, or use another one."),
    QT_TRANSLATE_NOOP("Messages", "This is not a pairing line."),
    QT_TRANSLATE_NOOP(
        "Messages", "Copy the whole line that `avatar-app serve` prints; it begins with avatar://."
    ),
    QT_TRANSLATE_NOOP("Messages", "The processor is used, which is slower."),
    QT_TRANSLATE_NOOP("Messages", "The weights of the model {0} do not fit its description."),
    QT_TRANSLATE_NOOP("Messages", "Import it again."),
    QT_TRANSLATE_NOOP("Messages", "The face networks are incomplete: no {0} in {1}."),
    QT_TRANSLATE_NOOP("Messages", "Install the app again."),
    QT_TRANSLATE_NOOP("Messages", "There is no photo {0}."),
    QT_TRANSLATE_NOOP("Messages", "Check the path and its spelling."),
    QT_TRANSLATE_NOOP("Messages", "{0} is a folder, not a photo."),
    QT_TRANSLATE_NOOP("Messages", "Name one photo file in it."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} cannot be read: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Check its path and permissions."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} is empty (0 bytes)."),
    QT_TRANSLATE_NOOP("Messages", "The picture is empty (0 bytes)."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} has only {1} x {2} pixels."),
    QT_TRANSLATE_NOOP("Messages", "The picture has only {0} x {1} pixels."),
    QT_TRANSLATE_NOOP("Messages", "The picture has only {0} pixels."),
    QT_TRANSLATE_NOOP("Messages", "Use one in which the face alone is 150 pixels high or more."),
    QT_TRANSLATE_NOOP("Messages", "{0} is not a picture that can be read."),
    QT_TRANSLATE_NOOP("Messages", "Use a JPEG, PNG, WebP or HEIC file."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} is far too large to be read."),
    QT_TRANSLATE_NOOP("Messages", "Save it anew as a JPEG of 100 megapixels or less."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} is damaged or cut short: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The picture is damaged or cut short: {0}."),
    QT_TRANSLATE_NOOP("Messages", "What was pasted is not a picture that can be read."),
    QT_TRANSLATE_NOOP("Messages", "Copy or download it again."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} needs a name."),
    QT_TRANSLATE_NOOP("Messages", "Type at least one letter."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} is no longer in the library."),
    QT_TRANSLATE_NOOP("Messages", "Reload the list."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} cannot be removed: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Check its permissions."),
    QT_TRANSLATE_NOOP("Messages", "Free some space, or check the folder's permissions."),
    QT_TRANSLATE_NOOP("Messages", "The library cannot write {0}: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The picture in the clipboard cannot be read."),
    QT_TRANSLATE_NOOP("Messages", "Save it as a file, then add the file."),
    QT_TRANSLATE_NOOP("Messages", "There is no photo {0} in the gallery."),
    QT_TRANSLATE_NOOP("Messages", "There is no photo {0}, neither as a file nor in the gallery."),
    QT_TRANSLATE_NOOP("Messages", "The photo {0} of last time is gone."),
    QT_TRANSLATE_NOOP("Messages", "The first avatar was taken; choose any other."),
    QT_TRANSLATE_NOOP("Messages", "Choose one in the gallery."),
    QT_TRANSLATE_NOOP("Messages", "No face was found in {0}."),
    QT_TRANSLATE_NOOP("Messages", "Use a photo of one face, seen from the front and well lit."),
    QT_TRANSLATE_NOOP("Messages", "There are {0} faces in {1}; number {2} from the left moves."),
    QT_TRANSLATE_NOOP("Messages", "There are {0} faces in {1}, so there is no face {2}."),
    QT_TRANSLATE_NOOP("Messages", "There is 1 face in {0}, so there is no face {1}."),
    QT_TRANSLATE_NOOP("Messages", "Count them from the left, from 1."),
    QT_TRANSLATE_NOOP("Messages", "{0} lay on its side or upside down; it was turned."),
    QT_TRANSLATE_NOOP(
        "Messages", "Something covers the mouth in {0}; the avatar's mouth will not look right."
    ),
    QT_TRANSLATE_NOOP("Messages", "The eyes in {0} are shut; the avatar cannot open them well."),
    QT_TRANSLATE_NOOP("Messages", "The face in {0} is seen from the side; one from the front moves better."),
    QT_TRANSLATE_NOOP("Messages", "The edge of {0} cuts off a part of the face."),
    QT_TRANSLATE_NOOP("Messages", "The face in {0} is only {1} pixels high; the picture will be soft."),
    QT_TRANSLATE_NOOP("Messages", "The face in {0} is very dark."),
    QT_TRANSLATE_NOOP("Messages", "The face in {0} is blurred; the picture will be soft."),
    QT_TRANSLATE_NOOP("Messages", "The photo cannot be used: {0}: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The model cannot be used: {0}: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Choose another one."),
    QT_TRANSLATE_NOOP("Messages", "The session cannot start: {0}."),
    QT_TRANSLATE_NOOP("Messages", "The log has the details."),
    QT_TRANSLATE_NOOP("Messages", "The {0} stopped: {1}."),
    QT_TRANSLATE_NOOP("Messages", "It is tried again; the log has the details."),
    QT_TRANSLATE_NOOP("Messages", "The {0} stopped: the computer's memory is full."),
    QT_TRANSLATE_NOOP("Messages", "The computer's memory is full."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} cannot be computed."),
    QT_TRANSLATE_NOOP("Messages", "Import or fetch it again, or choose another one."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} is damaged: {1} asks for {2}."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} is damaged: {1} does not make {2}."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} is damaged: {1} takes no picture of {2} pixels."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} finds key points that are no numbers."),
    QT_TRANSLATE_NOOP("Messages", "The model {0} makes no picture of {1} pixels."),
    QT_TRANSLATE_NOOP("Messages", "The model file {0} fails when it is computed."),
    QT_TRANSLATE_NOOP("Messages", "Import or fetch this model again."),
    QT_TRANSLATE_NOOP("Messages", "The model file {0} cannot be read."),
    QT_TRANSLATE_NOOP("Messages", "Close other programs, then try again."),
    QT_TRANSLATE_NOOP("Messages", "Close other programs; it is tried again."),
    QT_TRANSLATE_NOOP("Messages", "The calibration cannot be kept on disk: {0}."),
    QT_TRANSLATE_NOOP("Messages", "It works until you quit the app. Free some space and calibrate again."),
    QT_TRANSLATE_NOOP("Messages", "The model needs {0} seconds for a picture on this computer."),
    QT_TRANSLATE_NOOP(
        "Messages", "Close other programs, or choose a quicker model, or a graphics card if there is one."
    ),
    QT_TRANSLATE_NOOP("Messages", "The model has given no picture for {0} seconds."),
    QT_TRANSLATE_NOOP("Messages", "If none comes, start the app again and choose another model."),
    QT_TRANSLATE_NOOP("Messages", "The camera does not see a face."),
    QT_TRANSLATE_NOOP("Messages", "X2Face has no relative motion."),
    QT_TRANSLATE_NOOP("Messages", "Your pose is shown as it is: sit as in the photo."),
    QT_TRANSLATE_NOOP("Messages", "Sit in front of the camera, with light from the front."),
    QT_TRANSLATE_NOOP("Messages", "The only face in view does not move, so it is taken for a picture."),
    QT_TRANSLATE_NOOP("Messages", "Sit in front of the camera. If it is you, move your head a little."),
    QT_TRANSLATE_NOOP("Messages", "The camera's picture is turned: a face lies in it."),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Turn the camera, or its picture: under Camera in the window, or with `live --rotate {0}`.",
    ),
    QT_TRANSLATE_NOOP("Messages", "This could not be looked for on this computer."),
    QT_TRANSLATE_NOOP("Messages", "There is no picture to keep yet."),
    QT_TRANSLATE_NOOP("Messages", "Wait until the output shows one."),
    QT_TRANSLATE_NOOP("Messages", "The picture {0} cannot be written: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Free some space or name another folder."),
    QT_TRANSLATE_NOOP("Messages", "No camera is connected."),
    QT_TRANSLATE_NOOP("Messages", "Connect one, or choose a video file, a folder of pictures or an address."),
    QT_TRANSLATE_NOOP("Messages", "The cameras here: {0}."),
    QT_TRANSLATE_NOOP("Messages", 'There is no camera "{0}".'),
    QT_TRANSLATE_NOOP("Messages", 'There is no camera, file or folder "{0}".'),
    QT_TRANSLATE_NOOP("Messages", '"{0}" fits {1} cameras.'),
    QT_TRANSLATE_NOOP("Messages", "Write more of the name: {0}."),
    QT_TRANSLATE_NOOP("Messages", "Connect one, or choose what other programs feed: {0}."),
    QT_TRANSLATE_NOOP("Messages", "{0} is an address without its beginning."),
    QT_TRANSLATE_NOOP("Messages", "Write http:// before it, or rtsp:// for a camera of that kind."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} shows what this app sends."),
    QT_TRANSLATE_NOOP("Messages", "Choose another camera, or another output."),
    QT_TRANSLATE_NOOP("Messages", "{0} is neither a file nor a folder."),
    QT_TRANSLATE_NOOP("Messages", "Name a video file or a folder of pictures."),
    QT_TRANSLATE_NOOP("Messages", "Addresses that begin with {0}:// are not known."),
    QT_TRANSLATE_NOOP("Messages", "Use http, https, rtsp or rtsps."),
    QT_TRANSLATE_NOOP("Messages", "Close other programs that use it, or unplug it and connect it again."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} cannot be reached: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Check that it is on, its address and the network."),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Close other programs that use it, and allow this one to use cameras in the system's privacy settings.",
    ),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} cannot be opened."),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Check the path of the address, the user and the password, as in rtsp://user:password@host/path.",
    ),
    QT_TRANSLATE_NOOP(
        "Messages",
        'Add yourself to the group "video" with: sudo usermod -aG video $USER. Then log out and in again.',
    ),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} was unplugged."),
    QT_TRANSLATE_NOOP("Messages", "macOS asks whether this program may use the camera."),
    QT_TRANSLATE_NOOP("Messages", "Allow it; the camera then opens by itself."),
    QT_TRANSLATE_NOOP("Messages", "macOS does not let this program use the camera."),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Open System Settings, Privacy & Security, Camera; switch on the program that you start this one from, "
        "such as Terminal; then start both again.",
    ),
    QT_TRANSLATE_NOOP("Messages", "The rules of this Mac forbid cameras."),
    QT_TRANSLATE_NOOP("Messages", "Ask whoever manages it, or see Screen Time in System Settings."),
    QT_TRANSLATE_NOOP("Messages", "Connect it again."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} is in use by {1}."),
    QT_TRANSLATE_NOOP("Messages", "Close {0}, or choose another camera."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} answers, but not with a video stream."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} has stopped sending."),
    QT_TRANSLATE_NOOP("Messages", "Check that it is on and in reach."),
    QT_TRANSLATE_NOOP("Messages", "You have no permission to use the camera {0} ({1})."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} ({1}) cannot be opened: {2}."),
    QT_TRANSLATE_NOOP("Messages", "Take it out of the folder, or save it again."),
    QT_TRANSLATE_NOOP("Messages", "The folder {0} has no pictures in it."),
    QT_TRANSLATE_NOOP("Messages", "Choose one with files that end in {0}."),
    QT_TRANSLATE_NOOP("Messages", "The picture {0} cannot be read: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The folder {0} cannot be read: {1}."),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Use the address of its video stream, often ending in /video, /stream or /mjpg/video.mjpg.",
    ),
    QT_TRANSLATE_NOOP("Messages", "Write them into the address, as in http://user:password@host/video."),
    QT_TRANSLATE_NOOP("Messages", "Check the user name and the password in the address."),
    QT_TRANSLATE_NOOP("Messages", "Close other programs that watch it, or try again later."),
    QT_TRANSLATE_NOOP("Messages", "What answers at {0} is no webcam."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} has ended the connection."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} has sent no picture for {1} seconds."),
    QT_TRANSLATE_NOOP("Messages", "Check that it is on, or connect it again."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} sends damaged pictures."),
    QT_TRANSLATE_NOOP("Messages", "Check its cable or its network."),
    QT_TRANSLATE_NOOP("Messages", "The camera has sent one and the same picture for {0} seconds."),
    QT_TRANSLATE_NOOP("Messages", "Open its shutter, or unplug it and plug it in again."),
    QT_TRANSLATE_NOOP("Messages", "The background cannot be used: {0}."),
    QT_TRANSLATE_NOOP("Messages", "The background {0} is no colour."),
    QT_TRANSLATE_NOOP("Messages", "Write it as #rrggbb, such as #203040."),
    QT_TRANSLATE_NOOP("Messages", 'Choose a JPEG or PNG file, a colour such as #203040, "photo" or "blur".'),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Install OBS Studio (https://obsproject.com) and start its virtual camera once, or install Unity Capture.",
    ),
    QT_TRANSLATE_NOOP(
        "Messages",
        "Install OBS Studio 30 or newer (https://obsproject.com), start its virtual camera once and allow it in the system settings.",
    ),
    QT_TRANSLATE_NOOP(
        "Messages", "A call still shows the virtual camera {0} at {1} x {2}, not at {3} x {4}."
    ),
    QT_TRANSLATE_NOOP("Messages", "Turn the camera off in the call and on again, or choose that size."),
    QT_TRANSLATE_NOOP("Messages", "The virtual camera {0} cannot be opened: {1}."),
    QT_TRANSLATE_NOOP(
        "Messages", "Run `sudo modprobe -r v4l2loopback`, load it again and retry; `doctor` says more."
    ),
    QT_TRANSLATE_NOOP("Messages", "The virtual camera {0} is gone."),
    QT_TRANSLATE_NOOP("Messages", "Load the kernel module again, or choose another output."),
    QT_TRANSLATE_NOOP("Messages", "The library pyvirtualcam cannot be loaded: {0}."),
    QT_TRANSLATE_NOOP("Messages", "Run `pip install pyvirtualcam`."),
    QT_TRANSLATE_NOOP("Messages", "The virtual camera {0} takes no pictures: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Open it again."),
    QT_TRANSLATE_NOOP("Messages", "Run `systemctl --user start pipewire wireplumber`."),
    QT_TRANSLATE_NOOP("Messages", "The PipeWire camera has stopped."),
    QT_TRANSLATE_NOOP("Messages", "PipeWire cameras exist on Linux alone."),
    QT_TRANSLATE_NOOP("Messages", "Choose the output virtual-camera."),
    QT_TRANSLATE_NOOP("Messages", "GStreamer's {0} is not installed."),
    QT_TRANSLATE_NOOP("Messages", "PipeWire does not run in this session."),
    QT_TRANSLATE_NOOP("Messages", "PipeWire has stopped."),
    QT_TRANSLATE_NOOP("Messages", "The PipeWire camera has taken no picture for {0} seconds."),
    QT_TRANSLATE_NOOP("Messages", "A program that shows it may hang: choose the camera there again."),
    QT_TRANSLATE_NOOP("Messages", "GStreamer has not started within {0} seconds."),
    QT_TRANSLATE_NOOP("Messages", "Close that program: `fuser {0}` names it. Or choose another output."),
    QT_TRANSLATE_NOOP("Messages", "Run {0}, then `{1}`. The output PipeWire needs no kernel module."),
    QT_TRANSLATE_NOOP("Messages", "Another program sends to the virtual camera {0} ({1})."),
    QT_TRANSLATE_NOOP("Messages", "Run `sudo usermod -aG video $USER`, then log out and in again."),
    QT_TRANSLATE_NOOP(
        "Messages",
        "The kernel module is loaded without a device. Run `sudo modprobe -r v4l2loopback && {0}`.",
    ),
    QT_TRANSLATE_NOOP("Messages", "There is no virtual camera on this computer."),
    QT_TRANSLATE_NOOP("Messages", "There is no virtual camera {0}."),
    QT_TRANSLATE_NOOP("Messages", "Choose one of these: {0}."),
    QT_TRANSLATE_NOOP("Messages", "You may not write to the virtual camera {0} ({1})."),
    QT_TRANSLATE_NOOP("Messages", "Starting at log-in cannot be changed: {0}."),
    QT_TRANSLATE_NOOP("Messages", "Check the folder's permissions."),
    QT_TRANSLATE_NOOP("Messages", "The setup was not allowed."),
    QT_TRANSLATE_NOOP("Messages", "Try again, or copy the command and run it yourself."),
    QT_TRANSLATE_NOOP("Messages", "The virtual camera could not be set up: {0}."),
    QT_TRANSLATE_NOOP("Messages", "Copy the command and run it in a terminal."),
    QT_TRANSLATE_NOOP("Messages", "The output {0} is a folder."),
    QT_TRANSLATE_NOOP("Messages", "There is no folder {0} for the output."),
    QT_TRANSLATE_NOOP("Messages", "Create it first, or name another."),
    QT_TRANSLATE_NOOP("Messages", "The folder {0} does not let you write the output {1}."),
    QT_TRANSLATE_NOOP("Messages", "Name a folder of yours."),
    QT_TRANSLATE_NOOP("Messages", "The app cannot be controlled: {0}."),
    QT_TRANSLATE_NOOP("Messages", "Check the folder {0}."),
    QT_TRANSLATE_NOOP("Messages", "The settings {0} are damaged; the defaults are used."),
    QT_TRANSLATE_NOOP(
        "Messages", "The settings {0} were damaged; they are kept as {1}, and the defaults are used."
    ),
    QT_TRANSLATE_NOOP("Messages", "The setting {0} in {1} is not known; it is ignored."),
    QT_TRANSLATE_NOOP("Messages", "The settings {0} cannot be written: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The settings {0} cannot be read: {1}; the defaults are used."),
    QT_TRANSLATE_NOOP("Messages", "The setting {0} in {1} is {2}, but must be {3}; {4} is used."),
    QT_TRANSLATE_NOOP("Messages", "There is no clip {0}."),
    QT_TRANSLATE_NOOP("Messages", "{0} is a folder, not a clip."),
    QT_TRANSLATE_NOOP("Messages", "Name one clip file in it."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} cannot be read: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} is empty (0 bytes)."),
    QT_TRANSLATE_NOOP(
        "Messages", "It must be a video such as .mp4, .mov, .webm or .gif; copy or convert it again."
    ),
    QT_TRANSLATE_NOOP("Messages", "{0} is a picture, not a clip."),
    QT_TRANSLATE_NOOP("Messages", "{0} is an animated {1} picture, which cannot be read as a clip."),
    QT_TRANSLATE_NOOP("Messages", "Convert it to MP4 or GIF."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} cannot be read as a video: it is text."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} has no video in it, only {1}."),
    QT_TRANSLATE_NOOP("Messages", "Choose a file with moving pictures."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} is cut short: {1} of at least {2} bytes are there."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} has no frame that can be decoded."),
    QT_TRANSLATE_NOOP("Messages", "Copy or convert it again."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} is damaged after frame {1}: {2}."),
    QT_TRANSLATE_NOOP("Messages", "The clip {0} cannot be read as a video: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Copy it again, or cut it there."),
    QT_TRANSLATE_NOOP("Messages", "The output {0} has an ending that cannot be written."),
    QT_TRANSLATE_NOOP("Messages", "Use one of {0}."),
    QT_TRANSLATE_NOOP("Messages", "The output {0} cannot be written: {1}."),
    QT_TRANSLATE_NOOP("Messages", "The recording {0} cannot be written: {1}."),
    QT_TRANSLATE_NOOP("Messages", "There is a file {0} already."),
    QT_TRANSLATE_NOOP("Messages", "Name another one; nothing is overwritten."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} asks for a user name and a password."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} does not accept the user name or the password."),
    QT_TRANSLATE_NOOP("Messages", "Check both in the address."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} refuses the access."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} has nothing at this path."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} is busy."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} sends us to {1}."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} answers with status {1}."),
    QT_TRANSLATE_NOOP("Messages", "The camera {0} sends {1} instead of a video stream."),
    QT_TRANSLATE_NOOP("Messages", "Use that address."),
    QT_TRANSLATE_NOOP("Messages", "PyTorch no longer supports this card; the processor is used."),
    QT_TRANSLATE_NOOP("Messages", "Update the NVIDIA driver to version {0} or newer, then run {1}."),
    QT_TRANSLATE_NOOP(
        "Messages", "Restart the computer; if that does not help, install the NVIDIA driver again."
    ),
    QT_TRANSLATE_NOOP("Messages", "The folder {0} is not yours alone."),
    QT_TRANSLATE_NOOP(
        "Messages", "Set XDG_RUNTIME_DIR to a folder of your own; without one the app cannot be controlled."
    ),
    QT_TRANSLATE_NOOP("Messages", "The folder {0} cannot be made: {1}."),
    QT_TRANSLATE_NOOP("Messages", "Without it the app cannot be controlled."),
    QT_TRANSLATE_NOOP("Messages", "The app is running already."),
    QT_TRANSLATE_NOOP("Messages", "Use the one that runs, or end it first."),
    *CHECK_MESSAGES,
)
"""{0}, {1} ... are the values, in the order of the English sentence."""
