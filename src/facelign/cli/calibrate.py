"""``facelign calibrate``: a threshold with the evidence that earns it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.lab.calibration.run import Calibrated
    from facelign.lab.material.named import Named
    from facelign.lab.material.sources import Material
    from facelign.lab.verification.figures import Failure
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report
    from facelign.types.calibrations import Calibration

PairsFile = Annotated[
    Path | None,
    typer.Option("--pairs", help="Only these pairs (default: all pairs of --images)."),
]
GalleryFile = Annotated[
    Path | None,
    typer.Option("--gallery", help="Calibrate on the templates of a gallery instead of photos."),
]
Space = Annotated[
    str | None, typer.Option("--space", help="Which space, when the gallery holds several.")
]
Without = Annotated[
    Path | None,
    typer.Option(
        "--without",
        help="Folder of people who are left out, such as those that will be reported on.",
    ),
]
Fmr = Annotated[
    float | None,
    typer.Option("--fmr", help="The false match rate that is wanted (default: 0.001)."),
]
Fpir = Annotated[
    float | None,
    typer.Option(
        "--fpir",
        help="Share of strangers that may be named; said with --fmr, the stricter of both holds.",
    ),
]
GallerySize = Annotated[
    int | None,
    typer.Option(
        "--gallery-size",
        min=1,
        help="Templates searched, for --fpir (default: those of the gallery, or the photos).",
    ),
]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", help="The record; for --gallery by default beside the gallery."),
]
SetName = Annotated[
    str | None, typer.Option("--set", help="Name of the set (default: that of the folder).")
]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be calibrated on, and how."""

    images: Path | None
    pairs: Path | None
    without: Path | None
    gallery: Path | None
    space: str | None
    set_name: str | None
    fmr: float | None
    fpir: float | None
    size: int | None
    draws: int
    seed: int

    def spread(self, templates: int) -> dict[str, Any]:
        """Return target, draws and seed. templates: searched, unless a size was given."""
        return {"target": self._target(templates), "draws": self.draws, "seed": self.seed}

    def left_out(self) -> dict[str, Any]:
        """Return the set whose people are not in the record, if such were left out."""
        from facelign.lab.material.sources import set_name

        return {} if self.without is None else {"without": set_name(self.without)}

    def search(self, templates: int) -> dict[str, Any]:
        """Return what the record says about the search that it is meant for, if about any."""
        if self.fpir is None:
            return {}
        return {"fpir": self.fpir, "templates": self.size or max(templates, 1)}

    def _target(self, templates: int) -> float:
        if self.fpir is None:
            return 1e-3 if self.fmr is None else self.fmr
        return min(self.fpir / (self.size or max(templates, 1)), self.fmr or 1.0)


def calibrate(
    images: inputs.Images = None,
    pairs: PairsFile = None,
    without: Without = None,
    gallery: GalleryFile = None,
    space: Space = None,
    fmr: Fmr = None,
    fpir: Fpir = None,
    gallery_size: GallerySize = None,
    out: OutFile = None,
    set_name: SetName = None,
    json: options.Json = False,
    report: inputs.ReportFile = None,
    no_photos: inputs.NoPhotos = False,
    figures: inputs.Figures = None,
    csv: inputs.Csv = None,
    draws: inputs.Draws = 1000,
    seed: inputs.Seed = 20211,
    no_cache: inputs.NoCache = False,
    face: options.FaceChoice = None,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    landmarks: options.LandmarksModel = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
    flip: options.Flip = None,
    preprocess: options.Preprocess = "",
    downscale: options.Downscale = 1.0,
    padded: options.Padded = True,
    rotate: options.Rotate = True,
    workers: options.Workers = None,
) -> int:
    """Make a threshold from photos of people you know, with interval, counts and held-out check.

    Refuses (exit 1, no file) what the data cannot support, and says how many people are missing.
    """
    asked = _Asked(
        images, pairs, without, gallery, space, set_name, fmr, fpir, gallery_size, draws, seed
    )
    _check(asked)
    target = _out(asked, out)
    made: Recognizer | None = None
    lost: tuple[Failure, ...] = ()
    if images is not None:
        made = inputs.recognizer(
            no_cache=no_cache,
            preset=preset,
            detector=detector,
            landmarks=landmarks,
            model=model,
            layout=layout,
            flip=flip,
            preprocess=preprocess,
            downscale=downscale,
            padded=padded,
            rotate=rotate,
            workers=workers,
        )
        found, lost = _of_photos(asked, made, face)
    else:
        found = _of_gallery(asked)
    _finish(found, made, target, lost, json)
    if report or figures or csv:
        built = _report(found, made, target)
        inputs.write(built, report, figures, csv, photos=not no_photos)
    return Exit.INPUT if lost else Exit.DONE


