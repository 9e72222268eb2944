"""``cluster``: render for many people, on many computers, with Ray Serve."""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from functools import partial
from typing import Any

from avatar_app.bundles.bundle import open_bundle
from avatar_app.commands.numbers import decimal, whole_number
from avatar_app.commands.printer import say
from avatar_app.commands.serve import ANY, add_address_arguments, own_address
from avatar_app.ending import ENDING
from avatar_app.engines import Engine
from avatar_app.engines.open import open_engine
from avatar_app.errors import EngineError
from avatar_app.extras import require
from avatar_app.paths import server_folder
from avatar_app.remote.pairing import (
    Pairing,
    certificate_files,
    certificate_pin,
    is_loopback,
    read_token,
)
from avatar_app.text import Text

OWN = "own"
"""Address of a cluster of this computer alone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("up", "status", "down"), help="start, list or stop the replicas")
    parser.add_argument(
        "--cluster",
        default=OWN,
        metavar="ADDRESS",
        help="of a running Ray cluster, or auto for the one on this computer (`ray start` "
        "starts one); without it, `up` runs a cluster on this computer only, until it is "
        "interrupted",
    )
    add_address_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument(
        "--replicas",
        type=whole_number(1, 10_000),
        default=1,
        metavar="N",
        help="minimum number of replicas (default: 1)",
    )
    parser.add_argument(
        "--most",
        type=whole_number(1, 10_000),
        default=4,
        metavar="N",
        help="maximum number of replicas (default: 4)",
    )
    parser.add_argument(
        "--sessions",
        type=whole_number(1, 256),
        default=4,
        metavar="N",
        help="people per replica (default: 4)",
    )
    parser.add_argument(
        "--processors",
        type=decimal(0.1, 64),
        default=1.0,
        metavar="N",
        help="cores per replica (default: 1)",
    )
    parser.add_argument(
        "--cards",
        type=decimal(0, 8),
        default=0.0,
        metavar="N",
        help="graphics cards per replica; with 0.25, four share one (default: 0)",
    )


def run(arguments: argparse.Namespace) -> int:
    require("cluster", Text("A cluster"))
    from avatar_app.remote.replicas import prepare_ray

    prepare_ray()
    if arguments.action == "up":
        return _up(arguments)
    join("auto" if arguments.cluster == OWN else arguments.cluster)
    return _status() if arguments.action == "status" else _down()


def _up(arguments: argparse.Namespace) -> int:
    import ray
    from ray import serve

    from avatar_app.remote.link import digest_of
    from avatar_app.remote.replicas import (
        GRACE,
        NAME,
        ClusterConfig,
        application,
        details,
        replicas_of,
    )
    from avatar_app.remote.server import ServerConfig

    bundle = open_bundle(arguments.model)
    token = read_token(server_folder())
    config = ServerConfig(bundle.name, digest_of(bundle.hashes), token, arguments.sessions)
    cluster = ClusterConfig(arguments.replicas, arguments.most, arguments.processors, arguments.cards)
    options, pin = _listening(arguments)
    alone = arguments.cluster == OWN
    if alone:
        start_alone(max(2, round(arguments.most * arguments.processors)) + 1)
    else:
        join(arguments.cluster)
    # Before any wait: an interrupt while Ray starts its processes would leave some of them running.
    stopped = threading.Event()
    ENDING.call_instead(stopped.set)
    try:
        serve.start(http_options=options)
        serve.run(
            application(config, cluster, partial(open_named, bundle.name, arguments.device)),
            name=NAME,
            route_prefix="/",
        )
        say(Pairing(_own_name(arguments), arguments.port, token, pin).line)
        if alone:
            while not stopped.wait(1.0):
                pass
            serve.delete(NAME, _blocking=False)
            stopped.clear()  # a second interrupt does not wait for the clients
            end = time.monotonic() + GRACE
            while time.monotonic() < end and replicas_of(details()) and not stopped.wait(0.5):
                pass
    finally:
        if alone:
            serve.shutdown()
            ray.shutdown()
    return 0


def open_named(model: str, device: str) -> Engine:
    """Open a bundle by name, in the process of a replica."""
    return open_engine(open_bundle(model), device, 1 if device == "cpu" else None)


def _listening(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return Ray's HTTP options, and the certificate's fingerprint."""
    options: dict[str, Any] = {
        "host": arguments.listen,
        "port": arguments.port,
        "location": "EveryNode" if arguments.cluster != OWN else "HeadOnly",
    }
    if is_loopback(arguments.listen):
        return options, ""
    certificate, key = certificate_files(server_folder())
    return options | {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}, certificate_pin(certificate)


def _own_name(arguments: argparse.Namespace) -> str:
    return arguments.name or (own_address() if arguments.listen in ANY else str(arguments.listen))


def start_alone(cores: int | None = None) -> None:
    """Start Ray on this computer alone, with so many cores; None: all."""
    import ray

    # Ray's own processes must not be reachable from outside.
    ray.init(include_dashboard=False, _node_ip_address="127.0.0.1", num_cpus=cores, log_to_driver=False)


def join(address: str) -> None:
    """Connect to a running cluster. Raises EngineError."""
    import ray

    try:
        ray.init(address=address, log_to_driver=False)
    except ConnectionError:
        raise EngineError(
            Text("There is no Ray cluster at {}, or it refuses this computer.", address),
            Text("Start one with `ray start --head`, and copy its ~/.ray/auth_token to this computer."),
        ) from None


def _status() -> int:
    from avatar_app.remote.replicas import NAME, details, replicas_of

    found = details()
    replicas = replicas_of(found)
    states = Counter(replica["state"] for replica in replicas)
    state = found.get("applications", {}).get(NAME, {}).get("status", "not there")
    counted = ", ".join(f"{count} {name.lower()}" for name, count in sorted(states.items())) or "no replicas"
    say(f"{NAME}: {state.lower()}, {counted}")
    for replica in replicas:
        place = f"{replica['replica_id']} on {replica['node_ip']}"
        say(f"  {place}, process {replica['pid']}: {str.lower(replica['state'])}")
    return 0 if states.get("RUNNING") else 1


def _down() -> int:
    from ray import serve

    from avatar_app.remote.replicas import NAME, details, replicas_of

    if replicas_of(details()):
        serve.delete(NAME)
    serve.shutdown()
    return 0
