"""The check of the data before the first step, in plain words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from facelign.datasets.records import Photo
from facelign.errors import FacelignError, WeightsMissing
from facelign.files.home import cache_path
from facelign.gallery.cache import VectorCache
from facelign.geometry.transforms import apply
from facelign.imaging.read import read
from facelign.lab.material.photos import embed, embed_pictures
from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.recognition.finding import Finder
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import choose
from facelign.train.recognizer.people import People, PeopleSplit, plain_name
from facelign.train.task import DataFinding
from facelign.types.arrays import Float32Array, Float64Array, IntArray
from facelign.types.policies import FacePolicy
from facelign.types.specs import EmbedderOutput, Task
from facelign.types.wording import counted, some

#: under so many people a network learns these people, not what tells people apart: the smallest
#: set that a published recognizer was trained on, CASIA-WebFace, has 10,575
FEW_PEOPLE = 500
#: photos of a person that a class is learned from
FEW_PHOTOS = 5
#: embedders that look for wrong names, the first whose weights are here
JUDGES = ("sface-int8", "sface", "mobilefacenet-int8", "dlib-resnet-int8")
#: photos that an embedder looks at, at most
_LOOKED_AT = 2_000
#: cosine of one photo and a copy of it that was saved again, of every judge
_SAME_PHOTO = 0.97
#: by so much must another person be nearer for a name to be called wrong
_NEARER = 0.1
#: pictures that are looked at for whether they are aligned, and how far points may be from where
#: the layout has them, as a share of the side (the eyes are 0.31 apart)
_TRIED, _APART = 60, 0.06


def counts(people: People, split: PeopleSplit) -> Iterator[DataFinding]:
    """Yield what the numbers of people and photos say."""
    labels = people.labels[split.train]
    each = np.unique(labels, return_counts=True)[1]
    if split.people < FEW_PEOPLE:
        yield DataFinding(
            f"Only {split.people} people train. That is too few to learn what tells people apart: "
            f"the network will know these, and others less than a published model does. Take "
            f"{FEW_PEOPLE:,} people or more, or begin with a trained embedder."
        )
    if np.median(each) < FEW_PHOTOS:
        yield DataFinding(
            f"Half of the people have {int(np.median(each))} photos or fewer to train with; "
            f"{FEW_PHOTOS} or more show how a face changes."
        )
    if each.max() > 10 * np.median(each):
        names, most = people.names, np.unique(labels)[each.argmax()]
        yield DataFinding(
            f"The people are out of balance: {names[most]} has {each.max()} photos, half of the "
            f"others {int(np.median(each))} or fewer."
        )
    if people.scarce:
        scarce = counted(people.scarce, "person", "people")
        yield DataFinding(f"{scarce} with too few photos left out.", "note")
    if people.left_out:
        yield DataFinding(
            f"{counted(len(people.left_out), 'person', 'people')} left out by name: "
            f"{some(people.left_out)}.",
            "note",
        )
    if people.skipped:
        file, why = people.skipped[0]
        yield DataFinding(
            f"{counted(len(people.skipped), 'file')} passed over, such as {file}: {why}.", "note"
        )
    if people.repeated:
        lines = counted(len(people.repeated), "line says", "lines say")
        first, again = people.repeated[0]
        yield DataFinding(
            f"{lines} once more what another does, such as line {again} and line {first}; each "
            "photo counts once."
        )


def few_tested(subjects: int, fewest: int) -> Iterator[DataFinding]:
    """Yield whether fewer people are tested than an interval takes."""
    if subjects < fewest:
        yield DataFinding(
            f"{counted(subjects, 'person is', 'people are')} tested, too few for an interval: "
            "figures tell nothing of others. Add people, or name a list of pairs in test.pairs."
        )


def lost(reasons: Mapping[int, str], photos: Sequence[Photo]) -> Iterator[DataFinding]:
    """Yield how many photos gave no face."""
    if reasons:
        place = min(reasons)
        yield DataFinding(
            f"{len(reasons)} of {len(photos):,} photos gave no face and are left out, such as "
            f"{photos[place].path}: {reasons[place]}",
            "warning" if len(reasons) > 0.02 * len(photos) else "note",
        )


def shared_names(people: People, listed: Sequence[str], what: str) -> Iterator[DataFinding]:
    """Yield which people of a list are among those of the set, by name."""
    wanted = {plain_name(name) for name in listed}
    both = [name for name in people.names if plain_name(name) in wanted]
    if both:
        yield DataFinding(
            f"{counted(len(both), 'person', 'people')} both in the photos and in {what}: "
            f"{some(both)}. Figures on "
            "them are too good; leave them out with data.leave_out.",
            "error",
        )


def same_files(people: People, digests: Sequence[str], split: PeopleSplit) -> Iterator[DataFinding]:
    """Yield which files, byte for byte, are there twice: across sets, and under two names."""
    sets = _set_of(split, len(people.photos))
    mine: dict[str, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        if digest:
            mine[digest].append(place)
    doubles = [places for places in mine.values() if len(places) > 1]
    names = [p for p in doubles if len({people.labels[i] for i in p}) > 1]
    across = [p for p in doubles if len({sets[i] for i in p}) > 1]
    for found, what in ((names, "under two names"), (across, "in two of the sets")):
        if found:
            a, b = (people.photos[place].path for place in found[0][:2])
            yield DataFinding(
                f"{counted(len(found), 'photo')} {what}, such as {a} and {b}.", "error"
            )


def not_aligned(
    people: People, layout: str, size: tuple[int, int], detector: str
) -> Iterator[DataFinding]:
    """Yield whether pictures that are said to be aligned are so, by what a detector sees."""
    made = catalog.default().layout_of_size(layout, size)
    try:
        finder = Finder.load(detector)
    except WeightsMissing:
        yield DataFinding(
            f"Whether the pictures are aligned was not looked at: the weights of '{detector}' are "
            "not on this machine.",
            "note",
        )
        return
    places = np.linspace(0, len(people.photos) - 1, min(_TRIED, len(people.photos))).round()
    far: list[float] = []
    for place in np.unique(places.astype(np.int64)).tolist():
        try:
            image = read(people.picture(place)).full()
            found = finder.find(image)
            index = choose(found.faces, FacePolicy.CENTRAL, image.source)
            face = found.faces[index : index + 1]
            if face.landmarks is None:
                return
            points = face.landmarks.points[0].astype(np.float64)
            wanted = apply(made.fit(face)[0], points)
        except FacelignError:
            continue
        scale = np.array(size) / np.array(image.size)
        off = (points + 0.5) * scale - 0.5 - wanted
        far.append(float(np.linalg.norm(off, axis=1).mean()) / size[0])
    if far and np.median(far) > _APART:
        yield DataFinding(
            f"The pictures are not aligned as '{layout}' is: points of {len(far)} faces lie "
            f"{np.median(far) * size[0]:.0f} px of {size[0]} from their places. Set "
            "data.align = true.",
            "error",
        )


def judge_of(name: str) -> str:
    """Return the embedder that judges: "auto" is the first whose weights are on this machine."""
    if name != "auto":
        return name
    registry, store = catalog.default(), Store.from_environment()
    known = (registry.spec(Task.EMBED, id_) for id_ in JUDGES)
    return next((spec.id for spec in known if store.present(spec)), "")


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Vectors of photos by an embedder that others trained. places: of the photos, (m,)."""

    judge: str
    vectors: Float32Array = field(repr=False)
    places: IntArray = field(repr=False)


