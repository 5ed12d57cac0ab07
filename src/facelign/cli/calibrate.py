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
    from facelign.evaluate.calibrated import Calibrated
    from facelign.evaluate.named import Named
    from facelign.evaluate.sources import Material
    from facelign.evaluate.verification import Failure
    from facelign.pipeline.recognizer import Recognizer

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
Fmr = Annotated[float, typer.Option("--fmr", help="The false match rate that is wanted.")]
Fpir = Annotated[
    float | None,
    typer.Option("--fpir", help="Instead of --fmr: share of strangers that may be named."),
]
GallerySize = Annotated[
    int | None, typer.Option("--gallery-size", min=1, help="Templates searched, for --fpir.")
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
    gallery: Path | None
    space: str | None
    set_name: str | None
    target: float
    draws: int
    seed: int


def calibrate(
    images: inputs.Images = None,
    pairs: PairsFile = None,
    gallery: GalleryFile = None,
    space: Space = None,
    fmr: Fmr = 1e-3,
    fpir: Fpir = None,
    gallery_size: GallerySize = None,
    out: OutFile = None,
    set_name: SetName = None,
    json: options.Json = False,
    report: inputs.ReportFile = None,
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
        images, pairs, gallery, space, set_name, _target(fmr, fpir, gallery_size), draws, seed
    )
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
    _finish(found, made, target, report, lost, json)
    return Exit.INPUT if lost else Exit.DONE


def _target(fmr: float, fpir: float | None, size: int | None) -> float:
    """Return the FMR that is wanted; raises ConfigError for what cannot be meant."""
    from facelign.errors import ConfigError

    if (fpir is None) != (size is None):
        raise ConfigError("--fpir and --gallery-size belong together.", "Give both.")
    wanted = fmr if fpir is None or size is None else fpir / size
    if not 0 < wanted <= 1:
        raise ConfigError(f"{wanted:g} is no rate.", "Give a share above 0 and up to 1.")
    return wanted


def _out(asked: _Asked, out: Path | None) -> Path:
    """Return where the record goes; raises ConfigError unless the flags name one source."""
    from facelign.errors import ConfigError
    from facelign.pipeline.photo_gallery import calibration_path

    if (asked.images is None) == (asked.gallery is None):
        raise ConfigError("One of --images and --gallery is wanted.", "Say --images DIR.")
    if asked.pairs is not None and asked.images is None:
        raise ConfigError("--pairs belongs to --images.", "Say --images DIR --pairs FILE.")
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
    from facelign.evaluate import calibrated, sources

    images = asked.images or Path()
    policy = building.policy(face, False, "central")
    name = asked.set_name or sources.set_name(images)
    more: dict[str, Any] = {"face": str(policy)}
    record_id = f"{recognizer.chain.evidence['preset']}-{name.replace('_', '-')}"
    spread: dict[str, Any] = {"target": asked.target, "draws": asked.draws, "seed": asked.seed}
    if asked.pairs is None:
        embedded = inputs.folder(recognizer, images, policy)
        about = _about(record_id, recognizer.chain.evidence, name, more, embedded.failures)
        return calibrated.of_people(embedded.named, about, **spread), embedded.failures
    reader = read_pairs_csv if asked.pairs.suffix.lower() == ".csv" else read_pairs
    listed = reader(asked.pairs, images)
    with progress("embedding", len(listed.photos)) as done:
        material: Material = sources.of_list(recognizer, listed, policy, done=done, name=name)
    failures = material.embedded.failures
    about = _about(record_id, recognizer.chain.evidence, name, more, failures)
    found = calibrated.of_pairs(
        material.pairs, material.named, about, digest=material.digest, **spread
    )
    return found, failures


def _of_gallery(asked: _Asked) -> Calibrated:
    from facelign.evaluate import calibrated, sources
    from facelign.gallery.gallery import Gallery

    path = asked.gallery or Path()
    with Gallery.open(path, create=False, readonly=True) as opened:
        named: Named = sources.of_gallery(opened, asked.space)
    name = asked.set_name or path.stem
    model, layout, points = (*named.space.id.split("/"), "", "")[:3]
    chain = {"source": "templates of a gallery", "model": model, "layout": layout, "points": points}
    about = _about(f"gallery-{name}", chain, name, {"gallery": path.name}, ())
    return calibrated.of_people(
        named, about, target=asked.target, draws=asked.draws, seed=asked.seed
    )


def _about(
    record_id: str, chain: Any, name: str, more: dict[str, Any], failures: tuple[Failure, ...]
) -> Any:
    import datetime

    from facelign.evaluate.calibrated import Subject

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Subject(record_id, chain, name, today, {**more, "failed_photos": len(failures)})


def _finish(
    found: Calibrated,
    recognizer: Recognizer | None,
    target: Path,
    page: Path | None,
    failures: tuple[Failure, ...],
    json: bool,
) -> None:
    """Write the record and the report, and say what they hold."""
    from facelign.cli.output import emit, note
    from facelign.compare.calibrations import to_json
    from facelign.imaging.write import write_bytes

    record = found.record
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, to_json(record).encode())
    if page is not None:
        from facelign.report import calibration as reports

        more = {
            "set": record.set,
            "digest of the set": record.digest,
            "record": target.name,
            "draws, seed": f"{record.notes['draws']}, {record.notes['seed']}",
        }
        built = reports.build(found, inputs.provenance(recognizer, more))
        inputs.write(built, page, None, None, photos=False)
    if json:
        emit(_record(found, target))
    else:
        _say(found, target)
    for failure in failures[:10]:
        note(f"    {failure.photo}: {failure.reason}")
    if len(failures) > 10:
        note(f"    and {len(failures) - 10:,} more photos without a face")


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
    for text in found.held_out.notes:
        note(f"note: {text}")
    line(f"Written to {target}")
