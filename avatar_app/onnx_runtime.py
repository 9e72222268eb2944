"""Open ONNX files with ONNX Runtime on the CPU; with onnx_engine.py the only place that imports it."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from avatar_app.errors import EngineError


def open_session(model: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    """Open a model on the CPU.

    Args:
        model: a file, or its content.
        threads: within an operation; 0: one for each core.

    Raises:
        EngineError: the file cannot be opened by this version of ONNX Runtime.
    """
    source = str(model) if isinstance(model, Path) else model
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads are quick to start again, but once an operation is done they would take the cores from camera and output.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each of its errors is a class of its own, without a common base
        message = (
            f"ONNX Runtime {ort.__version__} cannot open {model if isinstance(model, Path) else 'a model'}."
        )
        raise EngineError(
            message, "Install the version of onnxruntime in requirements.txt, or import the model again."
        ) from error