def looked_at(people: People, judge: str, *, align: bool) -> Looked | None:
    """Return vectors of some photos, whole people first; None where none gives a vector."""
    chosen = np.arange(min(len(people.photos), _LOOKED_AT))
    recognizer = Recognizer(model=judge, cache=VectorCache(cache_path()))
    output = catalog.default().spec(Task.EMBED, judge).output
    try:
        if people.records is None and align:
            found = embed(recognizer, [people.photos[place] for place in chosen.tolist()])
        else:
            pictures = [_bytes(people, place) for place in chosen.tolist()]
            found = embed_pictures(recognizer, pictures)
    except FacelignError:
        return None
    finally:
        if recognizer.cache is not None:
            recognizer.cache.close()
    assert isinstance(output, EmbedderOutput)  # noqa: S101 - by its task
    there = found.rows >= 0
    vectors = found.named.vectors[found.rows[there]]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Looked(judge, unit, chosen[there])


def _bytes(people: People, place: int) -> bytes:
    picture = people.picture(place)
    return picture if isinstance(picture, bytes) else picture.read_bytes()


def wrong_names(people: People, looked: Looked) -> Iterator[DataFinding]:
    """Yield photos that look like somebody else of the set more than like their own person."""
    labels = people.labels[looked.places]
    found, inverse, each = np.unique(labels, return_inverse=True, return_counts=True)
    if len(found) < 2:
        return
    sums = np.zeros((len(found), looked.vectors.shape[1]))
    np.add.at(sums, inverse, looked.vectors)
    rows = np.flatnonzero(each[inverse] > 2)
    own = sums[inverse[rows]] - looked.vectors[rows]
    mine = (_unit(own) * looked.vectors[rows]).sum(1)
    others = looked.vectors[rows] @ _unit(sums).T
    others[np.arange(len(rows)), inverse[rows]] = -1
    wrong = np.flatnonzero(others.max(1) > mine + _NEARER)
    if len(wrong):
        worst = wrong[np.argsort((mine - others.max(1))[wrong], kind="stable")]
        told = [
            f"{people.photos[looked.places[rows[n]]].path} as {people.names[labels[rows[n]]]}, "
            f"like {people.names[found[others[n].argmax()]]}"
            for n in worst.tolist()
        ]
        yield DataFinding(
            f"{counted(len(wrong), 'photo')} of {len(rows):,} may bear a wrong name, by "
            f"{looked.judge}: {some(told, 2)}."
        )


def near_doubles(people: People, looked: Looked, split: PeopleSplit) -> Iterator[DataFinding]:
    """Yield faces that are all but the same in two of the sets, or under two names."""
    sets = _set_of(split, len(people.photos))[looked.places]
    labels = people.labels[looked.places]
    told: dict[str, list[tuple[int, int]]] = {"under two names": [], "in two of the sets": []}
    for begin in range(0, len(looked.places), 512):
        near = looked.vectors[begin : begin + 512] @ looked.vectors.T > _SAME_PHOTO
        for i, j in np.argwhere(near).tolist():
            a = begin + i
            if a < j and labels[a] != labels[j]:
                told["under two names"].append((a, j))
            elif a < j and sets[a] != sets[j]:
                told["in two of the sets"].append((a, j))
    for what, pairs in told.items():
        if pairs:
            a, b = (people.photos[looked.places[place]].path for place in pairs[0])
            yield DataFinding(
                f"{counted(len(pairs), 'pair')} of all but the same faces {what}, by "
                f"{looked.judge}, such as {a} and {b}."
            )


def _set_of(split: PeopleSplit, count: int) -> IntArray:
    """Return the set of each photo: 0 trains, 1 validates, 2 tests."""
    found = np.full(count, -1, np.int64)
    for number, places in enumerate((split.train, split.validation, split.test)):
        found[places] = number
    return found


def _unit(rows: Float64Array) -> Float64Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Float64Array = rows / np.maximum(lengths, 1e-12)
    return unit
