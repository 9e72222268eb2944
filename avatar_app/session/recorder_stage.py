"""The recording thread: write the output to a video file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from avatar_app.errors import OutputError
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.recorder import Recorder
from avatar_app.session.controls import Controls
from avatar_app.session.slot import Slot
from avatar_app.session.sound_stage import Heard
from avatar_app.session.stage import Notices, Stage
from avatar_app.sound.timeline import Timeline

ASLEEP = 5.0
"""Seconds without any picture from which a gap is left out of a recording."""

UNHEARD = 0.5
"""Seconds without sound that may still arrive; older gaps are filled with silence."""


class RecorderStage(Stage):
    """Writes sent pictures to a video file.

    A slow disk costs the recording frames, never the call.

    Args:
        heard: returns the sound since the last call.
    """

    def __init__(
        self,
        controls: Callable[[], Controls],
        sent: Slot[Outgoing],
        notices: Notices,
        heard: Callable[[], list[Heard]] = list,
    ) -> None:
        super().__init__("recording", "recording", notices, ("retry",))
        self._controls = controls
        self._sent, self._heard = sent, heard
        self._timeline: Timeline | None = None
        self._recorder: Recorder | None = None
        self._failed: Path | None = None
        self._begun: Path | None = None
        self._size = (0, 0)
        self._began = self._last = 0.0
        self.path: Path | None = None

    @property
    def failed(self) -> bool:
        """Whether the wanted recording has ended by a fault, until it is tried again."""
        return self._failed is not None

    def open(self) -> None:
        """Do nothing; ``step`` waits for a file name."""

    def step(self) -> None:
        controls = self._controls()
        wanted = controls.recording if controls.recording != self._failed else None
        if self.path is not None and (wanted != self._begun or controls.size != self._size):
            try:
                self._finish()
            except OutputError:
                self._failed, self._begun = controls.recording, None
                raise
        if controls.recording is None and (self._failed or self._begun):
            self._failed = self._begun = None
            self._notices.clear("recording")
        picture = self._sent.take(0.1)
        if picture is None or wanted is None:
            return
        now = self._sent.put_at
        try:
            if self._recorder is None:
                path = _unused(wanted) if wanted == self._begun else wanted
                self._recorder = Recorder(path, controls.size, controls.fps, bool(controls.microphone))
                self._timeline = Timeline() if controls.microphone else None
                self._notices.clear("recording")
                self.path, self._begun, self._size, self._began = path, wanted, controls.size, now
            elif now - self._last > ASLEEP:
                self._began += now - self._last  # the computer slept: hours of one still picture are useless
            self._last = now
            if picture.size == self._size:
                self._recorder.write(picture, now - self._began)
            self._write_sound(self._recorder, now - self._began)
        except OutputError:
            self._failed = wanted
            raise

    def close(self) -> None:
        """Finish the file.

        A failure is reported also when the session ends: a full disk may show only now.
        """
        try:
            self._finish()
        except OutputError as problem:
            self._report(problem)

    def retry(self) -> None:
        self._failed = None

    def _write_sound(self, recorder: Recorder, seconds: float) -> None:
        """Write sound in time with the pictures, which are written later than captured."""
        heard = self._heard()
        if self._timeline is None:
            return
        for each in heard:
            at = each.block.at + each.delay - self._began
            recorder.write_sound(self._timeline.place(each.block.samples, at))
        recorder.write_sound(self._timeline.fill(seconds - UNHEARD))

    def _finish(self) -> None:
        recorder, self._recorder, self.path = self._recorder, None, None
        if recorder is not None:
            recorder.close()


def _unused(path: Path) -> Path:
    """Return an unused name: ``film.mp4`` -> ``film-2.mp4`` and so on.

    A recording whose size changes continues in another file.
    """
    number = 2
    while (other := path.with_stem(f"{path.stem}-{number}")).exists():
        number += 1
    return other
