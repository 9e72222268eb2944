"""The results of ``animate`` as tasks, with a Ray that runs them in this process.

tests/remote/test_cluster.py has the real one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from avatar_app.commands import ray_tasks
from avatar_app.commands.batch import Job, Result
from avatar_app.errors import ClipError, EngineError
from avatar_app.text import Text

JOBS = [Job(Path(f"{name}.png"), Path("nod.mp4"), Path(f"{name}.mp4")) for name in ("anna", "ben")]


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class Ray(ModuleType):
    """Replaces the package. A task's outcome is known as soon as it is asked for.

    Attributes:
        computers: resources of each that runs.
        requests: resources that tasks asked for.
        devices: of the engines that tasks opened.
        problem: raised in place of a task's result.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self) -> None:
        super().__init__("ray")
        self.computers = [{"CPU": 4.0}]
        self.requests: list[dict[str, float]] = []
        self.devices: list[str] = []
        self.problem: Exception | None = None

    def nodes(self) -> list[dict[str, Any]]:
        lost = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
        return [lost, *({"Alive": True, "Resources": each} for each in self.computers)]

    def remote(self, **wanted: float) -> Callable[[Any], Any]:
        self.requests.append(wanted)
        return lambda function: SimpleNamespace(remote=lambda *given: lambda: function(*given))

    def wait(self, tasks: Sequence[object]) -> tuple[Sequence[object], Sequence[object]]:
        return tasks[:1], tasks[1:]

    def get(self, task: Callable[[], list[Result]]) -> list[Result]:
        if self.problem is not None:
            raise self.problem
        return task()

    def shutdown(self) -> None:
        pass


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ray]:
    fake = Ray()
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(ray_tasks, "require", lambda *_: None)
    monkeypatch.setattr(ray_tasks, "start_alone", lambda: None)
    monkeypatch.setattr("avatar_app.remote.replicas.prepare_ray", lambda: None)
    monkeypatch.setattr(ray_tasks, "Animator", lambda arguments: fake.devices.append(arguments.device))
    monkeypatch.setattr(ray_tasks, "make_group", lambda *given: [Result(job, made=True) for job in given[-1]])
    ray_tasks._opened.cache_clear()
    yield fake
    ray_tasks._opened.cache_clear()


def made(device: str = "auto", threads: int | None = None) -> list[Result]:
    return list(
        ray_tasks.make(argparse.Namespace(cluster="own", device=device, threads=threads, run=print), JOBS)
    )


@pytest.mark.parametrize(
    ("asked", "used", "cards"),
    [
        ("auto", "cpu", 0),
        ("cpu", "cpu", 0),
        ("torch", "torch", 0),
        ("cuda", "cuda", 1),
        ("cuda:3", "cuda", 1),
    ],
)
def test_a_task_uses_what_ray_gives_it(ray: Ray, asked: str, used: str, cards: int) -> None:
    """With ``auto`` no card: it is not counted, and a task's process does not close it."""
    ray.computers = [{"CPU": 4.0, "GPU": 1.0}]
    assert [result.job for result in made(asked, threads=2)] == JOBS
    assert ray.devices == [used]
    assert ray.requests == [{"num_cpus": 2, "num_gpus": cards}]


@pytest.mark.parametrize(
    ("computers", "device", "threads", "hint"),
    [
        ([{"CPU": 4.0}, {"CPU": 4.0}], "cpu", 5, "--threads"),
        ([{}], "auto", None, "--threads"),
        ([{"CPU": 4.0}], "cuda", None, "--device cpu"),
        ([{"CPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}], "cuda:1", 8, "--device cpu"),
    ],
)
def test_a_task_that_fits_on_no_computer_is_refused(
    ray: Ray, computers: list[dict[str, float]], device: str, threads: int | None, hint: str
) -> None:
    """Ray would wait for a larger computer without a word."""
    ray.computers = computers
    with pytest.raises(EngineError, match="No computer of the cluster") as refusal:
        made(device, threads)
    assert hint in refusal.value.hint
    assert not ray.requests


@pytest.mark.parametrize(("device", "words"), [("webgpu", "WebGPU"), ("cuda:x", "no device")])
def test_a_device_that_no_task_can_use_is_refused(ray: Ray, device: str, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        made(device)
    assert not ray.devices


@pytest.mark.parametrize(("threads", "cards", "places"), [(1, 0, 7), (2, 0, 3), (2, 1, 1)])
def test_tasks_at_the_same_time_are_counted_by_computer(threads: int, cards: int, places: int) -> None:
    computers = [{"CPU": 4.0, "GPU": 1.0}, {"CPU": 3.0}]
    nodes = [{"Alive": True, "Resources": each} for each in computers]
    assert ray_tasks._at_a_time(nodes, threads, cards) == places


def test_a_task_that_says_why_it_fails_fails_alone(ray: Ray) -> None:
    ray.problem = RayTaskError(ClipError(Text("The clip is empty."), Text("Name another one.")))
    assert [(result.job, result.error) for result in made()] == [
        (job, "The clip is empty. Name another one.") for job in JOBS
    ]


def test_a_fault_of_the_app_in_a_task_is_not_hidden(ray: Ray) -> None:
    ray.problem = RayTaskError(ZeroDivisionError("in a task"))
    with pytest.raises(RayTaskError) as fault:
        made()
    assert fault.value is ray.problem


def test_a_task_whose_process_ends_again_and_again_fails_alone(ray: Ray) -> None:
    ray.problem = RayError("the worker died")
    results = made()
    assert [result.job for result in results] == JOBS
    assert all("--threads" in result.error for result in results)