def _check(asked: _Asked) -> None:
    """Raise ConfigError for what cannot be meant."""
    from facelign.cli import building
    from facelign.errors import ConfigError

    for option, value in (("--fmr", asked.fmr), ("--fpir", asked.fpir)):
        if value is not None:
            building.share(option, value)
    if asked.size is not None and asked.fpir is None:
        raise ConfigError("--gallery-size belongs to --fpir.", "Say --fpir 0.01 too.")
    if (asked.images is None) == (asked.gallery is None):
        raise ConfigError("One of --images and --gallery is wanted.", "Say --images DIR.")
    if asked.pairs is not None and asked.images is None:
        raise ConfigError("--pairs belongs to --images.", "Say --images DIR --pairs FILE.")
    if asked.pairs is not None and asked.without is not None:
        raise ConfigError(
            "--without leaves people out of all pairs, and --pairs lists them.", "Say one of both."
        )
    if asked.space is not None and asked.gallery is None:
        raise ConfigError("--space belongs to --gallery.", "Leave it out: the flags say the space.")
    if asked.set_name is not None and not asked.set_name.strip():
        raise ConfigError("--set is empty.", "Give the name of the set, or leave --set out.")


def _out(asked: _Asked, out: Path | None) -> Path:
    """Return where the record goes; raises ConfigError where it has no name."""
    from facelign.errors import ConfigError
    from facelign.recognition.photo_gallery import calibration_path

    if out is None and asked.gallery is not None:
        return calibration_path(asked.gallery)
    if out is None or out.suffix != ".json":
        raise ConfigError("The record needs a name.", "Say --out FILE.json.")
    return out


def _of_photos(
    asked: _Asked, recognizer: Recognizer, face: options.Face | None
) -> tuple[Calibrated, tuple[Failure, ...]]:
    from facelign.cli import building
    from facelign.cli.output import progress
    from facelign.datasets.lfw import read_pairs
    from facelign.datasets.pairs_csv import read_pairs_csv
    from facelign.lab.calibration import run as calibrated
    from facelign.lab.material import sources

    images = asked.images or Path()
    policy = building.policy(face, False, "central")
    name = asked.set_name or sources.set_name(images)
    chain = recognizer.chain
    record_id = calibrated.record_id(chain.preset, name, chain.evidence["preprocessing"])

    def about(failures: tuple[Failure, ...], templates: int) -> Any:
        more = {"face": str(policy)} | asked.left_out() | asked.search(templates)
        return _about(record_id, chain.evidence, name, more, failures)

    if asked.pairs is None:
        embedded = inputs.folder(recognizer, images, policy, without=asked.without)
        failures, templates = embedded.failures, len(embedded.named.people)
        return (
            calibrated.of_people(
                embedded.named, about(failures, templates), **asked.spread(templates)
            ),
            failures,
        )
    reader = read_pairs_csv if asked.pairs.suffix.lower() == ".csv" else read_pairs
    listed = reader(asked.pairs, images)
    with progress("embedding", len(listed.photos)) as done:
        material: Material = sources.of_list(recognizer, listed, policy, done=done, name=name)
    failures, templates = material.embedded.failures, len(material.named.people)
    found = calibrated.of_pairs(
        material.pairs,
        material.named,
        about(failures, templates),
        digest=material.digest,
        **asked.spread(templates),
    )
    return found, failures


def _of_gallery(asked: _Asked) -> Calibrated:
    from facelign.cli.output import note
    from facelign.gallery.gallery import Gallery
    from facelign.lab.calibration import run as calibrated
    from facelign.lab.material import sources

    path = asked.gallery or Path()
    with Gallery.open(path, create=False, readonly=True) as opened:
        named: Named = sources.of_gallery(opened, asked.space)
    if asked.without is not None:
        people = inputs.people_in(asked.without)
        count = len(set(named.people) & set(people))
        named = named.without(people)
        note(f"note: {count:,} people who are in {asked.without} too were left out")
    templates = len(named.people)
    name = asked.set_name or path.stem
    model, layout, points = (*named.space.id.split("/"), "", "")[:3]
    chain = {"source": "templates of a gallery", "model": model, "layout": layout, "points": points}
    more = {"gallery": path.name, "gallery_templates": templates}
    more |= asked.left_out() | asked.search(templates)
    about = _about(f"gallery-{name}", chain, name, more, ())
    return calibrated.of_people(named, about, **asked.spread(templates))


