"""A new avatar never interrupts the call.

The previous one stays until the new one is ready, and the neutral pose is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from avatar_app.engines import Engine
from avatar_app.motion.calibration import NeutralStore
from avatar_app.outputs.i420 import Outgoing
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.types import Avatar, Crop, Image
from tests.session.live import Bench, FaultyEngine, MarkedCamera, wait_for, write_photo
from tests.session.stand_ins import DiscDetector


class NotingSink:
    """Records for each picture whether it showed an avatar."""

    name = "noted"

    def __init__(self) -> None:
        self.avatars: list[bool] = []

    def watched(self) -> None:
        pass

    def send(self, picture: Outgoing) -> None:
        self.avatars.append(bool(picture.avatar))

    def close(self) -> None: ...


def start(
    store: NeutralStore,
    photo: Path,
    sink: NotingSink,
    open_engine: Callable[[str, str], Engine] | None = None,
) -> Session:
    bench = Bench()
    session = Session(
        Controls(avatar=photo, output="virtual-camera", fps=60, size=(640, 480), model="drawing"),
        store,
        open_source=lambda text: MarkedCamera(bench),
        open_engine=open_engine or bench.open_engine,
        open_detector=DiscDetector,
        open_sink=lambda kind, device, size, fps: sink,
    )
    session.start()
    return session


def is_other(session: Session, before: Image | None) -> bool:
    return session.portrait() is not before


def is_borrowed(session: Session, borrowed: bool) -> bool:
    return session.status().borrowed == borrowed


def has_more(sink: NotingSink, count: int) -> bool:
    return len(sink.avatars) > count


def test_no_card_is_sent_while_avatars_change(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path, f"{number}.png", 34 + 2 * number) for number in range(4)]
    store, first = NeutralStore(tmp_path / "neutrals.json"), NotingSink()
    session = start(store, photos[0], first)
    wait_for(lambda: session.status().face, "a face")
    session.recalibrate()
    wait_for(lambda: session.status().shows == "avatar", "the avatar")
    assert not session.status().borrowed
    assert not session.stop()

    # The next start: only the first photo was ever calibrated.
    sink = NotingSink()
    session = start(store, photos[0], sink)
    wait_for(lambda: any(sink.avatars), "the avatar")
    begun = sink.avatars.index(True)
    for photo in (*photos[1:], photos[0], *photos[1:]):
        before, borrowed = session.portrait(), photo != photos[0]
        session.change(avatar=photo)
        wait_for(partial(is_other, session, before), f"the avatar {photo.name}")
        wait_for(partial(is_borrowed, session, borrowed), "its neutral pose")
        wait_for(partial(has_more, sink, len(sink.avatars) + 5), "pictures")
    session.recalibrate()
    wait_for(lambda: not session.status().borrowed, "a pose of its own")
    assert not session.stop()
    assert all(sink.avatars[begun:])


class Slow(FaultyEngine):
    """Needs two seconds of the call to encode a photo."""

    def __init__(self, name: str, sink: NotingSink) -> None:
        super().__init__(Bench())
        self.name, self.sink = name, sink

    def encode(self, crop: Crop) -> Avatar:
        wait_for(partial(has_more, self.sink, len(self.sink.avatars) + 120), "two seconds of pictures")
        return super().encode(crop)


class Provisional(FaultyEngine):
    """In use until a slow engine has been tried."""

    def __init__(self, sink: NotingSink) -> None:
        super().__init__(Bench())
        self.sink = sink

    def improved(self) -> Engine:
        wait_for(lambda: any(self.sink.avatars), "the avatar")
        return Slow("better", self.sink)


def test_no_card_is_sent_while_an_engine_takes_over(tmp_path: Path) -> None:
    """Neither one that was tried in the background, nor another model that the user chooses."""
    sink = NotingSink()
    engines = {"drawing": Provisional(sink), "other": Slow("other", sink)}
    photo = write_photo(tmp_path)
    session = start(NeutralStore(tmp_path / "n.json"), photo, sink, lambda model, device: engines[model])
    wait_for(lambda: session.status().face, "a face")
    session.recalibrate()
    wait_for(lambda: session.status().shows == "avatar", "the avatar")
    wait_for(lambda: session.status().engine == "better", "the engine that was tried")
    session.change(model="other")
    wait_for(lambda: session.status().engine == "other", "the other model")
    wait_for(partial(has_more, sink, len(sink.avatars) + 30), "pictures")
    assert not session.stop()
    assert all(sink.avatars[sink.avatars.index(True) :])
