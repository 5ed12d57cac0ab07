"""From flags to a recognizer, and from words to photos: what most commands start with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facelign.cli.output import note
from facelign.wire.options import ChainFlags, NamingFlags

if TYPE_CHECKING:
    from pathlib import Path

    from facelign.cli.options import Face
    from facelign.compare.classifiers import NameClassifier
    from facelign.imaging.listing import PeopleFolders
    from facelign.recognition.options import IdentifyOptions
    from facelign.recognition.photo_gallery import PhotoGallery
    from facelign.recognition.recognizer import Photo, Recognizer
    from facelign.recognition.results import Enrollment
    from facelign.recognition.selection import FacePolicy
    from facelign.types.calibrations import Calibration
    from facelign.types.decisions import SearchThreshold, Threshold

Record = dict[str, Any]


def recognizer(
    chain: ChainFlags | None = None,
    *,
    cached: bool = False,
    embeds: bool = True,
    layout_options: Mapping[str, object] | None = None,
    **flags: Any,
) -> Recognizer:
    """Return the recognizer that the flags describe; its warnings go to standard error.

    cached: keep vectors of photos, and use those that are there. embeds: False where only faces or
    chips are wanted. layout_options: of the layout, by name.
    """
    from facelign.recognition.options import ChainOptions
    from facelign.recognition.recognizer import Recognizer
    from facelign.types.policies import Attempts

    chain = chain or ChainFlags(**flags)
    cache = None
    if cached:
        from facelign.files.home import cache_path
        from facelign.gallery.cache import VectorCache

        cache = VectorCache(cache_path())
    made = Recognizer(
        chain.preset,
        detector=chain.detector,
        model=chain.model,
        landmarker=chain.landmarks,
        flip=chain.flip,
        workers=chain.workers,
        cache=cache,
        options=ChainOptions(
            layout=chain.layout,
            layout_options=layout_options or {},
            embeds=embeds,
            preprocessing=chain.preprocess,
            downscale=chain.downscale,
            attempts=Attempts(padded=chain.padded, turned=chain.rotate),
        ),
    )
    for text in made.chain.finder.notes:
        note(f"note: {text}")
    return made


@dataclass(frozen=True, slots=True)
class Photos:
    """What the words of a command line mean: files, and failure records of the other words.

    root: the one folder that was named, whose tree a result may mirror, or None.
    """

    files: list[str]
    missing: list[Record]
    root: Path | None


def listing(paths: Sequence[str]) -> Photos:
    """Return the photos that the words mean; notes (such as stripped marks) go to stderr."""
    from facelign.imaging.listing import photos

    found = photos(paths)
    for text in found.notes:
        note(f"note: {text}")
    if found.skipped:
        note(f"note: {len(found.skipped)} files that are no pictures were skipped")
    root = found.folders[0] if len(paths) == 1 and found.folders else None
    missing = [failed(word, reason) for word, reason in found.missing]
    return Photos([str(file) for file in found.files], missing, root)


def failed(image: str, reason: str) -> Record:
    """Return the record of a photo that could not be used."""
    return {"image": image, "width": None, "height": None, "faces": [], "error": reason}


def policy(face: Face | None, largest: bool, default: str) -> FacePolicy:
    """Return the policy that --face or --largest names, or the default of the command."""
    from facelign.errors import ConfigError
    from facelign.recognition.selection import FacePolicy

    if largest and face is not None and face.value != FacePolicy.LARGEST:
        raise ConfigError(f"--largest and --face {face} contradict each other.", "Use one.")
    return FacePolicy.LARGEST if largest else FacePolicy(face or default)


@dataclass(frozen=True, slots=True)
class EnrollmentJobs:
    """What enroll is to do: (person, photo) in order, and what could not even be tried."""

    photos: list[tuple[str, Photo]]
    failures: list[Enrollment]


def enrollment_jobs(paths: Sequence[str], name: str | None) -> EnrollmentJobs:
    """Return the jobs of a folder of folders, or of photos of one person when ``name`` is given."""
    from facelign.errors import ConfigError
    from facelign.imaging.listing import clean_path, people_folders
    from facelign.recognition.results import Enrollment
    from facelign.types.templates import person_name

    photos: list[tuple[str, Photo]] = []
    failures: list[Enrollment] = []
    if name is not None:
        if not name.strip():
            raise ConfigError("--name is empty.", "Give the person's name.")
        person = person_name(name)
        found = listing(paths)
        photos += [(person, file) for file in found.files]
        failures += [Enrollment(f["image"], person, False, f["error"], True) for f in found.missing]
        return EnrollmentJobs(photos, failures)
    for text in paths:
        root, mark = clean_path(text)
        if mark:
            note(f"note: {mark}")
        if not root.is_dir():
            raise ConfigError(
                f"{root} is no folder of people.",
                "Give a folder that holds one folder a person, or say --name NAME.",
            )
        people = people_folders(root)
        for folder, files in people.people.items():
            try:
                person = person_name(folder)
            except ConfigError as error:  # a name that cannot be kept stops nobody else
                failures += [Enrollment(str(f), folder, False, str(error), True) for f in files]
            else:
                photos += [(person, str(file)) for file in files]
                _several_inside(root / folder, files)
        for file in people.loose:
            reason = "it lies in no person's folder; use --name"
            failures.append(Enrollment(str(file), "", False, reason, True))
        _tell(people)
    return EnrollmentJobs(photos, failures)


def _tell(people: PeopleFolders) -> None:
    """Say what a folder of people holds that is not enrolled."""
    for text in people.notes:
        note(f"note: {text}")
    if people.skipped:
        note(f"note: {len(people.skipped)} files that are no pictures were skipped")
    for person in people.empty:
        note(f"note: the folder of {person} holds no photo")


def _several_inside(folder: Path, files: Sequence[Path]) -> None:
    """Say so when a folder taken for a person's holds several folders and no photo of its own."""
    inside = {file.relative_to(folder).parts[0] for file in files if folder in file.parents}
    if len(inside) > 1 and not any(file.parent == folder for file in files):
        note(
            f"note: {folder.name} holds no photo but {len(inside)} folders, and is taken for one "
            f"person. If its folders are people: facelign people undo, then enroll {folder}"
        )


