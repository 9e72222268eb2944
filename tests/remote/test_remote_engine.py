"""A client and a server over the loopback: pictures return, faults are reported, both recover."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from avatar_app.engines import render_layer
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.errors import ConfigError, DeviceError, EngineError
from avatar_app.outputs.placement import moving_area
from avatar_app.remote.messages import PROTOCOL, Hello, Message, Pose, Problem, Welcome, pack, unpack
from avatar_app.remote.pairing import Pairing, parse_pairing, pin_of, read_token
from avatar_app.remote.server import TRIES, TokenFailures
from avatar_app.types import Area, Avatar, Crop, KeyPoints, Layer, Surroundings
from tests.remote.serving import SIZE, TOKEN, Painted, free_port, serving, until
from tests.support.heads import make_head


def crop(brightness: int = 90) -> Crop:
    return Crop(np.full((SIZE, SIZE, 3), brightness, np.uint8), make_head().astype(np.float32))


def pose(x: float, avatar: Avatar) -> KeyPoints:
    value = avatar.key_points.value.copy()
    value[0, 0] = x
    return KeyPoints(value, depth=avatar.key_points.depth)


def client(pairing: Pairing, *codecs: str) -> RemoteEngine:
    bundle: Any = SimpleNamespace(name="lite", hashes={}, file=None)
    return RemoteEngine(bundle, pairing, list(codecs or ("jpeg",)))


@pytest.fixture
def pairing() -> Iterator[Pairing]:
    with serving() as made:
        yield made


@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_pictures_are_of_the_pose_and_the_photo(pairing: Pairing, codec: str) -> None:
    engine = client(pairing, codec)
    try:
        avatar = engine.encode(crop(90))
        np.testing.assert_allclose(avatar.key_points.value, make_head()[:, :2], atol=1e-6)
        for x in (-0.5, 0.0, 0.5):
            picture = engine.render(avatar, pose(x, avatar))
            assert picture.shape == (SIZE, SIZE, 3)
            assert picture[8, 8].mean() == pytest.approx((x + 1) * 127.5, abs=6)
            assert picture[-8, 8].mean() == pytest.approx(90, abs=6)
        assert engine.traffic().fps > 0
    finally:
        engine.close()


def test_tls_with_its_own_certificate(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as pairing:
        engine = client(parse_pairing(pairing.line))
        try:
            avatar = engine.encode(crop())
            assert engine.render(avatar, pose(0, avatar)).shape == (SIZE, SIZE, 3)
        finally:
            engine.close()
        assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_another_certificate_is_refused_before_the_token_is_sent(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as pairing:
        with pytest.raises(EngineError, match="certificate is another one"):
            client(replace(pairing, pin=pin_of(b"another")))


def test_a_wrong_token_is_refused(pairing: Pairing) -> None:
    with pytest.raises(EngineError, match="does not accept the token"):
        client(replace(pairing, token="x" * 43))


def test_guessing_keeps_nobody_else_out(pairing: Pairing) -> None:
    """People behind one address must not lock each other out with an old pairing line."""

    def dial(token: str) -> ClientConnection:
        return connect(
            f"ws://{pairing.address}/session",
            additional_headers={"Authorization": f"Bearer {token}"},
            subprotocols=[Subprotocol(PROTOCOL)],
            proxy=None,
        )

    for _ in range(TRIES):
        with pytest.raises(InvalidStatus) as refusal:
            dial("x" * 43)
        assert refusal.value.response.status_code == 401
    with dial(TOKEN) as socket:
        assert socket.subprotocol == PROTOCOL


def test_wrong_tokens_are_counted_for_each_address(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = TokenFailures()
    assert [tries.wrong("a"), tries.wrong("a"), tries.wrong("b")] == [1, 2, 1]
    monkeypatch.setattr("avatar_app.remote.server.TRY_SECONDS", -1.0)
    assert tries.wrong("c") == 1
    assert list(tries._wrong) == ["c"]


def test_nobody_there_is_said() -> None:
    began = time.monotonic()
    with pytest.raises(EngineError, match="cannot be reached"):
        client(Pairing("127.0.0.1", free_port(), TOKEN))
    assert time.monotonic() - began < 20


def test_another_model_is_refused(pairing: Pairing) -> None:
    bundle: Any = SimpleNamespace(name="vox-adv", hashes={}, file=None)
    with pytest.raises(EngineError, match="runs the model lite, not vox-adv"):
        RemoteEngine(bundle, pairing, ["jpeg"])


@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_a_full_server_says_so(delay: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to a client whose first message arrives after the server has closed the connection."""
    with serving(sessions=1) as pairing:
        first = client(pairing)

        def late(message: Message) -> bytes:
            time.sleep(delay)
            return pack(message)

        monkeypatch.setattr("avatar_app.remote.link.pack", late)
        try:
            with pytest.raises(EngineError, match="as many people as it can"):
                client(pairing)
            first.encode(crop())
        finally:
            first.close()


