"""Without a usable pose the avatar holds still, eases back to the photo's own pose, and stays visible."""

from __future__ import annotations

import numpy as np

from avatar_app.motion.hold import HOLD, RELEASE, Hold
from avatar_app.types import KeyPoints


def points(value: float) -> KeyPoints:
    return KeyPoints(np.full((3, 2), value, np.float32))


def test_before_the_first_pose_there_is_nothing_to_render() -> None:
    assert Hold(points(0)).wait(0) is None


def test_it_holds_then_rests_for_as_long_as_it_must() -> None:
    hold = Hold(points(0))
    hold.follow(points(1), 0)
    shown = [hold.wait(index / 10) for index in range(1, 40)]
    values = [float(pose.value[0, 0]) for pose in shown if pose is not None]
    assert len(values) == len(shown), "a picture for each frame, or the still card would come"
    held, rests = round(HOLD * 10), round((HOLD + RELEASE) * 10) + 2
    assert set(values[:held]) == {1.0}
    assert set(values[rests:]) == {0.0}
    assert values == sorted(values, reverse=True)


def test_an_expression_eases_back_to_the_photos_own() -> None:
    rest, pose = (
        KeyPoints(np.zeros((3, 2), np.float32), expression=np.full(24, value, np.float32))
        for value in (0.0, 1.0)
    )
    hold = Hold(rest)
    hold.follow(pose, 0)
    shown = [hold.wait(index / 10) for index in range(1, 40)]
    values = [float(each.expression[0]) for each in shown if each is not None and each.expression is not None]
    assert len(values) == len(shown)
    assert values[0] == 1.0
    assert values[-1] == 0.0