def one(text: str) -> str:
    """Return the path that a word means, pasted direction marks stripped."""
    from facelign.imaging.listing import clean_path

    path, mark = clean_path(text)
    if mark:
        note(f"note: {mark}")
    return str(path)


def threshold(recognizer: Recognizer, text: str | None, fmr: float | None = None) -> Threshold:
    """Return the threshold that --threshold means: calibrated, a score, a name or a file.

    fmr: at which a calibration decides (default: 1e-3, or what the file was made for).
    """
    from facelign.compare import published, thresholds
    from facelign.errors import ConfigError

    if fmr is not None:
        share("--fmr", fmr)
    if text is None:
        return recognizer.threshold(thresholds.VERIFY_FMR if fmr is None else fmr)
    found = calibration(recognizer, text)
    if found is not None:
        return thresholds.threshold(found, found.target if fmr is None else fmr)
    try:
        score = float(text)
    except ValueError:
        return published.published_threshold(text, recognizer.space)
    if not math.isfinite(score):
        raise ConfigError(f"--threshold {text} is no score.", "Give a number.")
    return thresholds.uncalibrated(score, "given on the command line")


def share(option: str, value: float) -> float:
    """Return the value of an option that is a share: above 0, at most 1."""
    from facelign.errors import ConfigError

    if not 0 < value <= 1:
        raise ConfigError(f"{option} {value:g} is no share.", "Give one above 0 and up to 1.")
    return value


def height(option: str, value: float) -> float:
    """Return the value of an option that is a height of faces, px."""
    from facelign.errors import ConfigError

    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{option} {value:g} is no height.", "Give pixels, 0 or more.")
    return value


def calibration(recognizer: Recognizer, text: str | None) -> Calibration | None:
    """Return the calibration whose file --threshold names, or None where it names something else.

    Raises SpaceMismatch for a record of another space.
    """
    from facelign.compare import calibrations
    from facelign.types.embeddings import same_space

    if text is None or not text.endswith(".json"):
        return None
    found = calibrations.load(one(text))
    same_space(recognizer.space.id, found.space, f"calibration '{text}'")
    return found


def search_threshold(recognizer: Recognizer, text: str | None) -> SearchThreshold | None:
    """Return the threshold that identify is told to use, or None for a calibrated rule.

    A calibration file is such a rule too: its threshold follows the size of the gallery (see
    ``calibration``).
    """
    from facelign.types.decisions import SearchThreshold

    if text is None or text.endswith(".json"):
        return None
    limit = threshold(recognizer, text)
    return SearchThreshold(limit, 0.0, 0, False, "given on the command line")


def naming(
    flags: NamingFlags, recognizer: Recognizer, gallery: Path, policy: FacePolicy | None = None
) -> IdentifyOptions:
    """Return how faces are named by a gallery."""
    from facelign.recognition.options import IdentifyOptions

    return IdentifyOptions(
        fpir=flags.fpir,
        top_k=flags.top_k,
        mode=flags.templates,
        min_height=flags.min_height,
        threshold=search_threshold(recognizer, flags.threshold),
        calibration=calibration(recognizer, flags.threshold),
        policy=policy,
        classifier=classifier(gallery) if flags.classifier else None,
    )


def opened(gallery: Path, recognizer: Recognizer, *, create: bool = False) -> PhotoGallery:
    """Return a gallery with a recognizer, for reading only where it cannot be written."""
    from facelign.files.home import may_write
    from facelign.recognition.photo_gallery import PhotoGallery

    readonly = not create and not may_write(gallery)
    return PhotoGallery(gallery, recognizer, create=create, readonly=readonly)


def classifier(gallery: Path) -> NameClassifier:
    """Return the classifier beside a gallery; raises ConfigError when none was fitted."""
    from facelign.compare.classifiers import NameClassifier
    from facelign.errors import ConfigError
    from facelign.gallery.removal import classifier_path

    path = classifier_path(gallery)
    if not path.is_file():
        raise ConfigError(
            f"{gallery.name} has no classifier.", "Fit one: facelign people classifier"
        )
    return NameClassifier.load(path)


def aligner(*, layout: str, layout_options: Mapping[str, object], **flags: Any) -> Recognizer:
    """Return a recognizer that cuts chips of ``layout``; a landmarker is added where it wants one.

    openface-96 wants three of the 68 points, which no detector gives.
    """
    from facelign import models as models
    from facelign.types.schemes import IBUG_68

    needs = models.default().layout(layout, **layout_options).needs
    if flags.get("landmarks") is None and needs == (IBUG_68.id,):
        flags["landmarks"] = "dlib-68"
    return recognizer(layout=layout, layout_options=layout_options, embeds=False, **flags)
