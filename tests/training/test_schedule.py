"""The learning rate and the moving average that all trainings share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from avatar_app.training.schedule import average_into, learning_rate


def test_the_rate_rises_then_falls_along_a_cosine() -> None:
    assert learning_rate(0.0, 0, 1e-3, warmup=10) == pytest.approx(1e-4)
    assert learning_rate(0.0, 9, 1e-3, warmup=10) == pytest.approx(1e-3)
    assert learning_rate(0.5, 99, 1e-3, 1e-5, warmup=10) == pytest.approx((1e-3 + 1e-5) / 2)
    assert learning_rate(1.0, 99, 1e-3, 1e-5, warmup=10) == pytest.approx(1e-5)
    assert learning_rate(7.0, 99, 1e-3, warmup=0) == pytest.approx(0.0), "past the end"


def test_the_average_follows_weights_and_copies_counters() -> None:
    network = nn.BatchNorm1d(2)
    averaged = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network.weight.fill_(3.0)
        assert network.num_batches_tracked is not None
        network.num_batches_tracked.fill_(7)
    average_into(averaged, network, 0.9, step=1000)
    torch.testing.assert_close(averaged["weight"], torch.full((2,), 1.2))
    assert averaged["num_batches_tracked"] == 7
    average_into(averaged, network, 0.9, step=0)
    torch.testing.assert_close(averaged["weight"], torch.full((2,), 2.82))
