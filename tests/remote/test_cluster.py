"""Many processes with Ray: behind one address, and for the results of ``animate``.

The slow tests run only if ``AVATAR_CLUSTER`` names a Python with Ray:

python -m venv ray && ray/bin/pip install '.[cluster]'
AVATAR_CLUSTER=ray/bin/python python -m pytest tests/remote/test_cluster.py
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from avatar_app import extras
from avatar_app.bundles.bundle import open_bundle
from avatar_app.commands import cluster
from avatar_app.engines.remote_engine import RemoteEngine
from avatar_app.errors import DeviceError, EngineError
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.portrait import find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.paths import assets_folder, shipped_avatars
from avatar_app.remote import replicas
from avatar_app.remote.pairing import Pairing, parse_pairing
from avatar_app.remote.replicas import NAME, ClusterConfig, application, is_ending, replicas_of
from avatar_app.remote.server import ServerConfig
from avatar_app.types import Avatar, Crop, Layer
from tests.remote.serving import Painted, free_port, until
from tests.support.media import clip_facts

PYTHON = os.environ.get("AVATAR_CLUSTER", "")
ROOT = Path(__file__).parents[2]


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_installed", lambda name: not name.startswith("ray"))
    with pytest.raises(EngineError, match="not installed: ray") as refusal:
        cluster.run(Any)  # type: ignore[arg-type]
    assert "ray[serve]" in refusal.value.hint


def test_a_process_outside_of_a_cluster_does_not_end() -> None:
    assert not is_ending()


def test_replicas_are_found_in_what_ray_says() -> None:
    found = {"applications": {NAME: {"deployments": {NAME: {"replicas": [{"replica_id": "a"}]}}}}}
    assert replicas_of(found) == [{"replica_id": "a"}]
    assert replicas_of({}) == []


def test_the_token_of_a_cluster_is_used_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "TOKEN", tmp_path / "auth_token")
    monkeypatch.setenv("RAY_AUTH_MODE", "")  # so that it is restored
    monkeypatch.delenv("RAY_AUTH_MODE")
    replicas.prepare_ray()
    assert "RAY_AUTH_MODE" not in os.environ
    (tmp_path / "auth_token").write_text("secret")
    replicas.prepare_ray()
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_a_cluster_without_replicas_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class RayServeException(Exception):
        pass

    def no_client() -> None:
        raise RayServeException("There is no Serve instance running on this Ray cluster.")

    contents: dict[str, dict[str, Any]] = {
        "ray": {},
        "ray.serve": {},
        "ray.serve.context": {"_get_global_client": no_client},
        "ray.serve.exceptions": {"RayServeException": RayServeException},
    }
    for name, content in contents.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    assert cluster._status() == 1
    assert capsys.readouterr().out == "avatar: not there, no replicas\n"


def test_the_deployment_is_what_the_user_asked_for() -> None:
    pytest.importorskip("ray")
    config = ServerConfig("lite", "digest", "token", sessions=10)
    made = application(config, ClusterConfig(2, 6, 1.5, 0.25), Painted)
    deployment = made._bound_deployment
    assert deployment.ray_actor_options == {"num_cpus": 1.5, "num_gpus": 0.25}
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas, scaling.target_ongoing_requests) == (2, 6, 7.0)
    assert deployment._deployment_config.max_ongoing_requests > config.sessions


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: Ray's sockets in it are limited to 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="a", ignore_cleanup_errors=True) as made:
        yield Path(made)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Pairing, dict[str, str]]]:
    """Two replicas of four people each; their pairing line and environment."""
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "RAY_TMPDIR": str(folder)}
    options = ["--replicas", "2", "--most", "2", "--sessions", "4", "--device", "cpu", "--processors", "0.5"]
    with subprocess.Popen(
        [PYTHON, "run.py", "cluster", "up", *options, "--port", str(free_port())],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    ) as process:
        try:
            assert process.stdout is not None
            lines = (line for line in process.stdout if line.startswith("avatar://"))
            yield parse_pairing(next(lines)), environment
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def workers(folder: Path) -> list[int]:
    """Of the Ray in this folder, the processes that make results now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cmdline").read_bytes().startswith(b"ray::_run") and os.fsencode(folder) in (
                process / "environ"
            ).read_bytes():
                found.append(int(process.name))
    return found


