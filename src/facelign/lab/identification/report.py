"""The report of an identification run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.lab.identification.run import IdentificationRun
from facelign.lab.material.drawing import WALL, bounds, face_maps, photo_tiles, spreads
from facelign.lab.material.photos import Embedded
from facelign.lab.material.projection import Method
from facelign.lab.material.thumbnails import Thumbnails
from facelign.lab.statistics.rates import percent
from facelign.lab.statistics.resampling import Interval
from facelign.report.page import Fact, Report, Section, Table, Tile, Wall
from facelign.report.plot import Series
from facelign.report.plots import cmc, det, gallery_size


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What goes into a report. embedded: the photos, where pictures of them are wanted."""

    embedded: Embedded | None = None
    caveats: Sequence[str] = ()
    methods: Sequence[Method] = (Method.TSNE,)


def report(
    searched: IdentificationRun, provenance: Mapping[str, str], options: PageOptions
) -> Report:
    """Return the report of a run."""
    thumbnails = Thumbnails(options.embedded) if options.embedded is not None else None
    sections = [
        _closed(searched),
        _open(searched),
        _sizes(searched),
        _heights(searched),
        _classifiers(searched),
        _suspects(searched, thumbnails, options.embedded),
        _maps(searched, thumbnails, options.methods),
        _failures(searched, options.embedded is not None),
    ]
    result = searched.result
    return Report(
        title=f"Identification on {searched.name}",
        verdict=_verdict(searched),
        headline=_headline(searched),
        sections=[section for section in sections if section is not None],
        provenance=provenance,
        scope=(
            f"{result.gallery_subjects:,} people enrolled, {result.probes:,} photos searched; "
            f"{searched.named.space.id}"
        ),
        caveats=options.caveats,
    )


def _verdict(searched: IdentificationRun) -> str:
    result = searched.result
    said = (
        f"{percent(result.rank1.value)} of {result.probes:,} photos of enrolled people find their "
        "own person first."
    )
    if result.open.fpir and result.open.fnir:
        said += (
            f" Of strangers {percent(result.open.fpir.value)} get a name; of enrolled people "
            f"{percent(result.open.fnir.value)} do not get theirs."
        )
    return said


def _headline(searched: IdentificationRun) -> list[Fact]:
    result, found = searched.result, searched.result.open
    facts = [Fact("Rank 1", percent(result.rank1.value), _exact(result.rank1), "closed set")]
    target = "" if searched.limits.fpir is None else f"asked for: {searched.limits.fpir:g}"
    for name, rate, note in (
        ("Strangers named (FPIR)", found.fpir, target),
        ("Enrolled people missed (FNIR)", found.fnir, f"{found.templates:,} templates"),
        ("Wrong names", found.misnamed, "of searches of enrolled people"),
    ):
        if rate is not None:
            facts.append(Fact(name, percent(rate.value), _exact(rate), note))
    return facts


def _exact(found: Interval | None) -> str:
    return bounds(found).replace(", over people", ", exact")


def _share(found: Interval | None) -> str:
    return "" if found is None else percent(found.value)


def _closed(searched: IdentificationRun) -> Section:
    result = searched.result
    ranks = np.arange(1, len(result.cmc) + 1, dtype=np.float64)
    line = Series(f"templates: {searched.mode}", ranks, np.array(result.cmc))
    names = ("rank1", "fpir", "fnir")
    rows = [
        (mode, *(percent(rates[name]) if name in rates else "" for name in names))
        for mode, rates in result.modes.items()
    ]
    table = Table(
        "What a person's photos become",
        ("templates", "rank 1", "FPIR", "FNIR"),
        rows,
        "each: every photo is a template; mean: one mean a person; robust: one geometric median.",
    )
    said = (
        "Every second photo of a person is enrolled, the others are searched; the person is "
        "always there."
    )
    return Section("Closed set: who of these is it?", [said], [cmc.draw([line])], [table])


def _open(searched: IdentificationRun) -> Section:
    result = searched.result
    found = result.open
    said = [
        f"People are strangers in turn, a fifth at a time. Threshold: {searched.limits.source}; "
        f"{found.threshold:.4f} on average, over galleries of about {found.templates:,} templates.",
        *(f"Note: {note}" for note in (*result.notes, *searched.notes)),
    ]
    figures = []
    curve = searched.curve
    if curve is not None and ((curve.fpir > 0) & (curve.fnir > 0)).any():
        who = f"{searched.curve_people:,} people, one photo each"
        axes = {"x": "Strangers named (FPIR)", "y": "Enrolled people missed (FNIR)"}
        line = Series(who, curve.fpir, curve.fnir)
        figures.append(det.draw([line], **axes, title="DET of searches"))
    counts = (
        ("strangers named (FPIR)", found.strangers_named, found.strangers, found.fpir),
        ("enrolled people missed (FNIR)", found.enrolled_missed, found.enrolled, found.fnir),
        ("wrong names", found.enrolled_misnamed, found.enrolled, found.misnamed),
    )
    rows = [(name, few, of, percent(rate.value), _exact(rate)) for name, few, of, rate in counts
            if rate is not None]  # fmt: skip
    table = Table("Errors of the searches", ("what", "searches", "of", "share", "95 %"), rows)
    tables = [table] if rows else []
    return Section("Open set: is it anybody of these at all?", said, figures, tables)


