"""Smiles are measured on any face, and a driver's neutral smile is preserved."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_app.motion.head import HeadTransfer, Points, RigidMotion, facing, rotation_of
from avatar_app.motion.mouth import lip_gaps
from avatar_app.motion.smile import believed, smile_of, with_less_smile
from tests.support.heads import make_head


def smiling(by: float, mouth: float = 0.01) -> Points:
    face = make_head(mouth=mouth)
    return with_less_smile(face, facing(face), -by)


def seen(face: Points) -> float:
    return smile_of(face, facing(face))


@pytest.mark.parametrize("by", [-0.5, 0.3, 0.8])
def test_a_smile_that_is_put_on_is_read(by: float) -> None:
    assert seen(smiling(by)) - seen(make_head()) == pytest.approx(by, rel=0.3)


def test_a_smile_is_the_same_from_everywhere() -> None:
    face = smiling(0.6)
    for yaw, pitch, roll, scale in ((20, 0, 0, 1), (0, 15, 0, 0.4), (-15, -10, 25, 2)):
        moved = RigidMotion(
            scale, rotation_of(yaw, pitch, roll), np.zeros(3), np.array([0.2, -0.1, 0])
        ).apply(face)
        assert seen(moved) == pytest.approx(seen(face), abs=1e-6)
        assert seen(with_less_smile(moved, facing(moved), 0.6)) == pytest.approx(seen(make_head()), abs=0.02)


def test_a_driver_who_smiles_at_rest_makes_a_serious_photo_smile() -> None:
    photo, rest = make_head(), smiling(0.9)
    transfer = HeadTransfer(photo, rest)
    at_rest, serious = transfer(rest), transfer(make_head())
    assert 0.4 < seen(at_rest) - seen(photo) < seen(rest) - seen(photo)
    assert abs(seen(serious) - seen(photo)) < 0.2
    assert lip_gaps(at_rest).mean() < 0.05


def test_a_smiling_photo_turns_serious_with_the_driver() -> None:
    photo, rest = smiling(0.9), make_head()
    transfer = HeadTransfer(photo, rest)
    assert seen(transfer(rest)) == pytest.approx(seen(rest), abs=0.2)


@pytest.mark.parametrize("at_rest", [0.0, 0.5, 0.9])
def test_two_smiles_do_not_add_up(at_rest: float) -> None:
    """Whatever the photo and the neutral pose show, the avatar smiles like the driver."""
    photo, driver = smiling(0.9), smiling(0.9)
    assert seen(HeadTransfer(photo, smiling(at_rest))(driver)) < seen(driver) + 0.2


def test_what_may_be_a_mistake_is_no_smile() -> None:
    assert believed(-0.1) == believed(0.1) == 0
    assert believed(0.4) == 0.4
    assert believed(-0.4) == -0.4
    photo, rest = make_head(), smiling(0.12)
    np.testing.assert_allclose(HeadTransfer(photo, rest)(rest), HeadTransfer(photo, photo)(photo), atol=0.01)
