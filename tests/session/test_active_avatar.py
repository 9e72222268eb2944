"""Loading beside the running picture, where it takes long."""

from __future__ import annotations

import threading
from pathlib import Path

from avatar_app.session.active_avatar import ActiveAvatar
from avatar_app.session.controls import Controls
from avatar_app.session.stage import Notices
from avatar_app.types import Face, Image
from tests.session.live import Bench, wait_for, write_photo
from tests.session.stand_ins import DiscDetector


class HeldDetector(DiscDetector):
    """Finds nothing until it may, and counts who is at it."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.entered = threading.Event(), threading.Event()
        self.inside = self.most = self.finds = 0

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.set()
        self.free.wait(20)
        self.inside -= 1
        self.finds += 1
        return super().find(image)


def test_closing_leaves_a_photo_that_loads_to_itself(tmp_path: Path) -> None:
    """And the next photo, which comes after a fault, does not meet it at the detector."""
    detector = HeldDetector()
    cast = ActiveAvatar(Bench().open_engine, lambda: detector, Notices())
    controls = Controls(avatar=write_photo(tmp_path), model="drawing")
    cast.adapt(controls)
    assert detector.entered.wait(20)
    cast.close()
    assert detector.finds == 0, "closing has waited"
    cast.adapt(controls)
    wait_for(lambda: cast.loading)
    detector.free.set()

    def shown() -> bool:
        cast.adapt(controls)
        return cast.avatar is not None

    wait_for(shown)
    assert (detector.finds, detector.most) == (2, 1)
    cast.close()
