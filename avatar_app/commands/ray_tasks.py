"""Make the results of ``animate`` at the same time, as tasks of Ray."""

from __future__ import annotations

import argparse
import math
import os
import pickle
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path

from avatar_app.commands.animator import Animator, driving
from avatar_app.commands.batch import Job, Result, groups_of, make_group
from avatar_app.commands.cluster import OWN, join, start_alone
from avatar_app.errors import AvatarError, EngineError, OutputError
from avatar_app.extras import require
from avatar_app.files import reason, remove_parts
from avatar_app.text import Text

TASKS_A_CORE = 4
"""So many that no core waits long for the last task. Each task tracks the driver of its clip again."""


def make(arguments: argparse.Namespace, jobs: Sequence[Job]) -> Iterator[Result]:
    """Yield each result as soon as its task ends.

    A task whose computer is lost is repeated elsewhere. Raises EngineError if there is no cluster.
    """
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
    task = ray.remote(num_cpus=threads, num_gpus=float(arguments.device.startswith("cuda")))(_run)
    at_a_time = ray.cluster_resources().get("CPU", 1) / threads
    packed = pickle.dumps(argparse.Namespace(**{**vars(arguments), "threads": threads, "run": None}))
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
                Text("The process that made it ended again and again."),
                Text("Give it more memory or fewer tasks at a time (--threads)."),
            )
            yield from (Result(job, error=str(lost)) for job in group)


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
