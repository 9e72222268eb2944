"""Clients that violate the protocol, and a server that is killed, do not affect others."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.remote import listening, session
from avatar_app.remote.messages import (
    LARGEST_PHOTO,
    PROTOCOL,
    Hello,
    KeyFrame,
    Message,
    Photo,
    Pose,
    Problem,
    Ready,
    Welcome,
    pack,
    unpack,
)
from avatar_app.remote.pairing import Pairing
from tests.remote.serving import TOKEN, Painted, free_port, serving, until
from tests.remote.test_remote_engine import client, crop, pose

HELLO = Hello("0", "lite")


@pytest.fixture
def pairing() -> Iterator[Pairing]:
    with serving(sessions=30) as made:
        yield made


def opened(pairing: Pairing, protocol: str = PROTOCOL) -> ClientConnection:
    return connect(
        f"ws://{pairing.address}/session",
        additional_headers={"Authorization": f"Bearer {pairing.token}"},
        subprotocols=[Subprotocol(protocol)],
        proxy=None,
        compression=None,
        close_timeout=0.2,
    )


@contextmanager
def introduced(pairing: Pairing) -> Iterator[ClientConnection]:
    with opened(pairing) as socket:
        socket.send(pack(HELLO))
        assert isinstance(unpack(socket.recv(timeout=20)), Welcome)
        yield socket


def answers(socket: ClientConnection, seconds: float = 20) -> list[Message | None]:
    """Everything that comes until the server ends the session."""
    found = []
    with suppress(ConnectionClosed):
        while True:
            found.append(unpack(socket.recv(timeout=seconds)))
    return found


@contextmanager
def somebody_else(pairing: Pairing) -> Iterator[None]:
    """A client that is served before and after."""
    engine = client(pairing)
    try:
        avatar = engine.encode(crop(70))
        yield
        assert engine.render(avatar, pose(0.1, avatar))[-8, 8].mean() == pytest.approx(70, abs=6)
    finally:
        engine.close()


@pytest.mark.parametrize("protocol", ["avatar-remote.2", "chat"])
def test_another_version_of_the_protocol_is_refused(pairing: Pairing, protocol: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        opened(pairing, protocol)
    assert refusal.value.response.status_code == 426
    assert PROTOCOL.encode() in refusal.value.response.body


def test_a_client_that_says_nothing_loses_its_place(
    pairing: Pairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0.1)
    with somebody_else(pairing), opened(pairing) as silent:
        assert answers(silent) == []


def test_a_client_that_falls_silent_loses_its_place(
    pairing: Pairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT", 0.05)
    monkeypatch.setattr(session, "MISSED", 3)
    with introduced(pairing) as silent:
        assert not [answer for answer in answers(silent) if isinstance(answer, Problem)]


def test_a_client_that_asks_for_nothing_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HEARTBEAT", 0.05)
    monkeypatch.setattr(session, "MISSED", 1000)
    with serving(idle=0.2) as pairing, introduced(pairing) as idle:
        answers(idle)


def test_connections_that_never_ask_are_closed(pairing: Pairing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request, a byte at a time: keeping such connections would cost the attacker nothing and fill the
    server.
    """
    monkeypatch.setattr(listening, "HANDSHAKE", 0.2)
    with somebody_else(pairing):
        slow = [socket.create_connection((pairing.host, pairing.port), timeout=20) for _ in range(40)]
        try:
            for connection in slow:
                connection.sendall(b"GET /session HTTP/1.1\r\nHost: a\r\n")
            for connection in slow[::2]:  # after a whole request
                connection.sendall(b"\r\nGET /session HTTP/1.1\r\nHost: a\r\n")
            assert all(ended(connection) for connection in slow)
        finally:
            for connection in slow:
                connection.close()


def test_a_session_over_tls_that_ended_is_not_ended_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "HANDSHAKE", 1.0)
    with serving(folder=tmp_path) as pairing:
        client(pairing).close()
        time.sleep(1.2)
    assert not [record for record in caplog.records if record.name == "asyncio" and record.exc_info]


