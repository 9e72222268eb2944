"""The server as a deployment of Ray Serve.

The same ASGI application in many processes, one engine each. A session stays with the replica that took its
connection; the number of replicas follows the number of sessions.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from avatar_app.remote.host import Renderer
from avatar_app.remote.server import Server, ServerConfig

log = logging.getLogger(__name__)

NAME = "avatar"
"""Of the application and of its deployment."""

HEALTH, UNASKED = 2.0, 4
"""Seconds between Ray's health checks of a replica, and the number of missed ones after which it may be
ending.
"""

GRACE = 20.0
"""Seconds that a replica has to send its clients away."""

BUSY = 0.7
"""Fraction of a replica's sessions in use at which Ray starts another one, before it is needed."""

SPARE = 8
"""Connections beyond its sessions that a replica accepts, only to answer that it is full."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Number of replicas, and the resources of each.

    Attributes:
        least, most: replicas.
        processors, cards: of each, as Ray counts them; fractions of a graphics card are possible.
    """

    least: int = 1
    most: int = 4
    processors: float = 1.0
    cards: float = 0.0


class Replica:
    """One process of a cluster. Ray calls its methods.

    Ray does not announce the end of a replica before its clients have gone. The replica therefore watches
    Ray's health checks; if they stop, it looks up its state.
    """

    def __init__(self, config: ServerConfig, open_engine: Callable[[], Renderer]) -> None:
        self._server = Server(config, open_engine)
        self._asked_at = time.monotonic()
        self._watch: asyncio.Task[None] | None = None

    def __serve_build_asgi_app__(self) -> ASGIApp:  # Ray's name
        return self._server.app

    async def check_health(self) -> None:
        self._asked_at = time.monotonic()
        if self._watch is None:
            self._watch = asyncio.create_task(self._end_in_time())

    async def _end_in_time(self) -> None:
        while True:
            await asyncio.sleep(HEALTH)
            if time.monotonic() - self._asked_at > UNASKED * HEALTH and await asyncio.to_thread(is_ending):
                log.info("the replica ends")
                await self._server.say_goodbye()
                return


def is_ending() -> bool:
    """Whether Ray is about to end this replica. False if that is unknown."""
    with suppress(Exception):  # the controller may be down; it restarts
        from ray import serve

        own = serve.get_replica_context().replica_id.unique_id
        return any(
            replica["replica_id"] == own and replica["state"] == "STOPPING"
            for replica in replicas_of(details())
        )
    return False


def details() -> Mapping[str, Any]:
    """Return Ray Serve's description of itself; empty if it does not run."""
    from ray.serve.context import _get_global_client
    from ray.serve.exceptions import RayServeException

    found: Mapping[str, Any] = {}
    with suppress(RayServeException):
        found = _get_global_client().get_serve_details()
    return found


def replicas_of(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the replicas in `details`."""
    deployments = found.get("applications", {}).get(NAME, {}).get("deployments", {})
    return [replica for each in deployments.values() for replica in each.get("replicas", [])]


def application(config: ServerConfig, cluster: ClusterConfig, open_engine: Callable[[], Renderer]) -> Any:
    """Return the application for ``serve.run``.

    Args:
        open_engine: is sent to each replica, so it has to be a function of a module, or a ``partial`` of one.
    """
    from ray import serve

    resources = {"num_cpus": cluster.processors, "num_gpus": cluster.cards}
    deployed = serve.deployment(
        serve.ingress()(Replica),
        name=NAME,
        ray_actor_options=resources,
        max_ongoing_requests=config.sessions + SPARE,
        autoscaling_config={
            "min_replicas": cluster.least,
            "max_replicas": max(cluster.least, cluster.most),
            "target_ongoing_requests": max(1.0, BUSY * config.sessions),
            "upscale_delay_s": 2.0,
            "downscale_delay_s": 300.0,
        },
        health_check_period_s=HEALTH,
        graceful_shutdown_timeout_s=GRACE,
        graceful_shutdown_wait_loop_s=0.5,
    )
    return deployed.bind(config, open_engine)


TOKEN = Path.home() / ".ray" / "auth_token"
"""File with the secret that all computers of a cluster share. Ray makes it at its first start."""


def prepare_ray() -> None:
    """Disable Ray's telemetry, keep it out of this log, and let it use its token.

    Must be called before Ray is imported. Ray uses the token by itself only for a cluster on this computer.
    """
    if TOKEN.exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy computer is slow, not broken
