"""ONNX Runtime on the processor: sessions and their values.

The only file that imports it, and the one that turns its telemetry off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from avatar_app.errors import EngineError
from avatar_app.processor import cores
from avatar_app.text import Text

# Release builds write a device id and a database of events into the user's cache folder and send them. They
# read this when they are loaded. Setting it does not replace a choice of the user's: there is none that
# should turn telemetry on.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort  # after the variable

ort.disable_telemetry_events()  # what Windows has besides

VERSION: str = ort.__version__
NOWHERE = os.devnull + "/no-external-data"
"""Folder that weights outside the file are looked for in: what was not hashed with the file must not be
read."""

REINSTALL = Text("Install the version of onnxruntime in requirements.txt, or import the model again.")

NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation")

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph.

    Attributes:
        kind: element type as ONNX Runtime names it, such as ``tensor(float)``.
        shape: sizes; None where the file leaves one open.
    """

    kind: str
    shape: tuple[int | None, ...]


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
    """A graph ready to run. Not thread-safe.

    Args:
        model: the file's content. Weights in other files are refused.
        title: the file's name, for errors; an attribute as well.
        threads: processor threads within one operation; 0: one for each core.

    Raises:
        EngineError: this version of ONNX Runtime cannot open it.
    """

    def __init__(self, model: bytes, title: str, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised as well
        # Waiting threads are quick to start again, but once an operation is done they would take the cores
        # from camera and output.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
        self.title = title
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # each of its errors is a class of its own, without a common base
            raise EngineError(Text("ONNX Runtime {} cannot open {}.", VERSION, title), REINSTALL) from error
        self.inputs = {item.name: _port(item) for item in self._session.get_inputs()}
        self.outputs = {item.name: _port(item) for item in self._session.get_outputs()}

    def run(self, wanted: Sequence[str] | None, feeds: Mapping[str, Array]) -> list[Array]:
        """Compute the outputs named, all if None.

        Raises EngineError: the graph fails or cannot take these inputs.
        """
        try:
            outputs: list[Array] = self._session.run(wanted, dict(feeds))
        except Exception as error:
            raise self._failed(error) from error
        return outputs

    def run_values(self, wanted: Sequence[str] | None, feeds: Mapping[str, OnnxValue]) -> list[OnnxValue]:
        """As ``run``, without copies between numpy and ONNX Runtime."""
        names = list(self.outputs) if wanted is None else list(wanted)
        try:
            outputs = self._session.run_with_ort_values(
                names, {name: value._value for name, value in feeds.items()}
            )
        except Exception as error:
            raise self._failed(error) from error
        return [OnnxValue(value) for value in outputs]

    def _failed(self, error: Exception) -> EngineError | MemoryError:
        # Its messages are long and name places in its own source; the log keeps them as the cause.
        if any(words in str(error) for words in NO_MEMORY):
            return MemoryError(f"for {self.title}")
        return EngineError(
            Text("The model file {} fails when it is computed.", self.title),
            Text("Import or fetch this model again."),
        )


def open_session(model: Path | bytes, threads: int = 1) -> OnnxSession:
    """Open a model on the processor.

    Args:
        model: a file, or its content.
        threads: within an operation; 0: one for each core.

    Raises:
        EngineError: the file cannot be read, or ``OnnxSession`` cannot open it.
    """
    if isinstance(model, bytes):
        return OnnxSession(model, "a model", threads)
    try:
        content = model.read_bytes()
    except OSError as error:
        raise EngineError(Text("The model file {} cannot be read.", model), REINSTALL) from error
    return OnnxSession(content, str(model), threads)


def _port(item: Any) -> Port:
    return Port(item.type, tuple(size if isinstance(size, int) else None for size in item.shape))
