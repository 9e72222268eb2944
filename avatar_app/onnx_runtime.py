"""ONNX Runtime: sessions on the processor and on graphics cards, and their values.

The only file that imports it and turns its telemetry off. Graphics cards of all makers are used through
WebGPU, by a provider in a package of its own (`WEBGPU_PACKAGE`), which is optional.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from avatar_app.errors import EngineError
from avatar_app.graph_cache import graph_file, keep_graph, read_graph
from avatar_app.processor import cores
from avatar_app.text import Text

# Release builds write a device id and a database of events into the user's cache folder and send them. They
# read this variable when loaded. It replaces no choice of the user's: no value should turn telemetry on.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort  # after setting the variable

ort.disable_telemetry_events()  # additional events on Windows

VERSION: str = ort.__version__
NOWHERE = os.devnull + "/no-external-data"
"""Folder for weights outside of the file: none exist there, since files that were not hashed must not be
read.
"""

REINSTALL = Text("Install the version of onnxruntime in requirements.txt, or import the model again.")

WEBGPU_PACKAGE = "onnxruntime-ep-webgpu"
WEBGPU_MODULE = "onnxruntime_ep_webgpu"
WEBGPU_PROVIDER = "WebGpuExecutionProvider"

MAKERS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel", 0x106B: "Apple", 0x5143: "Qualcomm"}
"""Makers of graphics cards, by their PCI number."""

NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation")

LARGEST_KEPT = 16 << 20
"""Bytes of a model up to which its optimised graph is kept for the next start."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph.

    Attributes:
        kind: element type in ONNX Runtime's words, such as ``tensor(float)``.
        shape: sizes; None if the file leaves one open.
    """

    kind: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card of the provider.

    Attributes:
        name: for people.
    """

    name: str
    device: Any


def has_webgpu_package() -> bool:
    """Whether the provider for graphics cards is installed."""
    return importlib.util.find_spec(WEBGPU_MODULE) is not None


def find_cards() -> list[Card]:
    """Return the graphics cards that can be tried, those with their own memory first.

    Loads the provider. Raises EngineError if that fails.
    """
    if not has_webgpu_package():
        return []
    try:
        if not any(device.ep_name == WEBGPU_PROVIDER for device in ort.get_ep_devices()):
            library = importlib.import_module(WEBGPU_MODULE).get_library_path()
            ort.register_execution_provider_library(WEBGPU_PROVIDER, library)
    except Exception as error:  # of the package, of the system's loader, of ONNX Runtime
        raise EngineError(
            Text("The package {} cannot be loaded.", WEBGPU_PACKAGE),
            Text("Install the version that the app asks for."),
        ) from error
    found = [
        device
        for device in ort.get_ep_devices()
        if device.ep_name == WEBGPU_PROVIDER and device.device.type == ort.OrtHardwareDeviceType.GPU
    ]
    found.sort(key=lambda device: device.device.metadata.get("Discrete") != "1")
    return [Card(_card_name(device.device), device) for device in found]


def _card_name(hardware: Any) -> str:
    described = hardware.metadata.get("Description", "").strip()  # only on Windows
    maker = MAKERS.get(hardware.vendor_id) or hardware.vendor or "unknown maker"
    return described or f"{maker} {hardware.device_id:04x}"


