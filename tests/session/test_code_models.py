"""A live session with a model whose key points are a code (X2Face)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avatar_app.session.controls import Controls
from avatar_app.types import Avatar, Crop, Image, KeyPoints, key_points
from tests.session.live import Bench, FaultyEngine, shows, wait_for, write_photo


class CodeEngine(FaultyEngine):
    """Its code is the mean colour of the crop, and the picture shows the code of the pose."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.seen: set[bytes] = set()
        self.as_seen = False

    def detect(self, crop: Crop) -> KeyPoints:
        code = crop.image.mean((0, 1)).astype(np.float32)
        self.seen.add(code.tobytes())
        return key_points({"code": code})

    def encode(self, crop: Crop) -> Avatar:
        avatar = Avatar(self.detect(crop), None)
        self.seen.clear()
        return avatar

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        assert pose.code is not None
        self.as_seen = pose.code.tobytes() in self.seen
        return np.full((self.size, self.size, 3), pose.code.round(), np.uint8)


def test_the_drivers_code_is_shown_as_it_is_and_the_user_is_told(tmp_path: Path) -> None:
    bench = Bench()
    engines: list[FaultyEngine] = []

    def open_engine(model: str, device: str) -> FaultyEngine:
        engines.append(CodeEngine(bench) if model == "x2face" else FaultyEngine(bench))
        return engines[-1]

    bench.open_engine = open_engine  # type: ignore[method-assign]
    controls = Controls(avatar=write_photo(tmp_path, radius=70), model="x2face", smoothing="off")
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        first = engines[0]
        assert isinstance(first, CodeEngine)
        wait_for(lambda: first.as_seen, "a driver's code")
        assert [notice.message for notice in session.status().notices] == ["X2Face has no relative motion."]
        session.change(model="other")
        wait_for(lambda: len(engines) == 2 and not session.status().notices, "the notice to go")
    assert bench.leaks == 0
