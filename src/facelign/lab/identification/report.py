"""The report of an identification run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.lab.identification.galleries import AtSize
from facelign.lab.identification.run import IdentificationRun
from facelign.lab.material.photos import Embedded
from facelign.lab.material.projection import Method, project
from facelign.lab.material.thumbnails import SMALL, Thumbnails, whole
from facelign.lab.statistics.resampling import Interval
from facelign.lab.verification.report import WALL, bounds, percent
from facelign.report.page import FaceMap, Fact, Report, Section, Table, Thumbnail, Tile, Wall
from facelign.report.plot import Series
from facelign.report.plots import cmc, det, gallery_size, intervals


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
        _maps(searched, thumbnails, options),
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


def _exact(found: Interval) -> str:
    return bounds(found).replace(", over people", ", exact")


def _closed(searched: IdentificationRun) -> Section:
    result = searched.result
    ranks = np.arange(1, len(result.cmc) + 1, dtype=np.float64)
    line = Series(f"templates: {searched.mode}", ranks, np.array(result.cmc))
    rows = [
        (
            mode,
            percent(rates["rank1"]),
            percent(rates["fpir"]) if "fpir" in rates else "",
            percent(rates["fnir"]) if "fnir" in rates else "",
        )
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
    if searched.curve is not None:
        curve = searched.curve
        if ((curve.fpir > 0) & (curve.fnir > 0)).any():
            line = Series(
                f"{searched.curve_people:,} people, one photo each", curve.fpir, curve.fnir
            )
            figures.append(
                det.draw(
                    [line],
                    x="Strangers named (FPIR)",
                    y="Enrolled people missed (FNIR)",
                    title="DET of searches",
                )
            )
    return Section("Open set: is it anybody of these at all?", said, figures)


def _sizes(searched: IdentificationRun) -> Section | None:
    if not searched.sizes:
        return None

    def series(label: str, found: Sequence[AtSize], which: str) -> Series:
        rates = [getattr(at, which) for at in found]
        return Series(
            label,
            np.array([at.people for at in found], np.float64),
            np.array([rate.value for rate in rates]),
        )

    lines = [
        series("FPIR, threshold follows the size", searched.sizes, "fpir"),
        series("FPIR, threshold of one comparison", searched.sizes_fixed, "fpir"),
        series("FNIR, threshold follows the size", searched.sizes, "fnir"),
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
            "people",
            "threshold",
            "FPIR",
            "FNIR",
            "wrong names",
            "FPIR, fixed threshold",
            "strangers",
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
            band.strangers,
            percent(band.fpir.value) if band.fpir else "",
            _exact(band.fpir) if band.fpir else "",
            band.enrolled,
            percent(band.fnir.value) if band.fnir else "",
            _exact(band.fnir) if band.fnir else "",
        )
        for band in searched.heights
    ]
    held = [band for band in searched.heights if band.fpir is not None]
    values = np.array([[b.fpir.value, b.fpir.low, b.fpir.high] for b in held if b.fpir])
    figures = []
    if len(held):
        names = [band.height for band in held]
        figures.append(
            intervals.draw(
                names,
                values[:, 0],
                values[:, 1],
                values[:, 2],
                axis="Strangers named (FPIR)",
                target=searched.limits.fpir,
            )
        )
    table = Table(
        "By height of the face",
        ("height", "strangers", "FPIR", "95 %", "enrolled", "FNIR", "95 %"),
        rows,
    )
    return Section("Height of the face", figures=figures, tables=[table])


def _classifiers(searched: IdentificationRun) -> Section:
    rows = [
        (
            str(found.classifier),
            percent(found.right.value),
            percent(found.checked.value),
            percent(found.named_strangers_checked.value) if found.named_strangers_checked else "",
        )
        for found in searched.result.classifiers
    ]
    table = Table(
        "Classifiers",
        (
            "classifier",
            "right",
            "right and above the threshold",
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
    photos = _places(embedded)
    rows, tiles = [], []
    for suspect in searched.suspects[:WALL]:
        place = photos.get(suspect.index)
        name = str(suspect.index) if embedded is None or place is None else (
            embedded.photos[place].path.name
        )  # fmt: skip
        rows.append((name, suspect.person, f"{suspect.best_score:.4f}"))
        face = thumbnails.face(place) if thumbnails and place is not None else None
        tiles.append(Tile([face] if face else [], f"{suspect.person}: {suspect.best_score:.3f}"))
    note = "Photos that agree with none of the same person at the threshold of one comparison."
    table = Table("Likely mislabels", ("photo", "person", "best score"), rows, note)
    walls = [Wall("The photos", tiles)] if thumbnails else []
    return Section("Likely mislabels", tables=[table], walls=walls)


def _maps(
    searched: IdentificationRun, thumbnails: Thumbnails | None, options: PageOptions
) -> Section | None:
    if len(searched.named.people) < 5:
        return None
    photos_of = _places(options.embedded)
    maps = []
    for method in options.methods:
        found = project(searched.named, method=method, seed=searched.seed)
        photos: Sequence[Thumbnail | None] = ()
        if thumbnails is not None:
            photos = [
                thumbnails.face(photos_of[int(row)], SMALL) if int(row) in photos_of else None
                for row in found.rows
            ]
        maps.append(
            FaceMap(
                f"{method} of the people with most photos",
                found.points,
                [searched.named.people[int(row)] for row in found.rows],
                photos,
                f"{method}, seed {found.seed}.",
            )
        )
    return Section("Faces in the plane", maps=maps)


def _places(embedded: Embedded | None) -> dict[int, int]:
    """Return the photo of each vector."""
    if embedded is None:
        return {}
    return {int(row): place for place, row in enumerate(embedded.rows) if row >= 0}


def _failures(searched: IdentificationRun, photos: bool) -> Section | None:
    if not searched.failures:
        return None
    rows = [(failure.photo, failure.reason) for failure in searched.failures]
    walls = []
    if photos:
        shown = [(whole(f.photo), f.reason) for f in searched.failures[:WALL]]
        walls.append(Wall("The photos", [Tile([p] if p else [], text) for p, text in shown]))
    table = Table("Photos without a face", ("photo", "why"), rows)
    return Section("Failures", tables=[table], walls=walls)