def _about(
    record_id: str, chain: Any, name: str, more: dict[str, Any], failures: tuple[Failure, ...]
) -> Any:
    import datetime

    from facelign.lab.calibration.run import Subject

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Subject(record_id, chain, name, today, {**more, "failed_photos": len(failures)})


def _finish(
    found: Calibrated,
    recognizer: Recognizer | None,
    target: Path,
    failures: tuple[Failure, ...],
    json: bool,
) -> None:
    """Write the record and the report, and say what they hold."""
    from facelign.cli.output import emit, note
    from facelign.compare.calibrations import to_json
    from facelign.files import disk

    record = found.record
    target.parent.mkdir(parents=True, exist_ok=True)
    disk.write(target, to_json(record).encode())
    if json:
        emit(_record(found, target))
    else:
        _say(found, target)
    for failure in failures[:10]:
        note(f"    {failure.photo}: {failure.reason}")
    if len(failures) > 10:
        note(f"    and {len(failures) - 10:,} more photos without a face")


def _report(found: Calibrated, recognizer: Recognizer | None, target: Path) -> Report:
    from facelign.lab.calibration import report as reports

    record = found.record
    more = {
        "set": record.set,
        "digest of the set": record.digest,
        "record": target.name,
        "draws, seed": f"{record.notes['draws']}, {record.notes['seed']}",
    }
    return reports.build(found, inputs.provenance(recognizer, more))


def _record(found: Calibrated, target: Path) -> dict[str, Any]:
    record = found.record
    point = next(p for p in record.points if abs(p.fmr / record.target - 1) < 1e-9)
    return {
        "out": str(target),
        "id": record.id,
        "fmr": record.target,
        "threshold": point.threshold,
        "interval": list(point.interval),
        "tar": point.tar,
        "mated": record.mated,
        "non_mated": record.non_mated,
        "subjects": record.subjects,
        "photos": record.photos,
        "set": record.set,
        "digest": record.digest,
        "space": record.space,
        "date": record.date,
        "fpir": record.notes.get("fpir"),
        "templates": record.notes.get("templates"),
        "held_out": found.held_out.to_dict(),
    }


def _say(found: Calibrated, target: Path) -> None:
    from facelign.cli.output import line, note

    record = found.record
    line(
        f"{record.set}: {record.subjects:,} people, {record.photos:,} photos, "
        f"{record.mated:,} mated and {record.non_mated:,} non-mated comparisons; {record.space}"
    )
    for point in record.points:
        mark = "  <- asked for" if abs(point.fmr / record.target - 1) < 1e-9 else ""
        line(
            f"  FMR {point.fmr:<8g} at {point.threshold:.4f}  "
            f"({point.interval[0]:.2g} to {point.interval[1]:.2g})  TAR {100 * point.tar:.2f} %"
            f"{mark}"
        )
    for check in found.held_out.checks:
        said = "inside" if check.inside else "overlapping" if check.compatible else "OUTSIDE"
        line(
            f"  held out: {check.threshold:.4f} from one half of the people; on the other "
            f"{check.subjects:,} FMR {check.observed.value:.2g} "
            f"({check.observed.low:.2g} to {check.observed.high:.2g}), {said} of "
            f"{check.stated[0]:.2g} to {check.stated[1]:.2g}; FNMR {100 * check.fnmr:.2f} %"
        )
    for one in found.held_out.maps:
        line(
            f"  probabilities, {one.method}: calibration error {one.ece:.4f} "
            f"({one.reliability.kind}, even odds, people not seen), Cllr {one.cllr:.4f} bits"
        )
    for text in (*found.held_out.notes, *_reach(record)):
        note(f"note: {text}")
    line(f"Written to {target}")


def _reach(record: Calibration) -> list[str]:
    """Return what is due where a record beside a gallery ends before the gallery's size.

    It takes the place of the record that ships with facelign, whose evidence may reach further.
    """
    from facelign.compare import thresholds
    from facelign.compare.calibrations import shipped

    templates = record.notes.get("gallery_templates")
    if templates is None:
        return []
    fpir = record.notes.get("fpir", thresholds.SEARCH_FPIR)
    limit = thresholds.search_threshold(record, templates, fpir)
    if not limit.limited:
        return []
    other = shipped(record.space)
    further = other is not None and other.non_mated > record.non_mated
    return [
        limit.note,
        *(
            [
                "The record that ships with facelign reaches further; this one takes its place "
                "while it lies beside the gallery."
            ]
            if further
            else []
        ),
    ]
