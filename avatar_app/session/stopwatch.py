"""Measure the time of each stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


class Stopwatch:
    """Collects the durations of named stages, in milliseconds, in order of appearance."""

    def __init__(self) -> None:
        self._durations: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Time the body of a ``with``; a body that raises does not count."""
        start = time.perf_counter()
        yield
        self._durations[stage].append((time.perf_counter() - start) * 1000)

    def each(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on and measure the time until each arrives."""
        source = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(source)
            except StopIteration:
                return
            self._durations[stage].append((time.perf_counter() - start) * 1000)
            yield item

    def sums(self, stages: Iterable[str]) -> list[float]:
        """Return the total milliseconds of these stages for each round.

        Each must have been timed once in every round.
        """
        rounds = zip(*(self._durations[stage] for stage in stages), strict=True)
        return [sum(values) for values in rounds]

    def summary(self) -> dict[str, dict[str, float]]:
        """Return stage -> {"p50", "p95"} in milliseconds."""
        return {stage: percentiles(values) for stage, values in self._durations.items()}


def percentiles(values: list[float]) -> dict[str, float]:
    """Return {"p50", "p95"} of at least one value."""
    return {
        "p50": round(float(np.percentile(values, 50)), 3),
        "p95": round(float(np.percentile(values, 95)), 3),
    }
