"""List cameras, outputs and models in a thread: some drivers take seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from avatar_app.errors import AvatarError
from avatar_app.text import NOTHING, Text, join

log = logging.getLogger(__name__)

T = TypeVar("T")

JOIN_VIDEO = Text("Run `sudo usermod -aG video $USER`, then log out and in again.")

FAILED = join(
    [Text("This could not be looked for on this computer."), Text("The log has the details.")], "\n"
)


@dataclass(frozen=True, slots=True)
class Outlet:
    """A destination of pictures.

    Attributes:
        value, text: as in the controls, and for people.
        problem: why it cannot be used, and on the next line what to do; empty if it can.
    """

    value: str
    text: str
    problem: Text = NOTHING


@dataclass(frozen=True, slots=True)
class Found:
    """Devices and models of this computer.

    Attributes:
        cameras: names; ``camera_problem`` says why they could not be listed.
        virtual_cameras: the devices; ``virtual_problem`` says why there are none.
        pipewire_problem: why there can be no PipeWire camera; empty if there can.
        models: names; unusable ones with a reason.
        fetchable: PyTorch can be fetched for an NVIDIA card, or was.
        microphones: names; ``microphone_problem`` says why they could not be listed.
        virtual_microphone_problem: why there can be no microphone of the app's own; empty if there can.
        card: device name of a graphics card; ``card_problem`` says why none can be used, None if one can.
    """

    cameras: tuple[str, ...] = ()
    camera_problem: Text = NOTHING
    virtual_cameras: tuple[Outlet, ...] = ()
    virtual_problem: Text = NOTHING
    pipewire_problem: Text = NOTHING
    models: tuple[Outlet, ...] = ()
    card: str = "cuda"
    card_problem: Text | None = None
    fetchable: bool = False
    microphones: tuple[str, ...] = ()
    microphone_problem: Text = NOTHING
    virtual_microphone_problem: Text = NOTHING


def look() -> Found:
    """List everything; each list fails alone and says why.

    Slow: for another thread than the window's.
    """
    cameras, camera_problem = _attempt(_cameras, lambda said: ((), said))
    outlets, virtual_problem = _attempt(_virtual_cameras, lambda said: ((), said))
    card, card_problem = _attempt(_graphics_card, lambda said: ("cuda", said))
    microphones, microphone_problem = _attempt(_microphones, lambda said: ((), said))
    return Found(
        cameras=cameras,
        camera_problem=camera_problem,
        virtual_cameras=outlets,
        virtual_problem=virtual_problem,
        pipewire_problem=_attempt(_pipewire_problem, lambda said: said),
        models=_attempt(_models, lambda said: (Outlet("lite", "lite", said),)),
        card=card,
        card_problem=card_problem,
        fetchable=_attempt(_fetchable, lambda said: False),
        microphones=microphones,
        microphone_problem=microphone_problem,
        virtual_microphone_problem=_attempt(_virtual_microphone_problem, lambda said: said),
    )


def nothing_found() -> Found:
    """Return empty lists, for a search that failed."""
    return Found(
        camera_problem=FAILED,
        virtual_problem=FAILED,
        pipewire_problem=FAILED,
        card_problem=FAILED,
        microphone_problem=FAILED,
        virtual_microphone_problem=FAILED,
    )


def _attempt(work: Callable[[], T], failed: Callable[[Text], T]) -> T:
    """Return the result of ``work``, or of ``failed`` with a sentence about its error."""
    try:
        return work()
    except AvatarError as error:
        return failed(_said(error))
    except Exception as problem:
        log.exception("a list of devices failed: %s", problem)
        return failed(FAILED)


def _cameras() -> tuple[tuple[str, ...], Text]:
    from avatar_app.cameras.listing import look_for_cameras

    return tuple(camera.name for camera in look_for_cameras()), NOTHING


def _graphics_card() -> tuple[str, Text | None]:
    from avatar_app.engines.open import cuda_problem
    from avatar_app.onnx_runtime import find_cards

    problem = cuda_problem()
    return ("webgpu", None) if problem is not None and find_cards() else ("cuda", problem)


def _fetchable() -> bool:
    from avatar_app.cuda.fetch import has_driver
    from avatar_app.cuda.folder import look as look_for_build
    from avatar_app.engines.open import cuda_problem

    return look_for_build()[0] != "absent" or (has_driver() and cuda_problem() is not None)


def _virtual_cameras() -> tuple[tuple[Outlet, ...], Text]:
    from avatar_app.outputs.sinks import list_virtual_cameras
    from avatar_app.outputs.virtual_cameras import require_virtual_camera

    outlets = []
    for camera in list_virtual_cameras():
        problem = NOTHING if camera.writable else JOIN_VIDEO
        outlets.append(
            Outlet(
                camera.path,
                camera.name if camera.name == camera.path else f"{camera.name} ({camera.path})",
                problem,
            )
        )
    if any(not outlet.problem for outlet in outlets):
        return tuple(outlets), NOTHING
    try:
        require_virtual_camera("")
    except AvatarError as error:
        return tuple(outlets), _said(error)
    return tuple(outlets), NOTHING


def _pipewire_problem() -> Text:
    from avatar_app.outputs.sinks import require_pipewire

    try:
        require_pipewire()
    except AvatarError as error:
        return _said(error)
    return NOTHING


def _microphones() -> tuple[tuple[str, ...], Text]:
    from avatar_app.sound.opening import list_microphones

    return tuple(microphone.name for microphone in list_microphones()), NOTHING


def _virtual_microphone_problem() -> Text:
    from avatar_app.sound.virtual_microphone import require_virtual_microphone

    require_virtual_microphone()
    return NOTHING


def _models() -> tuple[Outlet, ...]:
    from avatar_app.bundles.bundle import list_bundles

    try:
        return tuple(Outlet(bundle.name, bundle.name) for bundle in list_bundles() if bundle.kind != "faces")
    except AvatarError as error:
        return (Outlet("lite", "lite", _said(error)),)


def _said(error: AvatarError) -> Text:
    return join([error.message, error.hint], "\n")


class DeviceLists(QObject):
    """Keeps the latest lists; emits ``changed`` when they are new."""

    changed = Signal()
    _arrived = Signal(object)

    def __init__(self, look: Callable[[], Found] = look, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.found: Found | None = None
        self._look = look
        self._thread: threading.Thread | None = None
        self._arrived.connect(self._take)

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def refresh(self) -> None:
        """Search again; return at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="device lists", daemon=True)
            self._thread.start()

    def stop(self, seconds: float = 0.2) -> None:
        """Abandon a search that hangs in a driver: its thread ends with the app."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self) -> None:
        try:
            found = self._look()
        except Exception:
            log.exception("the devices could not be listed")
            found = nothing_found()
        try:
            self._arrived.emit(found)
        except RuntimeError:  # the window is gone
            log.debug("nobody waits for the device lists any more")

    def _take(self, found: Found) -> None:
        self._thread = None
        self.found = found
        self.changed.emit()
