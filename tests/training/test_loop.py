"""The loop that all trainings share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from avatar_app.errors import ConfigError
from avatar_app.training.loop import descend, repeat


class Counted:
    """A training whose loss is its step's number, or ``last`` at the third and last step."""

    def __init__(self, last: float = 3.0) -> None:
        self.position, self.last = 0, last

    @property
    def finished(self) -> bool:
        return self.position == 3

    def advance(self) -> dict[str, float]:
        self.position += 1
        return {"l1": self.last if self.finished else float(self.position)}


def test_a_training_reports_running_means_and_is_saved_at_its_end() -> None:
    means, saved = [], []
    training = Counted()
    repeat(training, lambda terms: means.append(dict(terms)), lambda: saved.append(training.position), 1e9)
    assert [terms["l1"] for terms in means] == pytest.approx([1, 1.02, 1.0596])
    assert saved == [3]


def test_a_training_is_saved_on_the_way() -> None:
    saved: list[int] = []
    training = Counted()
    repeat(training, lambda _: None, lambda: saved.append(training.position), -1.0)
    assert saved == [1, 2, 3, 3]


@pytest.mark.parametrize("last", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_a_training_and_saves_nothing(last: float) -> None:
    saved: list[int] = []
    with pytest.raises(ConfigError, match=rf"l1 is {last} at step 3"):
        repeat(Counted(last), lambda _: None, lambda: saved.append(1), 1e9)
    assert saved == []


def test_a_step_descends_with_the_share_of_each_group_and_clipped_gradients() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    optimiser = torch.optim.SGD([{"params": [network.weight], "share": 0.5}], 1.0)
    descend(network, optimiser, [100 * network.weight.sum()], 0.2)
    assert float((network.weight.detach() - before).norm()) == pytest.approx(0.1, rel=1e-4)
