"""Large weights beside their graph, where ONNX Runtime maps them into memory.

Weights inside an ONNX file are read, parsed and copied before ONNX Runtime lays them out anew: for
SFace 140 MB are touched for 38 MB of weights, and opening it takes a quarter of the time of a first
answer. Mapped, they are touched once, and processes share them. The numbers are the same.
"""

from __future__ import annotations

from pathlib import Path

#: the file beside the graph
NAME = "weights.bin"
#: with less in all, bytes, a second file gains nothing
LEAST = 1 << 20
#: smaller constants stay in the graph, bytes: shapes, which ONNX Runtime wants to read, and biases
SMALL = 4096


def set_apart(path: Path) -> Path | None:
    """Move the large weights of the ONNX file ``path`` into a file beside it; return that file.

    Returns None, and leaves the file as it is, when all weights together are small.
    """
    if path.stat().st_size < LEAST:
        return None
    import onnx
    from onnx import external_data_helper

    model = onnx.load(path, load_external_data=False)
    external_data_helper.convert_model_to_external_data(
        model, all_tensors_to_one_file=True, location=NAME, size_threshold=SMALL
    )
    onnx.save_model(model, path)
    beside = path.with_name(NAME)
    if not beside.is_file():
        return None
    beside.chmod(path.stat().st_mode)  # onnx makes it private, and a home may be shared by users
    return beside
