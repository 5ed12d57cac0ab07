"""SSD on a ResNet-10: the face detector of OpenCV's samples, boxes without points.

Paper: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016. Origin: OpenCV's samples
(dnn/face_detector). Input: BGR less (104, 177, 123), 300 x 300, stretched. Output, after the
network's own suppression of overlaps: class, score and edges in shares of the picture. OpenCV runs
the published Caffe files.

Known limits: one look at 300 px, so faces below about a tenth of the photo's side are missed.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook, OneLookOptions
from facelign.runtime.onnx import OnnxOptions
from facelign.runtime.opencv import caffe_network
from facelign.types import specs
from facelign.types.arrays import AnyArray
from facelign.types.contracts import WeightPaths

_SIDE, _FACE = 300, 1
_WEIGHTS = "res10_300x300_ssd_iter_140000.caffemodel"
_MODELS = "https://github.com/opencv/opencv_3rdparty/raw/dnn_samples_face_detector_20170830"
_SAMPLES = "https://github.com/opencv/opencv/raw/3.4.0/samples/dnn/face_detector"

SPECS = (
    specs.ModelSpec.of(
        "ssd-res10",
        "facelign.detect.models.ssd_res10:SsdRes10",
        specs.WeightFile.same(_WEIGHTS, sha256="", size=0, address=f"{_MODELS}/{_WEIGHTS}"),
        specs.WeightFile.same(
            "deploy.prototxt", sha256="", size=0, address=f"{_SAMPLES}/deploy.prototxt"
        ),
        engine=specs.Engine.OPENCV,
        input=specs.InputSpec((_SIDE, _SIDE), order="bgr", mean=(104.0, 177.0, 123.0)),
        output=specs.DetectorOutput(scheme=None, smallest_px=30),
        license=specs.License.unstated("Apache-2.0 (OpenCV)", "not stated"),
        title="SSD with ResNet-10 of OpenCV's samples",
        paper="Liu et al.: SSD, ECCV 2016, https://arxiv.org/abs/1512.02325",
        origin=f"opencv/opencv_3rdparty {_WEIGHTS}",
        defaults={"nms_iou": 0.45},  # the network has suppressed overlaps already
        unseen="its files could not be had: the tests run a made Caffe network through the same "
        "code, and decode rows whose truth is known",
    ),
)


class SsdRes10(OneLook):
    """Finds faces without points."""

    STRETCHED = True

    def __init__(
        self,
        spec: specs.ModelSpec,
        files: WeightPaths,
        options: OneLookOptions,
        engine: OnnxOptions,
    ) -> None:
        self.spec, self.options = spec, options
        self.score_floor = options.score_threshold
        weights, layers = (files[one.name] for one in spec.weights)
        self._caffe = caffe_network(layers, weights)
        self._lock = Lock()  # a network of OpenCV keeps what it sees inside

    def run(self, feed: AnyArray) -> list[AnyArray]:
        """Return what the network gives."""
        with self._lock:
            self._caffe.setInput(feed)
            return [np.array(self._caffe.forward())]

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``. A row: image, class, score, four edges."""
        rows = outputs[0].reshape(-1, 7)
        kept = (rows[:, 1] == _FACE) & (rows[:, 2] >= self.options.score_threshold)
        boxes = rows[kept, 3:] * np.array([*size, *size], np.float32) - np.float32(0.5)
        return Candidates(boxes, rows[kept, 2], np.zeros((int(kept.sum()), 0, 2), np.float32))
