"""What the doctor reports on computers of all kinds."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cv2
import pytest

from avatar_app.bundles.bundle import Bundle, find_bundle
from avatar_app.cameras import permission as camera_permission
from avatar_app.cameras.opening import CameraInfo
from avatar_app.control import server as control
from avatar_app.control.server import ControlServer
from avatar_app.doctor import checks as doctor
from avatar_app.doctor import nvidia as graphics_card
from avatar_app.doctor import webgpu
from avatar_app.doctor.checks import Check, as_text, would_work
from avatar_app.doctor.nvidia import Card
from avatar_app.doctor.speed import Speed
from avatar_app.engines.webgpu_trial import Trial
from avatar_app.errors import AvatarError, BundleError, OutputError
from avatar_app.hotkeys.listener import way
from avatar_app.outputs.sinks import VirtualCamera
from avatar_app.text import NOTHING, Text

RTX = Card("NVIDIA GeForce RTX 3060", "580.65", 8.6)
GTX = Card("NVIDIA GeForce GTX 1080", "580.65", 6.1)
BLACKWELL = Card("NVIDIA GeForce RTX 5090", "580.65", 12.0)
WEBCAM = CameraInfo("USB Camera", 0, cv2.CAP_V4L2)
LOOPBACK = VirtualCamera("Avatar Camera", "/dev/video20", True, True)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No instance of the app runs, and there is no display."""
    path = tmp_path / "run" / "control.socket"
    monkeypatch.setattr(control, "default_path", lambda name="": path)
    monkeypatch.delenv("DISPLAY", raising=False)
    return path


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A computer on which a call works."""
    monkeypatch.setattr(doctor, "list_cameras", lambda: [WEBCAM])
    outputs(monkeypatch, [LOOPBACK], "")
    monkeypatch.setattr(doctor, "measure_speed", lambda model, device: Speed("lite, CPU", 30.0))
    monkeypatch.setattr(doctor, "open_bundle", lambda name: None)
    return monkeypatch


def outputs(monkeypatch: pytest.MonkeyPatch, cameras: list[VirtualCamera], pipewire: str) -> None:
    """``pipewire``: the reported problem."""

    def require_camera(device: str) -> VirtualCamera:
        usable = [camera for camera in cameras if camera.writable]
        if not usable:
            raise OutputError(Text("There is no virtual camera."), Text("Load one."))
        return usable[0]

    def require_pipewire() -> None:
        if pipewire:
            raise OutputError(Text("{}", pipewire), Text("Start it."))

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(doctor, "list_virtual_cameras", lambda: cameras)
    monkeypatch.setattr(doctor, "require_virtual_camera", require_camera)
    monkeypatch.setattr(doctor, "require_pipewire", require_pipewire)


def card(
    monkeypatch: pytest.MonkeyPatch,
    found: Card | None,
    problem: str | None = None,
    version: str = "2.13.0+cpu",
) -> None:
    monkeypatch.setattr(graphics_card, "find_card", lambda: found)
    monkeypatch.setattr(doctor, "cuda_problem", lambda: problem)
    monkeypatch.setattr(metadata, "version", lambda name: version)
    monkeypatch.setattr(webgpu, "has_webgpu_package", lambda: False)


def states(found: list[Check]) -> dict[str, str]:
    return {check.name: check.state for check in found}


@pytest.mark.usefixtures("good")
def test_a_good_computer() -> None:
    found = list(doctor.checks())
    names = [
        "Python",
        "Graphics card",
        "Models",
        "Cameras",
        "Virtual camera",
        "PipeWire",
        "Running app",
        "Hotkeys",
        "Speed",
    ]
    assert [check.name for check in found] == names
    assert states([check for check in found if check.needed]) == dict.fromkeys(
        ["Virtual camera", "PipeWire", "Speed"], "ok"
    )
    assert would_work(found)
    assert all(check.todo for check in found if check.state == "problem")


def test_without_any_one_of_the_four_no_call_works(good: pytest.MonkeyPatch) -> None:
    def damaged(name: str) -> None:
        raise BundleError(Text("Damaged."), Text("Repair it."))

    spoilers = {
        "list_cameras": lambda: [],
        "list_virtual_cameras": lambda: [],
        "open_bundle": damaged,
        "measure_speed": lambda model, device: Speed("lite, CPU", 14.0),
    }
    for name, spoiler in spoilers.items():
        with good.context() as worse:
            worse.setattr(doctor, name, spoiler)
            if name == "list_virtual_cameras":
                outputs(worse, [], "It does not run.")
            assert not would_work(list(doctor.checks())), name
    assert would_work(list(doctor.checks()))


def test_quick_measures_nothing(good: pytest.MonkeyPatch) -> None:
    def fail(model: str, device: str) -> Speed:
        raise AssertionError

    good.setattr(doctor, "measure_speed", fail)
    found = list(doctor.checks(quick=True))
    assert states(found)["Speed"] == "note"
    assert would_work(found)


def test_a_check_that_fails_does_not_silence_the_others(
    good: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> list[CameraInfo]:
        raise ImportError("libGL.so.1: cannot open shared object file")

    good.setattr(doctor, "list_cameras", fail)
    found = list(doctor.checks())
    cameras = next(check for check in found if check.name == "Cameras")
    assert cameras.state == "problem"
    assert "libGL.so.1" in cameras.found
    assert len(found) == 9
    assert "libGL.so.1" in caplog.text
    assert not would_work(found)


@pytest.mark.parametrize(
    ("found", "problem", "version", "state", "says", "todo"),
    [
        (None, "no driver", "2.13.0+cpu", "ok", "No NVIDIA card", "pip install onnxruntime-ep-webgpu==0.4.0"),
        (RTX, None, "2.13.0+cu130", "ok", "RTX 3060 (driver 580.65), PyTorch 2.13.0+cu130", ""),
        (
            RTX,
            "this PyTorch is built only for the processor",
            "2.13.0+cpu",
            "problem",
            "is not used: this PyTorch",
            "cuda install",
        ),
        (RTX, "finds no usable device", "2.13.0+cu130", "problem", "no usable device", "Restart"),
        (GTX, None, "2.13.0", "problem", "built for newer cards", "cuda install"),
        (GTX, None, "2.13.0+cu126", "ok", "GTX 1080", ""),
        (BLACKWELL, None, "2.13.0+cu126", "problem", "built for older cards", "cuda install"),
    ],
)
def test_graphics_card(
    monkeypatch: pytest.MonkeyPatch,
    found: Card | None,
    problem: str | None,
    version: str,
    state: str,
    says: str,
    todo: str,
) -> None:
    card(monkeypatch, found, problem, version)
    check = doctor.check_graphics()
    assert check.state == state
    assert says in check.found
    assert todo in check.todo
    assert bool(check.todo) == (state == "problem" or found is None)


def test_a_bundle_asks_for_no_package_that_pip_would_install(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, None, "no driver", "2.13.0+cpu")
    monkeypatch.setattr(webgpu, "extensible", lambda: False)
    assert not doctor.check_graphics().todo


WRONG = Text("The graphics card {} makes wrong pictures.", "AMD 744c")


@pytest.mark.parametrize(
    ("trial", "state", "says"),
    [
        (None, "ok", "The processor computes: ONNX Runtime finds no graphics card. No NVIDIA card;"),
        (
            Trial("AMD 744c", NOTHING, 0.004, 0.015),
            "ok",
            "AMD 744c computes: 4 ms per frame, the processor 15 ms.",
        ),
        (
            Trial("AMD 744c", NOTHING, 0.014, 0.015),
            "ok",
            "The processor computes: 15 ms per frame, AMD 744c 14 ms.",
        ),
        (Trial("AMD 744c", WRONG), "note", WRONG),
    ],
)
def test_a_card_of_any_maker_is_tried(
    monkeypatch: pytest.MonkeyPatch, trial: Trial | None, state: str, says: str
) -> None:
    card(monkeypatch, None, "no driver")
    tried: list[bool] = []

    def instead(bundle: Bundle, threads: int, again: bool) -> Trial | None:
        tried.append(again)
        return trial

    monkeypatch.setattr(webgpu, "has_webgpu_package", lambda: True)
    monkeypatch.setattr(webgpu, "trial_of", instead)
    check = doctor.check_graphics(quick=False)
    assert check.state == state
    assert says in check.found
    assert bool(check.todo) == (state == "note")
    doctor.check_graphics(quick=True)
    assert tried == [True, False]


def test_a_card_of_any_maker_may_stand_in_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, RTX, "this PyTorch is built only for the processor")
    monkeypatch.setattr(webgpu, "has_webgpu_package", lambda: True)
    monkeypatch.setattr(webgpu, "trial_of", lambda *_, **__: Trial("NVIDIA 2503", NOTHING, 0.004, 0.015))
    check = doctor.check_graphics()
    assert check.state == "ok"
    assert "NVIDIA 2503 computes" in check.found
    assert "this PyTorch is built only for the processor" in check.found


def test_a_graphics_card_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, None)
    monkeypatch.setattr(graphics_card, "lacks_driver", lambda: True)
    check = doctor.check_graphics()
    assert check.state == "problem"
    assert "driver" in check.todo


def test_cameras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    open_one = dataclasses.replace(WEBCAM, path=str(tmp_path / "video0"))
    closed_one = CameraInfo("Other", 2, cv2.CAP_V4L2, str(tmp_path / "video2"))
    monkeypatch.setattr(
        doctor, "camera_formats", lambda path: ["YUYV up to 1280 x 720", "A", "B", "MJPG up to 1920 x 1080"]
    )
    monkeypatch.setattr(doctor, "user_of", lambda path: "")

    def check(*cameras: CameraInfo) -> Check:
        monkeypatch.setattr(doctor, "list_cameras", lambda: list(cameras))
        return doctor.check_cameras()

    assert check().state == "problem"
    with monkeypatch.context() as mac:
        mac.setattr(camera_permission, "_status", lambda: camera_permission.DENIED)
        refused = check(open_one)
        assert (refused.state, refused.needed) == ("problem", True)
        assert "macOS does not let this program use the camera" in refused.found
    assert check(open_one) == Check(
        Text("Cameras"), "ok", Text("USB Camera (MJPG up to 1920 x 1080, YUYV up to 1280 x 720, A, 1 more).")
    )
    assert (check(closed_one).state, check(closed_one).todo) == ("problem", doctor.JOIN_VIDEO)
    assert check(open_one, closed_one).state == "note"
    monkeypatch.setattr(doctor, "user_of", lambda path: "zoom")
    assert check(open_one).state == "note"
    assert "in use by zoom" in check(open_one).found


@pytest.mark.parametrize(
    ("cameras", "pipewire", "expected", "works"),
    [
        ([LOOPBACK], "", ("ok", "ok"), True),
        ([LOOPBACK], "Not there.", ("ok", "note"), True),
        ([], "", ("note", "ok"), True),
        ([], "Not there.", ("problem", "problem"), False),
        ([dataclasses.replace(LOOPBACK, writable=False)], "Not there.", ("problem", "problem"), False),
        ([dataclasses.replace(LOOPBACK, exclusive_caps=False)], "Not there.", ("note", "note"), True),
    ],
)
def test_one_way_out_is_enough(
    monkeypatch: pytest.MonkeyPatch,
    cameras: list[VirtualCamera],
    pipewire: str,
    expected: tuple[str, str],
    works: bool,
) -> None:
    outputs(monkeypatch, cameras, pipewire)
    virtual, wire = doctor.check_outputs()
    assert (virtual.state, wire.state) == expected
    assert would_work([virtual, wire]) == works
    assert all(check.todo for check in (virtual, wire) if check.state != "ok")


def test_exclusive_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs(monkeypatch, [dataclasses.replace(LOOPBACK, exclusive_caps=False)], "")
    virtual = doctor.check_outputs()[0]
    assert "exclusive_caps off" in virtual.found
    assert "exclusive_caps=1" in virtual.todo


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_there_is_no_pipewire(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(doctor, "list_virtual_cameras", list)
    (missing,) = doctor.check_outputs()
    assert (missing.state, missing.needed) == ("problem", True)
    assert "OBS" in missing.todo
    monkeypatch.setattr(
        doctor,
        "list_virtual_cameras",
        lambda: [VirtualCamera("OBS Virtual Camera", "OBS Virtual Camera", None, True)],
    )
    (there,) = doctor.check_outputs()
    assert there == Check(Text("Virtual camera"), "ok", Text("OBS Virtual Camera."), needed=True)


def test_without_pyvirtualcam(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs(monkeypatch, [LOOPBACK], "Not there.")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install pyvirtualcam" in doctor.check_outputs()[0].todo


def test_models_as_published() -> None:
    check = doctor.check_models("lite")
    assert check.state == "ok", check.found
    assert "lite" in check.found
    assert "faces" in check.found


def test_models_that_are_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    for name in ("lite", "faces"):
        shutil.copytree(find_bundle(name), shipped / name)
    shutil.copytree(find_bundle("lite"), own / "mine")
    monkeypatch.setattr("avatar_app.bundles.bundle.model_folders", lambda: (shipped, own))
    assert doctor.check_models("lite").state == "ok"
    (own / "mine" / "render.onnx").write_bytes(b"x")
    other = doctor.check_models("lite")
    assert (other.state, "damaged" in other.found) == ("note", True)
    chosen = doctor.check_models("mine")
    assert (chosen.state, chosen.needed) == ("problem", True)
    (shipped / "faces" / "finder.onnx").unlink()
    assert "finder.onnx" in doctor.check_models("lite").found
    assert "no model called 'none'" in doctor.check_models("none").found


@pytest.mark.parametrize(("fps", "state"), [(30.0, "ok"), (20.0, "note"), (14.9, "problem")])
def test_speed(monkeypatch: pytest.MonkeyPatch, fps: float, state: str) -> None:
    monkeypatch.setattr(doctor, "measure_speed", lambda model, device: Speed("lite, CPU", fps))
    check = doctor.check_speed("lite", "auto", False)
    assert check.state == state
    assert f"{fps:.0f} fps with lite, CPU" in check.found


def test_an_engine_that_cannot_be_opened() -> None:
    check = doctor.check_speed("lite", "gpu", False)
    assert (check.state, check.needed) == ("problem", True)
    assert "'gpu'" in check.found


def test_the_running_app(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_app().found == "It is not running now."
    assert "display" in doctor.check_hotkeys().found
    server = ControlServer(lambda command: "shows avatar", alone)
    server.start()
    try:
        assert "It is running" in doctor.check_app().found
        assert "shows avatar" in doctor.check_app().found
        assert doctor.check_hotkeys() == Check(
            Text("Hotkeys"), "ok", Text("The running app has them ({}).", way())
        )
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
        found = doctor.check_hotkeys()
        assert (found.state, found.found) == ("note", "Wayland has no hotkeys for programs like this.")
        assert "control recalibrate" in found.todo
    finally:
        server.close()


def test_an_app_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: str, timeout: float) -> dict[str, object]:
        raise AvatarError(Text("The app did not answer."), Text("Try again."))

    monkeypatch.setattr(doctor, "send_command", hang)
    assert doctor.check_app().state == "note"


def test_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1, "final", 0))
    check = doctor.check_python()
    assert (check.state, check.needed) == ("problem", True)


def test_as_text_it_fits_a_terminal_and_commands_stay_whole() -> None:
    command = "sudo modprobe v4l2loopback exclusive_caps=1 card_label='Avatar Camera' and-more-and-more"
    text = as_text(
        Check(
            Text("Virtual camera"),
            "problem",
            Text("There is no virtual camera on this computer at all."),
            Text("Run `{}`, then retry.", command),
        )
    )
    lines = text.split("\n")
    assert lines[0] == "problem  Virtual camera  There is no virtual camera on this computer at all."
    assert all(len(line) <= 79 for line in lines if command not in line)
    assert sum(command in line for line in lines) == 1
    assert all(line.startswith(" " * 9) for line in lines[1:])


def test_the_whole_chain_is_measured_for_real() -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from avatar_app.doctor import speed; speed.FRAMES, "
        "speed.WARM_UP = 3, 1; "
        "found = speed.measure_speed('lite', 'cpu'); print(found.engine, found.fps > 0.2)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.returncode) == ("lite, ONNX Runtime, CPU True\n", 0), done.stderr