def _sizes(searched: IdentificationRun) -> Section | None:
    if not searched.sizes:
        return None
    people = np.array([at.people for at in searched.sizes], np.float64)
    lines = [
        Series(label, people, np.array([rate.value for rate in rates]))
        for label, rates in (
            ("FPIR, threshold follows the size", [at.fpir for at in searched.sizes]),
            ("FPIR, threshold of one comparison", [at.fpir for at in searched.sizes_fixed]),
            ("FNIR, threshold follows the size", [at.fnir for at in searched.sizes]),
        )
    ]
    rows = [
        (
            at.people,
            f"{at.threshold:.4f}",
            _spread(at.fpir),
            _spread(at.fnir),
            percent(at.misnamed.value),
            _spread(fixed.fpir),
            at.strangers,
        )
        for at, fixed in zip(searched.sizes, searched.sizes_fixed, strict=True)
    ]
    table = Table(
        "By size of the gallery",
        (
            *("people", "threshold", "FPIR", "FNIR"),
            *("wrong names", "FPIR, fixed threshold", "strangers"),
        ),
        rows,
        f"Mean of {searched.sizes[0].draws} draws (smallest to largest); one photo a person.",
    )
    return Section(
        "Size of the gallery",
        ["A threshold for one comparison is no threshold for a search."],
        [gallery_size.draw(lines, target=searched.limits.fpir)],
        [table],
    )


def _spread(found: Interval) -> str:
    return f"{percent(found.value)} ({100 * found.low:.2f} to {100 * found.high:.2f})"


def _heights(searched: IdentificationRun) -> Section | None:
    if not searched.heights:
        return None
    rows = [
        (
            band.height,
            *(band.strangers, _share(band.fpir), _exact(band.fpir)),
            *(band.enrolled, _share(band.fnir), _exact(band.fnir)),
        )
        for band in searched.heights
    ]
    drawn = spreads(
        {band.height: band.fpir for band in searched.heights},
        axis="Strangers named (FPIR)",
        target=searched.limits.fpir,
    )
    table = Table(
        "By height of the face",
        ("height", "strangers", "FPIR", "95 %", "enrolled", "FNIR", "95 %"),
        rows,
    )
    return Section("Height of the face", figures=[drawn] if drawn else [], tables=[table])


def _classifiers(searched: IdentificationRun) -> Section:
    rows = [
        (
            str(found.classifier),
            percent(found.right.value),
            percent(found.checked.value),
            _share(found.named_strangers_checked),
        )
        for found in searched.result.classifiers
    ]
    table = Table(
        "Classifiers",
        (
            *("classifier", "right", "right and above the threshold"),
            "strangers named above the threshold",
        ),
        rows,
        "A classifier always names somebody: without a threshold every stranger gets a name.",
    )
    return Section("Classifiers, checked against the threshold", tables=[table])


def _suspects(
    searched: IdentificationRun, thumbnails: Thumbnails | None, embedded: Embedded | None
) -> Section | None:
    if not searched.suspects:
        return None
    names = {}
    if embedded is not None:
        names = {row: embedded.photos[n].path.name for row, n in embedded.photo_of.items()}
    rows, tiles = [], []
    for suspect in searched.suspects[:WALL]:
        name = names.get(suspect.index, str(suspect.index))
        rows.append((name, suspect.person, f"{suspect.best_score:.4f}"))
        face = thumbnails.of_vector(suspect.index) if thumbnails else None
        tiles.append(Tile([face] if face else [], f"{suspect.person}: {suspect.best_score:.3f}"))
    note = "Photos that agree with none of the same person at the threshold of one comparison."
    table = Table("Likely mislabels", ("photo", "person", "best score"), rows, note)
    walls = [Wall("The photos", tiles)] if thumbnails else []
    return Section("Likely mislabels", tables=[table], walls=walls)


def _maps(
    searched: IdentificationRun, thumbnails: Thumbnails | None, methods: Sequence[Method]
) -> Section | None:
    if len(searched.named.people) < 5:
        return None
    maps = face_maps(searched.named, methods, searched.seed, thumbnails)
    return Section("Faces in the plane", maps=maps)


def _failures(searched: IdentificationRun, photos: bool) -> Section | None:
    if not searched.failures:
        return None
    rows = [(failure.photo, failure.reason) for failure in searched.failures]
    walls = [Wall("The photos", photo_tiles(searched.failures))] if photos else []
    table = Table("Photos without a face", ("photo", "why"), rows)
    return Section("Failures", tables=[table], walls=walls)