def test_two_people_see_their_own_avatars(pairing: Pairing) -> None:
    engines = [client(pairing), client(pairing)]
    try:
        avatars = [engine.encode(crop(light)) for engine, light in zip(engines, (40, 200), strict=True)]
        for _ in range(5):
            for engine, avatar, light in zip(engines, avatars, (40, 200), strict=True):
                assert engine.render(avatar, pose(0, avatar))[-8, 8].mean() == pytest.approx(light, abs=6)
    finally:
        for engine in engines:
            engine.close()


def test_only_the_newest_pose_is_rendered_and_few_are_on_the_way() -> None:
    slow = Painted(0.05)
    with serving(slow) as pairing:
        engine = client(pairing)
        shown: list[tuple[Layer, float]] = []
        try:
            avatar = engine.encode(crop())
            for frame in range(200):
                engine.stream(
                    avatar, pose(frame / 200, avatar), None, float(frame), lambda *seen: shown.append(seen)
                )
                time.sleep(0.002)
            until(lambda: engine._link.waiting == 0)
        finally:
            engine.close()
    moments = [moment for _, moment in shown]
    assert moments == sorted(moments)
    assert 3 <= len(shown) <= slow.rendered < 60
    for layer, moment in shown:
        assert layer.image[8, 8].mean() == pytest.approx((moment / 200 + 1) * 127.5, abs=6)


def test_a_server_that_comes_back_is_used_again() -> None:
    port = free_port()
    with serving(port=port) as pairing:
        engine = client(pairing)
        avatar = engine.encode(crop(120))
        engine.render(avatar, pose(0, avatar))
    try:
        until(lambda: not engine.connected)
        with pytest.raises(DeviceError):
            engine.render(avatar, pose(0, avatar))
        with serving(port=port):
            until(lambda: engine.connected)
            picture = engine.render(avatar, pose(0.2, avatar))
            assert picture[-8, 8].mean() == pytest.approx(120, abs=6)
    finally:
        engine.close()


def test_garbage_ends_one_session_in_words_and_no_other(pairing: Pairing) -> None:
    engine = client(pairing)
    try:
        avatar = engine.encode(crop())
        for garbage in (
            b"",
            b"\x00",
            b"\xff" * 50,
            pack(Pose(1, 1, 1, {"value": b"123"})),
            pack(Hello("", "lite"))[:5],
        ):
            assert answers(pairing, garbage), garbage
        assert engine.render(avatar, pose(0, avatar)).shape == (SIZE, SIZE, 3)
    finally:
        engine.close()


def answers(pairing: Pairing, garbage: bytes) -> bool:
    """Whether a server survives this message of a client that knows the token."""
    headers = {"Authorization": f"Bearer {pairing.token}"}
    with connect(
        f"ws://{pairing.address}/session",
        additional_headers=headers,
        subprotocols=[Subprotocol(PROTOCOL)],
        proxy=None,
    ) as socket:
        socket.send(garbage)
        if garbage[:1] == b"\xff":
            return True
        kinds = []
        with suppress(ConnectionClosed):
            while True:
                kinds.append(type(unpack(socket.recv(timeout=20))))
    return Problem in kinds and Welcome not in kinds


def test_a_photo_may_take_longer_than_a_client_may_be_silent() -> None:
    slow = Painted(encoding=4.0)
    with serving(slow) as pairing:
        engine = client(pairing)
        try:
            avatar = engine.encode(crop())
            assert engine.render(avatar, pose(0, avatar)).shape == (SIZE, SIZE, 3)
        finally:
            engine.close()
    assert slow.encoded == 1


def test_a_photo_of_another_size_is_refused(pairing: Pairing) -> None:
    engine = client(pairing)
    try:
        with pytest.raises((EngineError, DeviceError)):
            engine.encode(Crop(np.zeros((SIZE * 2, SIZE, 3), np.uint8), make_head().astype(np.float32)))
    finally:
        engine.close()