class OnnxValue:
    """A tensor in ONNX Runtime's memory; not copied between graphs."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    @classmethod
    def of(cls, array: Array) -> OnnxValue:
        return cls(ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array)))

    def numpy(self) -> Array:
        array: Array = self._value.numpy()
        return array


class OnnxSession:
    """A graph ready to run; on the processor in several threads at a time.

    Args:
        model: the file's content. Weights in other files are refused.
        title: the file's name, for errors; an attribute as well.
        threads: processor threads within one operation; 0: one for each core.
        card: where to compute; None: on the processor.
        seldom: frees the memory of each run, which would be kept for the next.

    Raises:
        EngineError: this version of ONNX Runtime cannot open it.
    """

    def __init__(
        self, model: bytes, title: str, threads: int = 1, card: Card | None = None, seldom: bool = False
    ) -> None:
        options = ort.SessionOptions()
        options.enable_cpu_mem_arena = not seldom
        options.intra_op_num_threads = threads or cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are also raised
        # Threads that spin start faster, but would take the cores from camera and output after an operation.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
        self.title = title
        if card is not None:
            options.add_provider_for_devices([card.device], {})
        try:
            # No list of providers beside a device: the processor computes what the card cannot.
            self._session = ort.InferenceSession(model, options) if card else _on_processor(model, options)
        except Exception as error:  # its errors have no common base class
            raise EngineError(Text("ONNX Runtime {} cannot open {}.", VERSION, title), REINSTALL) from error
        self.inputs = {item.name: _port(item) for item in self._session.get_inputs()}
        self.outputs = {item.name: _port(item) for item in self._session.get_outputs()}

    def run(self, wanted: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Compute the named outputs, all if None.

        Raises EngineError: the graph fails or cannot take these inputs.
        """
        try:
            outputs: list[Array] = self._session.run(wanted, dict(feeds))
        except Exception as error:
            raise self._failed(error) from error
        return outputs

    def run_values(self, wanted: Sequence[str] | None, feeds: Mapping[str, OnnxValue]) -> list[OnnxValue]:
        """Compute as ``run``, without copies between numpy and ONNX Runtime."""
        names = list(self.outputs) if wanted is None else list(wanted)
        try:
            outputs = self._session.run_with_ort_values(
                names, {name: value._value for name, value in feeds.items()}
            )
        except Exception as error:
            raise self._failed(error) from error
        return [OnnxValue(value) for value in outputs]

    def bind(self, fixed: Mapping[str, Array]) -> OnnxBinding:
        """Copy inputs to the graph's device, for many runs.

        Raises EngineError as ``run`` does.
        """
        try:
            return OnnxBinding(self._session, fixed, list(self.outputs), self._failed)
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> EngineError | MemoryError:
        # Its messages are long and refer to its own source; the log keeps them as the cause.
        if any(words in str(error) for words in NO_MEMORY):
            return MemoryError(f"for {self.title}")
        return EngineError(
            Text("The model file {} fails when it is computed.", self.title),
            Text("Import or fetch this model again."),
        )


class OnnxBinding:
    """A graph with fixed inputs on its device. Not thread-safe."""

    def __init__(
        self,
        session: Any,
        fixed: Mapping[str, Array],
        outputs: Sequence[str],
        failed: Callable[[Exception], Exception],
    ) -> None:
        self._session, self._failed, self._outputs = session, failed, outputs
        self._binding = session.io_binding()
        for name, array in fixed.items():
            self._binding.bind_ortvalue_input(name, OnnxValue.of(array)._value)
        for name in outputs:
            self._binding.bind_output(name)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return all outputs. Raises EngineError as `OnnxSession.run` does."""
        try:
            for name, array in feeds.items():
                self._binding.bind_cpu_input(name, array)
            self._session.run_with_iobinding(self._binding)
            return dict(zip(self._outputs, self._binding.copy_outputs_to_cpu(), strict=True))
        except Exception as error:
            raise self._failed(error) from error


def open_session(model: Path | bytes, threads: int = 1, *, seldom: bool = False) -> OnnxSession:
    """Open a model on the processor.

    Args:
        model: a file, or its content.
        threads: within an operation; 0: one for each core.
        seldom: as for `OnnxSession`.

    Raises:
        EngineError: the file cannot be read, or ``OnnxSession`` cannot open it.
    """
    if isinstance(model, bytes):
        return OnnxSession(model, "a model", threads, seldom=seldom)
    try:
        content = model.read_bytes()
    except OSError as error:
        raise EngineError(Text("The model file {} cannot be read.", model), REINSTALL) from error
    return OnnxSession(content, str(model), threads, seldom=seldom)


def _on_processor(model: bytes, options: Any) -> Any:
    """Open a graph as optimised earlier, or keep it for the next time."""
    if len(model) > LARGEST_KEPT:
        return _session(model, options)
    path = graph_file(model, VERSION)
    if graph := read_graph(path):
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        with suppress(Exception):
            return _session(graph, options)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    opened = []

    def write(file: Path) -> None:
        options.optimized_model_filepath = str(file)
        opened.append(_session(model, options))

    with suppress(Exception):  # no space, no permission; or a damaged model, which fails again below
        keep_graph(path, write)
    options.optimized_model_filepath = ""
    return opened[0] if opened else _session(model, options)


def _session(model: bytes, options: Any) -> Any:
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _port(item: Any) -> Port:
    return Port(item.type, tuple(size if isinstance(size, int) else None for size in item.shape))
