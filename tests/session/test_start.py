"""Until the first avatar is there, a session does little else than load it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from avatar_app.engines import Engine
from avatar_app.faces.crop import Region
from avatar_app.faces.detector import Located
from avatar_app.paths import shipped_avatars
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.types import Image
from tests.session.live import Bench, KeepingSink, MarkedCamera, shows, wait_for, write_photo
from tests.session.stand_ins import DiscDetector

INTERVAL = 0.01
"""Seconds."""


class SteadyCamera(MarkedCamera):
    """Its frames arrive at even times, on however busy a machine, until the avatar may load."""

    def __init__(self, bench: Bench, loads: threading.Event) -> None:
        super().__init__(bench)
        self._loads = loads

    def read(self) -> Image:
        before, image = self.arrived, super().read()
        if before and not self._loads.is_set():
            self.arrived = before + INTERVAL
        return image


class CountingDetector(DiscDetector):
    """Counts frames in which a face is followed."""

    opened = looks = 0

    def __init__(self) -> None:
        super().__init__()
        CountingDetector.opened += 1

    def located(self, image: Image, region: Region) -> Located:
        CountingDetector.looks += 1
        return super().located(image, region)


def test_one_detector_looks_at_few_frames_while_the_avatar_loads(tmp_path: Path) -> None:
    bench, go_on = Bench(), threading.Event()

    def open_engine(model: str, device: str) -> Engine:
        assert go_on.wait(60)
        return bench.open_engine(model, device)

    session = Session(
        Controls(avatar=write_photo(tmp_path), output="virtual-camera", model="drawing"),
        open_source=lambda text: SteadyCamera(bench, go_on),
        open_engine=open_engine,
        open_detector=CountingDetector,
        open_sink=lambda kind, device, size, fps: KeepingSink(bench),
    )
    session.start()
    try:
        wait_for(lambda: bench.frames >= 150)
        assert 0 < CountingDetector.looks < bench.frames / 3
        assert session.status().face, "the preview shows the face meanwhile"
        go_on.set()
        wait_for(shows(session, "card", "uncalibrated"))
        session.recalibrate()
        wait_for(shows(session, "avatar"))
    finally:
        go_on.set()
        assert not session.stop()
    assert CountingDetector.opened == 1


NEEDLESS = ("av", "pi_heif", "scipy", "torch", "PySide6")
"""Libraries that a call with a JPEG as its photo does not need."""


def test_a_call_loads_no_needless_library() -> None:
    code = (
        "import sys, avatar_app.cli, avatar_app.commands.live; "
        "from avatar_app.media.photo import read_portrait; "
        f"read_portrait(sys.argv[1]); print(*(name for name in {NEEDLESS} if name in sys.modules))"
    )
    words = [sys.executable, "-c", code, str(sorted(shipped_avatars().glob("*.jpg"))[0])]
    done = subprocess.run(
        words, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=90, check=True
    )
    assert done.stdout.split() == []
