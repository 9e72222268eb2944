"""Find the computer's microphones and open one."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from avatar_app.errors import SoundError
from avatar_app.sound.microphone import Microphone, MicrophoneInfo
from avatar_app.sound.portaudio import LOCK, PortAudioMicrophone, list_inputs
from avatar_app.sound.pulse import PulseMicrophone, list_sources
from avatar_app.text import Text

SYSTEM = "default"
"""Name of the microphone that the user has chosen in the system."""


def list_microphones() -> list[MicrophoneInfo]:
    """List the microphones under unique names.

    Raises SoundError if sound is not available; its hint says what to install.
    """
    return distinct(list_sources() if platform.system() == "Linux" else list_inputs())


def distinct(microphones: Sequence[MicrophoneInfo]) -> list[MicrophoneInfo]:
    """Number equal names, for two webcams of one kind."""
    seen: Counter[str] = Counter()
    made = []
    for each in microphones:
        seen[each.name] += 1
        number = seen[each.name]
        made.append(each if number == 1 else replace(each, name=f"{each.name} ({number})"))
    return made


def open_microphone(name: str) -> Microphone:
    """Open a microphone by its name, a part of the name, or ``SYSTEM``.

    Raises SoundError.
    """
    if platform.system() == "Linux":
        return PulseMicrophone(find_microphone(name, list_microphones()))
    with LOCK:  # listing again may give devices other numbers
        return PortAudioMicrophone(find_microphone(name, list_microphones()))


def find_microphone(name: str, microphones: Sequence[MicrophoneInfo]) -> MicrophoneInfo:
    """Find a microphone by its name or a part of the name.

    Raises SoundError if there is none, or more than one.
    """
    if not microphones:
        raise SoundError(Text("No microphone was found."), Text("Connect one, then try again."))
    if name == SYSTEM:
        return MicrophoneInfo(SYSTEM, "")
    exact = [each for each in microphones if name in (each.key, each.name)]
    found = exact or [each for each in microphones if name.casefold() in each.name.casefold()]
    if len(found) == 1 or exact:
        return found[0]
    names = ", ".join(f'"{each.name}"' for each in found or microphones)
    if found:
        message = Text('More than one microphone is called "{}".', name)
    else:
        message = Text('There is no microphone "{}".', name)
    raise SoundError(message, Text('Choose one of {}, or "{}" for the system\'s.', names, SYSTEM))