def ended(connection: socket.socket) -> bool:
    """Wait until the other side closes."""
    with suppress(ConnectionResetError):
        while connection.recv(4096):
            pass
    return True


def flooded(socket: ClientConnection, message: Message, count: int) -> None:
    """Send without reading, in a thread that is abandoned if nothing is received any more."""

    def work() -> None:
        with suppress(ConnectionClosed, OSError):
            for _ in range(count):
                socket.send(pack(message))

    threading.Thread(target=work, daemon=True).start()


FLOODS: dict[str, Message] = {
    "poses of a photo that is not there": Pose(1, 1, 1, {"value": b"\0" * 704}),
    "photos": Photo(1, b"\x89PNG\r\n\x1a\n" + b"\0" * 100_000),
    "requests for key frames": KeyFrame(),
    "greetings": HELLO,
}


@pytest.mark.parametrize("message", FLOODS.values(), ids=FLOODS)
def test_a_flood_drowns_nobody_else(pairing: Pairing, message: Message) -> None:
    with somebody_else(pairing), introduced(pairing) as socket:
        flooded(socket, message, 3000)
        with somebody_else(pairing):
            pass


def claiming(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that declares so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_a_photo_that_claims_to_be_huge_is_refused_undecoded(pairing: Pairing) -> None:
    with somebody_else(pairing), introduced(pairing) as socket:
        socket.send(pack(Photo(1, claiming(60_000, 60_000))))
        problems = [answer for answer in answers(socket) if isinstance(answer, Problem)]
    assert [problem.code for problem in problems] == ["protocol"]


def test_a_message_that_is_huge_ends_its_session(pairing: Pairing) -> None:
    with somebody_else(pairing), introduced(pairing) as socket:
        with suppress(ConnectionClosed):
            socket.send(pack(Photo(1, b"\0" * (LARGEST_PHOTO + 200_000))))
        assert not [answer for answer in answers(socket) if isinstance(answer, Ready)]


def test_twenty_people_see_their_own_avatars(pairing: Pairing) -> None:
    engines: list[RemoteEngine] = [client(pairing) for _ in range(20)]
    try:
        lights = [20 + 10 * number for number in range(20)]
        avatars = [engine.encode(crop(light)) for engine, light in zip(engines, lights, strict=True)]
        for _ in range(2):
            for engine, avatar, light in zip(engines, avatars, lights, strict=True):
                picture = engine.render(avatar, pose(0, avatar))
                assert picture[-8, 8].mean() == pytest.approx(light, abs=6)
    finally:
        for engine in engines:
            engine.close()


@contextmanager
def killable(port: int) -> Iterator[subprocess.Popen[Any]]:
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.remote.serving", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running
    finally:
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


def test_a_server_that_is_killed_is_noticed_at_once_and_used_again() -> None:
    pairing = Pairing("127.0.0.1", free_port(), TOKEN)
    with killable(pairing.port) as process:
        engine = client(pairing)
        avatar = engine.encode(crop(130))
        engine.render(avatar, pose(0, avatar))
        process.send_signal(signal.SIGKILL)
        until(lambda: not engine.connected, 2.0)
    try:
        with killable(pairing.port):
            until(lambda: engine.connected)
            assert engine.render(avatar, pose(0, avatar))[-8, 8].mean() == pytest.approx(130, abs=6)
    finally:
        engine.close()


def test_a_killed_server_sends_its_clients_to_the_next_one(pairing: Pairing) -> None:
    port, slow = free_port(), Painted()
    with killable(port) as process, serving(slow) as second:
        engine = client(Pairing("127.0.0.1", port, TOKEN, others=((second.host, second.port),)))
        try:
            avatar = engine.encode(crop(130))
            process.send_signal(signal.SIGKILL)
            until(lambda: engine.connected and engine.traffic().address == second.address)
            assert engine.render(avatar, pose(0, avatar))[-8, 8].mean() == pytest.approx(130, abs=6)
        finally:
            engine.close()
    assert slow.encoded == 1