def test_closing_while_nobody_answers_does_not_hang() -> None:
    with serving(Painted(1.0)) as pairing:
        engine = client(pairing)
        avatar = engine.encode(crop())
        engine.stream(avatar, pose(0, avatar), None, 0.0, lambda *seen: None)
        began = time.monotonic()
        engine.close()
        assert time.monotonic() - began < 8
    assert not [thread for thread in threading.enumerate() if thread.name == "remote engine"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "avatar://",
        "avatar://host",
        "http://h#token=abc",
        "avatar://192.0.2.7:80#token=secret",
        "avatar://h:x#token=secret",
        "avatar://h#token=secret&also=192.0.2.7:80",
        "avatar://h#token=secret&also=:80",
    ],
)
def test_wrong_pairing_lines_are_refused_without_their_secret(line: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_pairing(line)
    assert "secret" not in str(refusal.value)


def test_a_pairing_line_is_read_back() -> None:
    for made in (
        Pairing("192.0.2.7", 7447, TOKEN, "pin"),
        Pairing("::1", 1, TOKEN),
        Pairing("host.example", 5, TOKEN),
        Pairing("192.0.2.7", 7447, TOKEN, "pin,pin2", (("192.0.2.8", 7448), ("::2", 9))),
    ):
        assert parse_pairing(f"  {made.line}\n") == made
        assert TOKEN not in repr(made)


def test_the_token_is_kept_for_this_user_only(tmp_path: Path) -> None:
    token = read_token(tmp_path / "serve")
    assert read_token(tmp_path / "serve") == token
    assert len(token) >= 43
    assert (tmp_path / "serve" / "token").stat().st_mode & 0o077 == 0


def surrounded(light: int = 90) -> Crop:
    """A photo with the surroundings of its square."""
    around = Surroundings(np.full((144, 160, 3), light, np.uint8), (48, 40), Area(0, 0, 160, 144))
    return replace(crop(light), around=around, expression=np.full(24, 0.25, np.float32))


@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_the_person_comes_alone_and_the_scene_once(pairing: Pairing, codec: str) -> None:
    engine = client(pairing, codec)
    try:
        avatar = engine.encode(surrounded(120))
        scene = avatar.scene
        assert scene is not None
        assert scene.person.shape == (144, 160, 4)
        assert np.abs(scene.background.astype(int) - 60).max() <= 2
        assert avatar.key_points.expression is not None
        np.testing.assert_array_equal(avatar.key_points.expression, np.float32(0.25))
        area = moving_area(scene, (320, 180))
        layer = render_layer(engine, avatar, pose(0.2, avatar), lambda seen: moving_area(seen, (320, 180)))
        assert layer.corner == (area.left, area.top)
        assert layer.alpha is not None
        assert layer.image.shape[:2] == layer.alpha.shape == area.shape
        rows = slice(max(0, area.top) - area.top + 4, min(SIZE, area.bottom) - area.top - 4)
        columns = slice(max(0, area.left) - area.left + 4, min(SIZE, area.right) - area.left - 4)
        assert (layer.alpha[rows, columns] == 255).all()
        assert layer.image[rows, columns][-8, 8].mean() == pytest.approx(120, abs=6)
        assert engine.render(avatar, pose(0.2, avatar)).shape == (SIZE, SIZE, 3)
    finally:
        engine.close()


def test_a_photo_without_surroundings_stays_a_square(pairing: Pairing) -> None:
    engine = client(pairing)
    try:
        avatar = engine.encode(crop())
        assert avatar.scene is None
        layer = engine.render_layer(avatar, pose(0, avatar), Area(0, 0, SIZE, SIZE))
        assert layer.alpha is None
        assert layer.image.shape == (SIZE, SIZE, 3)
    finally:
        engine.close()


def test_a_full_server_sends_its_clients_to_the_next_one() -> None:
    first_engine, second_engine = Painted(), Painted()
    with serving(first_engine, sessions=1) as first, serving(second_engine) as second:
        both = replace(first, others=((second.host, second.port),))
        engines = [client(both), client(both)]
        try:
            for engine in engines:
                engine.encode(crop())
            assert {engine.traffic().address for engine in engines} == {first.address, second.address}
        finally:
            for engine in engines:
                engine.close()
    assert (first_engine.encoded, second_engine.encoded) == (1, 1)


def test_a_server_that_ends_sends_its_clients_to_the_next_one() -> None:
    with serving() as second:
        with serving() as first:
            engine = client(replace(first, others=((second.host, second.port),)))
            avatar = engine.encode(crop(140))
        try:
            until(lambda: engine.connected and engine.traffic().address == second.address)
            assert engine.render(avatar, pose(0.2, avatar))[-8, 8].mean() == pytest.approx(140, abs=6)
        finally:
            engine.close()


def test_a_server_that_cannot_be_reached_is_passed_over(pairing: Pairing) -> None:
    engine = client(replace(pairing, port=free_port(), others=((pairing.host, pairing.port),)))
    engine.close()
