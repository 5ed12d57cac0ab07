"""``facelign calibrate``: a threshold with the evidence that earns it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from facelign.cli import building
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.output import answer, emit, line, note, progress
from facelign.cli.trials import read_list
from facelign.errors import ConfigError, FacelignError, Remedy
from facelign.files import disk
from facelign.files.home import may_write
from facelign.recognition.options import DEFAULT_LIVENESS
from facelign.types.liveness import NEVER_ALONE
from facelign.types.options import Option, OptionSet, share
from facelign.types.policies import LIVE_APCER, SEARCH_FPIR, VERIFY_FMR, FacePolicy
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags, FaceFlags
from facelign.wire.records import plain

if TYPE_CHECKING:
    from facelign.lab.calibration.figures import CalibrationRequest
    from facelign.lab.calibration.run import CalibrationRun
    from facelign.lab.material.photos import Failure
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report
    from facelign.types.calibrations import Calibration


@dataclass(frozen=True, slots=True)
class CalibrateFlags(OptionSet):
    """What is to be calibrated on, and what for."""

    images: inputs.PeopleFolder = None
    pairs: Annotated[Path | None, Option("Only these pairs (default: all pairs of --images).")] = (
        None
    )
    without: Annotated[
        Path | None,
        Option("Folder of people who are left out, such as those that will be reported on."),
    ] = None
    liveness: Annotated[
        Path | None,
        Option(
            "Calibrate the threshold of liveness on presentations instead: a folder as 'evaluate "
            "pad' takes it.",
            once=True,
        ),
    ] = None
    liveness_model: Annotated[
        str, Option("The liveness model, by id, for --liveness.", names="liveness")
    ] = DEFAULT_LIVENESS
    apcer: Annotated[
        float | None,
        Option(
            "With --liveness: the share of attacks of any species that may pass "
            f"(default: {LIVE_APCER:g}).",
            check=share,
        ),
    ] = None
    gallery: Annotated[
        Path | None,
        Option("Calibrate on the templates of a gallery instead of photos."),
    ] = None
    space: Annotated[str | None, Option("Which space, when the gallery holds several.")] = None
    fmr: Annotated[
        float | None,
        Option(f"The false match rate that is wanted (default: {VERIFY_FMR:g}).", check=share),
    ] = None
    fpir: Annotated[
        float | None,
        Option(
            "Share of strangers that may be named; said with --fmr, the stricter of both holds.",
            check=share,
        ),
    ] = None
    gallery_size: Annotated[
        int | None,
        Option(
            "Templates searched, for --fpir (default: those of the gallery, or the photos).",
            low=1,
        ),
    ] = None
    out: Annotated[
        Path | None, Option("The record, as FILE.json; by default --gallery holds it.")
    ] = None
    replace: Annotated[bool, Option("Replace a record that --out names.")] = False
    set_name: Annotated[
        str | None, Option("Name of the set (default: that of the folder).", word="set")
    ] = None

    def aimed(
        self, about: CalibrationRequest, templates: int, failed: int = 0
    ) -> CalibrationRequest:
        """Return what is wanted of the record. templates: searched, unless a size was given."""
        from facelign.lab.material.trials import set_name

        if self.without is not None:
            about = replace(about, notes={**about.notes, "without": set_name(self.without)})
        size = self.gallery_size or templates
        return about.aimed(self.fmr, self.fpir, templates=size, failed_photos=failed)


@command
def calibrate(
    asked: CalibrateFlags,
    output: JsonFlag,
    reporting: inputs.PageFlags,
    drawing: inputs.DrawFlags,
    caching: inputs.CacheFlags,
    which: Annotated[FaceFlags, only("face")],
    chain: ChainFlags,
) -> int:
    """Make a threshold from photos of people you know, with interval, counts and held-out check.

    Refuses (exit 3, no file) what the data cannot support, and says how many people are missing.
    """
    _check(asked)
    target = _out(asked)
    if asked.liveness is not None:
        if reporting.wanted:
            raise ConfigError(
                "A threshold of liveness has no report of its own.",
                "Write one with: facelign evaluate pad --report FILE",
            )
        return _of_presentations(asked, asked.liveness, target, drawing, chain, json=output.json)
    recognizer: Recognizer | None = None
    lost: tuple[Failure, ...] = ()
    caveats: list[str] = []
    if asked.images is not None:
        recognizer = building.recognizer(chain, cached=not caching.no_cache)
        policy = which.policy(FacePolicy.CENTRAL)
        measured, lost, caveats = _of_photos(
            asked, asked.images, recognizer, policy, drawing, tell=not reporting.no_photos
        )
    else:
        measured = _of_gallery(asked, drawing)
    _keep(measured.record, target, held=asked.out is None)
    if output.json:
        emit(_record(measured, target) | {"caveats": caveats})
    else:
        _say(measured, target)
    for failure in lost[:10]:
        note(f"    {failure.photo}: {failure.reason}")
    if len(lost) > 10:
        note(f"    and {counted(len(lost) - 10, 'more photo')} without a face")
    if reporting.wanted:
        reporting.write(_report(measured, recognizer, target, caveats))
    return Exit.INPUT if lost else Exit.DONE


def _of_presentations(
    asked: CalibrateFlags,
    folder: Path,
    target: Path,
    drawing: inputs.DrawFlags,
    chain: ChainFlags,
    *,
    json: bool,
) -> int:
    """Write a threshold of liveness, as it was earned by presentations."""
    from facelign.cli.evaluate.pad import judge
    from facelign.lab.pad import run as pad_run
    from facelign.liveness import records

    judged, _ = judge(folder, asked.liveness_model, None, chain)
    if asked.set_name is not None:
        judged = replace(judged, name=asked.set_name)
    aim = LIVE_APCER if asked.apcer is None else asked.apcer
    record = pad_run.calibrate(
        judged, aim, date=inputs.today(), draws=drawing.draws, seed=drawing.seed
    )
    with disk.atomic(target) as file:
        file.write(records.to_json(record).encode())
    told = [f"threshold {record.threshold:.4f} of {record.model}: {record.source}"]
    told += [
        f"  {one.species}: {one.wrong} of {one.presentations} wrong, at most {100 * one.high:.1f} %"
        for one in (*record.attacks, record.bona_fide)
    ]
    told += [
        f"  held out: the worst species passes in {100 * record.held_out:.1f} % where other people "
        "chose the threshold",
        f"Written to {target}",
    ]
    told_as = {"out": str(target), "note": NEVER_ALONE, "source": record.source}
    answer(told_as | plain(record), *told, json=json)
    note(f"note: {NEVER_ALONE}")
    for path, reason in list(judged.unread.items())[:10]:
        note(f"    {path}: {reason}")
    return Exit.INPUT if judged.unread else Exit.DONE


def _check(asked: CalibrateFlags) -> None:
    """Raise ConfigError for what cannot be meant."""
    _check_liveness(asked)
    if asked.gallery_size is not None and asked.fpir is None:
        raise ConfigError("--gallery-size belongs to --fpir.", f"Say --fpir {SEARCH_FPIR:g} too.")
    if asked.liveness is None and (asked.images is None) == (asked.gallery is None):
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


def _check_liveness(asked: CalibrateFlags) -> None:
    if asked.liveness is None:
        if asked.apcer is not None:
            raise ConfigError("--apcer belongs to --liveness.", "Say --liveness DIR.")
        return
    beside = ("images", "pairs", "without", "gallery", "space", "fmr", "fpir", "gallery_size")
    said = [f"--{name.replace('_', '-')}" for name in beside if getattr(asked, name) is not None]
    if said:
        raise ConfigError(
            f"--liveness calibrates another threshold, and {', '.join(said)} would change nothing.",
            "Leave it out." if len(said) == 1 else "Leave them out.",
        )
    if asked.apcer == 1:
        raise ConfigError("--apcer 1 lets every attack pass.", "Give a smaller share.")


def _out(asked: CalibrateFlags) -> Path:
    """Return where the record goes; raises ConfigError where it has no name."""
    if asked.out is None and asked.gallery is not None:
        if asked.gallery.exists() and not may_write(asked.gallery):
            raise ConfigError(f"{asked.gallery} may not be written.", "Say --out FILE.json.")
        return asked.gallery
    if asked.out is None or asked.out.suffix != ".json":
        raise ConfigError("The record needs a name.", "Say --out FILE.json.")
    if asked.out.exists() and not asked.replace:
        raise ConfigError(f"{asked.out} is there already.", Remedy.REPLACE_FILE)
    if asked.out.exists() and not _is_record(asked.out):
        raise ConfigError(
            f"{asked.out} is no calibration, and is not replaced.", "Name another file."
        )
    return asked.out


def _is_record(path: Path) -> bool:
    from facelign.compare.calibrations import load
    from facelign.liveness import records

    for reading in (load, records.load):
        try:
            reading(path)
        except FacelignError:
            continue
        return True
    return False


def _keep(record: Calibration, target: Path, *, held: bool) -> None:
    """Write a record to its file, or into the gallery that holds it."""
    from facelign.compare.calibrations import to_json
    from facelign.gallery.gallery import Gallery

    if held:
        with Gallery.open(target, create=False) as gallery:
            gallery.keep_calibration(record)
    else:
        with disk.atomic(target) as file:
            file.write(to_json(record).encode())


def _of_photos(
    asked: CalibrateFlags,
    images: Path,
    recognizer: Recognizer,
    policy: FacePolicy,
    drawing: inputs.DrawFlags,
    *,
    tell: bool,
) -> tuple[CalibrationRun, tuple[Failure, ...], list[str]]:
    from facelign.lab.calibration.figures import CalibrationRequest
    from facelign.lab.calibration.run import record_id, run
    from facelign.lab.material.mixed import mixed
    from facelign.lab.material.photos import embed
    from facelign.lab.material.trials import Trials, set_name

    trials = None
    if asked.pairs is None:
        embedded = inputs.folder(recognizer, images, policy, without=asked.without)
    else:
        pairs = read_list(asked.pairs, images)
        trials = Trials.of_list(pairs, people=pairs.people)
        with progress("embedding", len(trials.photos)) as done:
            embedded = embed(recognizer, trials.photos, policy, done=done)
    walk = recognizer.chain
    name = asked.set_name or set_name(images)
    named = embedded.named
    caveats = mixed(named, tell=tell)
    for text in caveats:  # told also where the data is refused
        note(f"warning: {text}")
    about = CalibrationRequest(
        record_id(walk.preset, name, walk.evidence["preprocessing"]),
        name,
        inputs.today(),
        walk.evidence,
        draws=drawing.draws,
        seed=drawing.seed,
        notes={"face": str(policy)},
    )
    request = asked.aimed(about, len(named.people), len(embedded.failures))
    if trials is None:
        return run(named, request), embedded.failures, caveats
    scored, digest = trials.scored(embedded), trials.digest_of(embedded)
    return run(named, request, pairs=scored, digest=digest), embedded.failures, caveats


def _of_gallery(asked: CalibrateFlags, drawing: inputs.DrawFlags) -> CalibrationRun:
    from facelign.gallery.gallery import Gallery
    from facelign.lab.calibration.figures import CalibrationRequest
    from facelign.lab.calibration.run import run
    from facelign.lab.material.sources import of_gallery

    path = asked.gallery or Path()
    with Gallery.open(path, create=False, readonly=True) as opened:
        named = of_gallery(opened, asked.space)
    if asked.without is not None:
        people = inputs.people_in(asked.without)
        count = len(set(named.people) & set(people))
        named = named.without(people)
        note(f"note: {inputs.left_out(count, asked.without)}")
    templates = len(named.people)
    name = asked.set_name or path.stem
    model, layout, points = (*named.space.id.split("/"), "", "")[:3]
    chain = {"source": "templates of a gallery", "model": model, "layout": layout, "points": points}
    notes = {"gallery": path.name, "gallery_templates": templates}
    about = CalibrationRequest(
        f"gallery-{name}",
        name,
        inputs.today(),
        chain,
        draws=drawing.draws,
        seed=drawing.seed,
        notes=notes,
    )
    return run(named, asked.aimed(about, templates))


def _report(
    measured: CalibrationRun, recognizer: Recognizer | None, target: Path, caveats: list[str]
) -> Report:
    from facelign.lab.calibration.report import report

    record = measured.record
    drawn = f"{record.notes['draws']}, {record.notes['seed']}"
    more = {"set": record.set, "digest of the set": record.digest}
    more |= {"record": target.name, "draws, seed": drawn}
    return report(measured, inputs.provenance(recognizer, more), caveats)


def _record(measured: CalibrationRun, target: Path) -> dict[str, Any]:
    from facelign.lab.plain import told

    record = measured.record
    return {
        "out": str(target),
        **told(record, "id fmr=target"),
        **told(measured.point, "threshold interval tar"),
        **told(record, "mated non_mated subjects photos set digest space date"),
        "fpir": record.notes.get("fpir"),
        "templates": record.notes.get("templates"),
        "held_out": measured.held_out.to_dict(),
    }


def _say(measured: CalibrationRun, target: Path) -> None:
    record = measured.record
    line(
        f"{record.set}: {counted(record.subjects, 'person', 'people')}, "
        f"{counted(record.photos, 'photo')}, "
        f"{record.mated:,} mated and {record.non_mated:,} non-mated comparisons; {record.space}"
    )
    for point in record.points:
        mark = "  <- asked for" if point is measured.point else ""
        line(
            f"  FMR {point.fmr:<8g} at {point.threshold:.4f}  "
            f"({point.interval[0]:.2g} to {point.interval[1]:.2g})  TAR {100 * point.tar:.2f} %"
            f"{mark}"
        )
    for check in measured.held_out.checks:
        where = "inside" if check.inside else "overlapping" if check.compatible else "OUTSIDE"
        line(
            f"  held out: {check.threshold:.4f} from one half of the people; on the other "
            f"{check.subjects:,} FMR {check.observed.value:.2g} "
            f"({check.observed.low:.2g} to {check.observed.high:.2g}), {where} of "
            f"{check.stated[0]:.2g} to {check.stated[1]:.2g}; FNMR {100 * check.fnmr:.2f} %"
        )
    for one in measured.held_out.maps:
        line(
            f"  probabilities, {one.method}: calibration error {one.ece:.4f} "
            f"({one.reliability.kind}, even odds, people not seen), Cllr {one.cllr:.4f} bits"
        )
    for text in (*measured.held_out.notes, *_reach(record)):
        note(f"note: {text}")
    line(f"Written to {target}")


def _reach(record: Calibration) -> list[str]:
    """Return what is due where a gallery's own record ends before the gallery's size.

    It takes the place of the record that ships with facelign, whose evidence may reach further.
    """
    from facelign.compare import thresholds
    from facelign.compare.calibrations import shipped

    templates = record.notes.get("gallery_templates")
    if templates is None:
        return []
    fpir = record.notes.get("fpir", SEARCH_FPIR)
    limit = thresholds.search_threshold(record, templates, fpir)
    if not limit.limited:
        return []
    other = shipped(record.space)
    further = other is not None and other.non_mated > record.non_mated
    known = (
        "The record that ships with facelign reaches further; this one takes its place while the "
        "gallery holds it (facelign gallery calibration --forget drops it)."
    )
    return [limit.note, known] if further else [limit.note]