def pids(environment: dict[str, str]) -> list[int]:
    """Of the running replicas."""
    said = subprocess.run(
        [PYTHON, "run.py", "cluster", "status"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    return [int(found) for found in re.findall(r"process (\d+): running", said.stdout)]


def photo(size: int) -> Crop:
    return find_portrait(read_portrait(shipped_avatars() / "anna.jpg"), FaceDetector.open()).crop(size)


def waits(engines: list[RemoteEngine], avatars: list[Avatar]) -> list[float]:
    """Seconds from now until each client has a picture of a pose from now on; all send 20 a second."""
    began = time.monotonic()
    arrived: dict[int, float] = {}

    def send(number: int) -> None:
        def show(layer: Layer, moment: float) -> None:
            arrived.setdefault(number, time.monotonic() - began)

        engine, avatar = engines[number], avatars[number]
        with suppress(DeviceError):  # a call would go on without the other computer
            engine.stream(avatar, avatar.key_points, None, time.monotonic(), show)

    def all_arrived() -> bool:
        time.sleep(0.05)
        for number in range(len(engines)):
            send(number)
        return len(arrived) == len(engines)

    until(all_arrived, 60)
    return [arrived[number] for number in range(len(engines))]


@pytest.mark.skipif(not PYTHON, reason="AVATAR_CLUSTER names no Python with Ray")
def test_sessions_spread_and_survive_the_end_of_a_replica(folder: Path) -> None:
    with running(folder) as (pairing, environment):
        bundle = open_bundle("lite")
        engines = [RemoteEngine(bundle, pairing, ["jpeg"]) for _ in range(4)]
        try:
            avatars = [engine.encode(photo(engine.size)) for engine in engines]
            first = pids(environment)
            assert len(first) == 2
            os.kill(first[0], signal.SIGKILL)
            seconds = sorted(waits(engines, avatars))
            sys.stderr.write(f"pictures again after {', '.join(f'{wait:.2f}' for wait in seconds)} s\n")
        finally:
            for engine in engines:
                engine.close()


@pytest.mark.skipif(not PYTHON, reason="AVATAR_CLUSTER names no Python with Ray")
def test_every_clip_is_made_once_and_whole_though_a_process_is_killed(folder: Path) -> None:
    photos, output = folder / "photos", folder / "out"
    photos.mkdir()
    for name in ("anna", "mei", "zola"):
        shutil.copy(shipped_avatars() / f"{name}.jpg", photos)
    (photos / "broken.jpg").write_bytes(b"no picture")
    files = [
        "--avatar",
        str(photos),
        "--driving",
        str(assets_folder() / "driving.mp4"),
        "--output",
        str(output),
    ]
    words = [PYTHON, "run.py", "animate", *files, "--end", "1", "--device", "cpu", "--cluster"]
    environment = {**os.environ, "RAY_TMPDIR": str(folder)}
    with subprocess.Popen(words, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        until(lambda: bool(workers(folder)), 120)
        os.kill(workers(folder)[0], signal.SIGKILL)
        said = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert "4 results: 3 made, 1 failed" in said
    made = {path.name: clip_facts(path)["times"] for path in output.iterdir()}
    assert {name: len(times) for name, times in made.items()} == dict.fromkeys(  # type: ignore[arg-type]
        ("anna.mp4", "mei.mp4", "zola.mp4"), 25
    )
    (output / "mei.mp4").unlink()
    again = subprocess.run(
        words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert "4 results: 1 made, 2 there already, 1 failed" in again.stdout
