"""Messages are transmitted unchanged, and nothing outside the protocol gets through."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_app.remote.messages import (
    Hello,
    MalformedMessage,
    Message,
    Photo,
    PictureMessage,
    Ping,
    Pose,
    pack,
    unpack,
)
from avatar_app.remote.photos import read_photo
from avatar_app.remote.points import packed_points, unpacked_points
from avatar_app.types import KeyPoints, key_points

POINTS = KeyPoints(
    np.linspace(-1, 1, 176, dtype=np.float32).reshape(88, 2),
    np.tile(np.eye(2, dtype=np.float32), (88, 1, 1)),
    np.linspace(0, 1, 88, dtype=np.float32),
)
MESSAGES: tuple[Message, ...] = (
    Hello("1", "lite", "d", ["jpeg"], 30),
    Photo(1, b"png", b"1234"),
    Photo(1, b"png", b"1234", [b"1234", b"5678"]),
    Pose(3, 4, 1, packed_points(POINTS)),
    PictureMessage(3, 4, 0.1, 2.5, True, b"jpeg"),
    Ping(),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_the_way(message: Message) -> None:
    assert unpack(pack(message)) == message


CODE = key_points({"code": np.linspace(-50, 50, 128, dtype=np.float32)})
SPREAD = KeyPoints(POINTS.value[:10], variance=np.full((10, 2, 2), 0.01, np.float32))


@pytest.mark.parametrize("points", [POINTS, CODE, SPREAD])
def test_key_points_survive_the_way(points: KeyPoints) -> None:
    """Of every model: a missing part would stop the other computer."""
    back = unpacked_points(packed_points(points))
    assert back.parts.keys() == points.parts.keys()
    for name, part in points.parts.items():
        np.testing.assert_array_equal(part, back.parts[name])


def test_a_pose_is_about_a_kilobyte() -> None:
    landmarks = KeyPoints(POINTS.value, depth=POINTS.depth)
    assert len(pack(Pose(1, 2, 3, packed_points(landmarks)))) < 1200


def test_unknown_kinds_and_fields_are_ignored() -> None:
    assert unpack(bytes([200]) + msgspec.msgpack.encode({"new": 1})) is None
    later = pack(Ping())[:1] + msgspec.msgpack.encode({"new": 1})
    assert unpack(later) == Ping()


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
def test_no_bytes_are_more_than_malformed(data: bytes) -> None:
    try:
        message = unpack(data)
        if isinstance(message, Pose):
            unpacked_points(message.points)
    except MalformedMessage:
        pass


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), which=st.integers(0, len(MESSAGES) - 1))
def test_no_damage_is_more_than_malformed(place: int, value: int, which: int) -> None:
    data = bytearray(pack(MESSAGES[which]))
    data[place % len(data)] = value
    try:
        message = unpack(bytes(data))
        if isinstance(message, Pose):
            points = unpacked_points(message.points)
            assert np.isfinite(points.value).all()
    except MalformedMessage:
        pass


@pytest.mark.parametrize(
    "value",
    [b"", b"123", np.full(8, np.nan, "<f4").tobytes(), np.full(8, 1e9, "<f4").tobytes(), b"\0" * 100_000],
)
def test_odd_key_points_are_refused(value: bytes) -> None:
    with pytest.raises(MalformedMessage):
        unpacked_points({"value": value})


def test_key_points_of_different_counts_are_refused() -> None:
    parts = packed_points(POINTS) | {"depth": b"\0" * 40}
    with pytest.raises(MalformedMessage):
        unpacked_points(parts)


def test_large_messages_are_refused_unless_they_are_photos() -> None:
    large = b"\0" * (2 << 20)
    with pytest.raises(MalformedMessage):
        unpack(pack(PictureMessage(1, 1, 0, 0, True, large)))
    assert unpack(pack(Photo(1, large))) is not None


def test_other_people_of_a_photo_come_along() -> None:
    """Otherwise the server would take them for a moving part of the person."""
    image = np.full((64, 64, 3), 90, np.uint8)
    png = cv2.imencode(".png", image)[1].tobytes()
    face = np.linspace(-2, 2, 264, dtype=np.float32)
    sent = Photo(1, png, face.tobytes(), [face.tobytes(), (face + 1).tobytes()])
    received = unpack(pack(sent))
    assert isinstance(received, Photo)
    crop = read_photo(received, 64)
    assert [other.shape for other in crop.others] == [(88, 3), (88, 3)]
    assert np.allclose(crop.others[1].ravel(), face + 1)
    with pytest.raises(MalformedMessage):
        read_photo(Photo(1, png, face.tobytes(), [face[:9].tobytes()]), 64)
