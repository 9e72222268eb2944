"""Make the results of ``animate`` at the same time, as tasks of Ray."""

from __future__ import annotations

import argparse
import math
import os
import pickle
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from avatar_app.commands.animator import Animator, driving
from avatar_app.commands.batch import Job, Result, groups_of, make_group
from avatar_app.commands.cluster import OWN, join, start_alone
from avatar_app.engines.open import require_device
from avatar_app.errors import AvatarError, EngineError, OutputError
from avatar_app.extras import require
from avatar_app.files import reason, remove_parts
from avatar_app.text import Text

TASKS_A_CORE = 4
"""So many that no core waits long for the last task. Each task tracks the driver of its clip again."""


def make(arguments: argparse.Namespace, jobs: Sequence[Job]) -> Iterator[Result]:
    """Yield each result as soon as its task ends.

    A task whose computer is lost is repeated elsewhere. Raises EngineError if there is no cluster, or it
    cannot run a task.
    """
    require_device(arguments.device)
    if arguments.device == "webgpu":  # Ray cannot give each task its own
        raise EngineError(
            Text("A cluster cannot share a graphics card through WebGPU."),
            Text("Use --device cpu or --device cuda."),
        )
    require("cluster", Text("A cluster"))
    from avatar_app.remote.replicas import prepare_ray

    prepare_ray()
    import ray

    if arguments.cluster == OWN:
        start_alone()
    else:
        join(arguments.cluster)
    try:
        yield from _make(arguments, jobs)
    finally:
        ray.shutdown()  # kills what still runs
        for job in jobs:
            with suppress(OSError):
                remove_parts(job.output)


def _make(arguments: argparse.Namespace, jobs: Sequence[Job]) -> Iterator[Result]:
    import ray

    threads = arguments.threads or 1
    # Each task has only the cards that Ray gives it: none with auto, and one, as number 0, with any cuda:N.
    device = {"auto": "cpu", "cuda": "cuda"}.get(arguments.device.partition(":")[0], arguments.device)
    cards = int(device == "cuda")
    at_a_time = _at_a_time(ray.nodes(), threads, cards)
    task = ray.remote(num_cpus=threads, num_gpus=cards)(_run)
    own = {"threads": threads, "device": device, "run": None}
    packed = pickle.dumps(argparse.Namespace(**{**vars(arguments), **own}))
    groups = groups_of(jobs, math.ceil(len(jobs) / (TASKS_A_CORE * at_a_time)))
    running = {task.remote(packed, Path.cwd(), group): group for group in groups}
    while running:
        (done, *_), _ = ray.wait(list(running))
        group = running.pop(done)
        try:
            yield from ray.get(done)
        except ray.exceptions.RayTaskError as problem:
            if not isinstance(problem.cause, AvatarError):
                raise
            yield from (Result(job, error=str(problem.cause)) for job in group)
        except ray.exceptions.RayError:
            lost = EngineError(
                Text("The worker process kept crashing."),
                Text("Free some memory, or raise --threads so that fewer tasks run at once."),
            )
            yield from (Result(job, error=str(lost)) for job in group)


def _at_a_time(nodes: Iterable[Mapping[str, Any]], threads: int, cards: int) -> int:
    """Return how many tasks fit on the computers that ``ray.nodes`` describes.

    Raises EngineError if none does: Ray would wait for another computer for ever.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    wanted = {"CPU": threads, "GPU": cards} if cards else {"CPU": threads}
    fitting = sum(min(int(has.get(kind, 0) // count) for kind, count in wanted.items()) for has in alive)
    if fitting:
        return fitting
    if cards:
        raise EngineError(
            Text("No computer of the cluster has an NVIDIA card and enough cores for --threads {}.", threads),
            Text("Use --device cpu, lower --threads, or add such a computer."),
        )
    raise EngineError(
        Text("No computer of the cluster has enough cores for --threads {}.", threads),
        Text("Lower --threads, or add such a computer."),
    )


def _run(packed: bytes, folder: Path, jobs: Sequence[Job]) -> list[Result]:
    """Make the results of one clip, in a process of Ray."""
    try:
        os.chdir(folder)  # for relative paths
    except OSError as problem:
        raise OutputError(
            Text("The folder {} cannot be used on {}: {}.", folder, platform.node(), reason(problem)),
            Text("All computers of the cluster must see the same folders."),
        ) from None
    arguments, animator = _opened(packed)
    return list(make_group(animator, partial(driving, arguments), jobs))


@lru_cache(maxsize=1)
def _opened(packed: bytes) -> tuple[argparse.Namespace, Animator]:
    """Open the engine once for all tasks of a process."""
    arguments = pickle.loads(packed)
    return arguments, Animator(arguments)
