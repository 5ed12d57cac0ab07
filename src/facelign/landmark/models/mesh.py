"""MediaPipe's face mesh: 468 points with depth, and with five points of each iris.

Paper: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs",
2019. Input: RGB / 255, a square of 192 px about the face, turned until its eyes are level: its
middle is that of the box, its side 1.5 times the longer side of the box. Output: x, y and depth of
each point in px of that square.

MediaPipe makes the first square from BlazeFace's box and eyes, and in a film the next one from the
points that it found. Here too a second look at the square that the first one's points tell makes
the points those of the face, whatever detector drew the box; ``looks=1`` is MediaPipe on a photo.

The irises come from a network of their own, as in MediaPipe's graph of irises (Ablavatski et al.,
"Real-time Pupil Tracking from Monocular Video for Digital Puppetry", 2020): a square of 64 px about
each eye, 2.3 times as wide as its corners of the mesh are apart, level, that of the picture's right
mirrored. The 468 points stay those of the mesh; the depth of an iris is the mean of its eye's.
That network tells the outline of the eye too, and follows lids that close, which the mesh hardly
does: ``lids=True`` puts it in the place of the mesh's, as MediaPipe's graph does in a film.

Known limits: the hidden half of a profile is the mesh's guess; made for faces of at least 50 px. A
closed eye has an iris all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from facelign.errors import ConfigError
from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.imaging.warp import axis_scales, warp
from facelign.landmark.by_box import scheme_of
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types import mediapipe_models, specs
from facelign.types.arrays import AnyArray, ByteArray, Float64Array
from facelign.types.contracts import Landmarker, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.mesh import GROUPS
from facelign.types.schemes import MESH_468, MESH_478

#: side of what the network reads, px; side of the square, in longer sides of the box
_SIDE, _ROOM = 192, 1.5
#: the same of an eye, in distances of its corners; those corners, by the picture's left and right
_EYE_SIDE, _EYE_ROOM = 64, 2.3
_EYES = (("right_eye", (33, 133)), ("left_eye", (362, 263)))
_IRIS = 5
#: of an eye on the subject's right: its outline as the network of irises counts it, the lower lid
#: with both corners first, then the upper
_OUTLINE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)

_MESH_FILE = mediapipe_models.weights(
    "face_landmark.tflite",
    mediapipe_models.own(
        "face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        1_242_398,
    ),
)

SPECS = (
    specs.ModelSpec.of(
        "mesh-468",
        "facelign.landmark.models.mesh:FaceMesh",
        _MESH_FILE,
        input=specs.InputSpec((_SIDE, _SIDE), std=(255.0,) * 3),
        output=specs.LandmarkerOutput(MESH_468.id),
        license=mediapipe_models.LICENSE,
        title="MediaPipe's face mesh, 468 points with depth",
        paper="Kartynnik et al.: Real-time Facial Surface Geometry, 2019, "
        "https://arxiv.org/abs/1907.06724",
        origin="google-ai-edge/mediapipe modules/face_landmark face_landmark.tflite",
    ),
    specs.ModelSpec.of(
        "mesh-478",
        "facelign.landmark.models.mesh:FaceMeshWithIrises",
        _MESH_FILE,
        mediapipe_models.weights(
            "iris_landmark.tflite",
            mediapipe_models.own(
                "iris_landmark/iris_landmark.tflite",
                "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
                2_640_568,
            ),
        ),
        input=specs.InputSpec((_SIDE, _SIDE), std=(255.0,) * 3),
        output=specs.LandmarkerOutput(MESH_478.id),
        license=mediapipe_models.LICENSE,
        title="MediaPipe's face mesh with irises, 478 points with depth",
        paper="Ablavatski et al.: Real-time Pupil Tracking, 2020, https://arxiv.org/abs/2006.11341",
        origin="google-ai-edge/mediapipe modules/face_landmark face_landmark.tflite, "
        "modules/iris_landmark iris_landmark.tflite",
    ),
)


@dataclass(frozen=True, slots=True)
class FaceMeshOptions:
    """looks: how often a face is looked at, each time in the square that the last points tell."""

    looks: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.looks <= 8:
            raise ConfigError(f"looks: wanted a number from 1 to 8, got {self.looks}.")


@dataclass(frozen=True, slots=True)
class IrisOptions(FaceMeshOptions):
    """lids: whether the outlines of the eyes are those that the network of irises sees."""

    lids: bool = False


class FaceMesh(Landmarker):
    """Places 468 points, with depth, on the faces of a detector."""

    Options = FaceMeshOptions
    scheme = MESH_468

    def __init__(
        self,
        spec: specs.ModelSpec,
        files: WeightPaths,
        options: FaceMeshOptions,
        engine: OnnxOptions,
    ) -> None:
        scheme_of(spec)
        self.spec, self.options = spec, options
        self._net = Session(files[spec.weights[0].name], engine)
        self._points = MESH_468.k

    def locate(self, image: Image, faces: Faces) -> Faces:
        """Return the same faces with 468 points and their depth, in the plane of ``image.size``."""
        found = [self._placed(image, faces, i) for i in range(len(faces))]
        stacked = np.stack(found) if found else np.zeros((0, self.scheme.k, 3))
        points, depth = (part.astype(np.float32) for part in (stacked[..., :2], stacked[..., 2]))
        return faces.with_landmarks(Landmarks(points, self.scheme, depth=depth))

    def _placed(self, image: Image, faces: Faces, i: int) -> Float64Array:
        """Return the points of one face (468, 3), px of the photo."""
        right_to_left = np.array([1.0, 0.0])
        if faces.landmarks is not None:
            groups, points = faces.landmarks.scheme.groups, faces.landmarks.points[i]
            right_to_left = _across(points, groups["right_eye"], groups["left_eye"])
        box = faces.boxes[i].astype(np.float64)
        found = self._seen(image, _square(box, right_to_left))
        for _ in range(self.options.looks - 1):
            low, high = found[:, :2].min(axis=0), found[:, :2].max(axis=0)
            right, left = MESH_468.eye_corners or (0, 0)
            across = _across(found[:, :2], (right,), (left,))
            found = self._seen(image, _square(np.concatenate([low, high]), across))
        return found

    def _seen(self, image: Image, to_square: Float64Array) -> Float64Array:
        square = _cut(image, to_square, _SIDE)
        # one by one: a face has the same points whoever is beside it
        feed = blob_of(square[None], self.spec.input)
        outputs = self._net.run({self._net.inputs[0].name: feed})
        (raw,) = (o.reshape(-1, 3) for o in outputs if o.size == 3 * self._points)
        # here the edge of the first pixel is 0: its middle is 0 in the plane
        points = apply(invert(to_square), raw[:, :2] - 0.5)
        depth = raw[:, 2:].astype(np.float64) / max(axis_scales(to_square))
        return np.concatenate([points, depth], axis=1)


class FaceMeshWithIrises(FaceMesh):
    """Places the points of the mesh, and five of each iris, with depth."""

    Options = IrisOptions
    scheme = MESH_478

    def __init__(
        self,
        spec: specs.ModelSpec,
        files: WeightPaths,
        options: IrisOptions,
        engine: OnnxOptions,
    ) -> None:
        super().__init__(spec, files, options, engine)
        self._lids = options.lids
        self._eye_net = Session(files[spec.weights[1].name], engine)

    def _placed(self, image: Image, faces: Faces, i: int) -> Float64Array:
        """Return the points of one face (478, 3), px of the photo."""
        found = super()._placed(image, faces, i)
        irises = []
        for eye, corners in _EYES:
            iris, outline = self._eye(image, found, eye, corners)
            irises.append(iris)
            if self._lids:
                places = [MESH_468.mirror[i] if eye == "left_eye" else i for i in _OUTLINE]
                found[places, :2] = outline
        return np.concatenate([found, *irises])

    def _eye(
        self, image: Image, found: Float64Array, eye: str, corners: tuple[int, int]
    ) -> tuple[Float64Array, Float64Array]:
        """Return the middle of an iris and its ring (5, 3), from the right over the top, and the
        outline of the eye (16, 2).
        """
        ends = found[list(corners), :2]
        box = np.concatenate([ends.min(axis=0), ends.max(axis=0)])
        to_square = _square(box, ends[1] - ends[0], _EYE_SIDE, _EYE_ROOM)
        square, mirrored = _cut(image, to_square, _EYE_SIDE), eye == "left_eye"
        if mirrored:
            square = np.ascontiguousarray(square[:, ::-1])
        feed = blob_of(square[None], self.spec.input)
        outputs = self._eye_net.run({self._eye_net.inputs[0].name: feed})
        raw, outline = (
            points.reshape(-1, 3)[:, :2].astype(np.float64) - 0.5
            for points in sorted(outputs, key=lambda output: output.size)
        )
        if mirrored:
            raw = raw[[0, 3, 2, 1, 4]]
            raw, outline = ([_EYE_SIDE - 1, 0] + side * [-1, 1] for side in (raw, outline))
        depth = np.full((_IRIS, 1), found[list(GROUPS[eye]), 2].mean())
        to_photo = invert(to_square)
        iris = np.concatenate([apply(to_photo, raw), depth], axis=1)
        return iris, apply(to_photo, outline[: len(_OUTLINE)])


def _cut(image: Image, to_square: Float64Array, side: int) -> ByteArray:
    """Return the square (side, side, 3) that a map from the photo shows."""
    if image.scale < 1 and max(axis_scales(to_square)) > image.scale:
        image = image.full()
    return warp(image.pixels, compose(to_square, invert(scaling(image.scale))), (side, side))


def _across(points: AnyArray, right: tuple[int, ...], left: tuple[int, ...]) -> Float64Array:
    """Return the way (2,) from the subject's right eye to the left."""
    ends = [points[list(eye)].astype(np.float64).mean(axis=0) for eye in (right, left)]
    return np.asarray(ends[1] - ends[0])


def _square(
    box: Float64Array, across: Float64Array, pixels: int = _SIDE, room: float = _ROOM
) -> Float64Array:
    """Return the map (2, 3) from the photo into the square about a box, eyes level in it.

    pixels: side of the square. room: its side in the photo, in longer sides of the box.
    """
    length = math.hypot(*across)
    cos, sin = across / length if length > 0 else (1.0, 0.0)
    side = room * max(box[2] - box[0], box[3] - box[1], 1e-3)
    linear = np.array([[cos, sin], [-sin, cos]]) * (pixels / side)
    shift = (pixels - 1) / 2 - linear @ ((box[:2] + box[2:]) / 2)
    return np.concatenate([linear, shift[:, None]], axis=1)
