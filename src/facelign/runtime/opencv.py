"""OpenCV as an engine: Haar cascades, Caffe networks. OpenCV for pixels may be used anywhere."""

from __future__ import annotations

from pathlib import Path

import cv2

from facelign.errors import ExtraMissing, WeightsCorrupt, WeightsMissing

_HINT = "Install an OpenCV 4 wheel: pip install 'opencv-python-headless>=4.10,<5'"


def cascade_path(name: str) -> Path:
    """Return where the cascade ``name`` lies inside the installed OpenCV.

    Raises WeightsMissing when this OpenCV carries no such file (the 5.x wheels carry none).
    """
    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        raise WeightsMissing(
            f"The installed OpenCV ({cv2.__version__}) carries no cascade {name}.", _HINT
        )
    return path


def cascade(source: str | Path) -> cv2.CascadeClassifier:
    """Return a new classifier from a path, or from the name of a cascade that OpenCV carries.

    A classifier keeps scratch memory of its own: use one per thread.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise ExtraMissing(f"OpenCV {cv2.__version__} has no CascadeClassifier.", _HINT)
    path = source if isinstance(source, Path) else cascade_path(source)
    found = cv2.CascadeClassifier(str(path))
    if found.empty():
        raise WeightsMissing(f"OpenCV cannot read the cascade {path}.", _HINT)
    return found


def caffe_network(layers: Path, weights: Path) -> cv2.dnn.Net:
    """Return a network from Caffe's two files; raises WeightsCorrupt for what is none.

    layers: its prototxt. weights: its caffemodel. It keeps what it sees inside: one thread at a
    time.
    """
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise ExtraMissing(f"OpenCV {cv2.__version__} reads no Caffe networks.", _HINT)
    try:
        return cv2.dnn.readNetFromCaffe(str(layers), str(weights))
    except cv2.error as problem:
        raise WeightsCorrupt(
            f"OpenCV cannot read {weights.name} with {layers.name}: {problem.err or problem}.",
            "Run 'facelign models verify' to find damaged files.",
        ) from problem
