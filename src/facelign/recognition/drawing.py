"""What was found in a photo, drawn: one drawing for the commands and for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image as Pillow

from facelign.errors import BadArray
from facelign.imaging.draw import COLORS, GRAY, Color, Mark, color_of_name, draw_faces
from facelign.imaging.read import read_image
from facelign.recognition.naming import TOO_SMALL
from facelign.recognition.recognizer import Photo
from facelign.recognition.results import Identification
from facelign.types.analysis import Analysis
from facelign.types.decisions import CandidateList
from facelign.types.faces import Faces
from facelign.types.liveness import LiveAnswer, LiveDecision

#: green, vermillion and gray; the word beside the box says it too
_LIVE_COLORS: Mapping[LiveDecision, Color] = {
    LiveDecision.LIVE: COLORS[2],
    LiveDecision.ATTACK: COLORS[5],
    LiveDecision.NOT_CHECKED: GRAY,
}


def draw(photo: Photo, found: Faces | Analysis | Identification) -> Pillow.Image:
    """Return a copy of a photo that shows what was found in it, as ``--draw`` writes it.

    photo: the photo that was looked at, as it was given. found: its faces (boxes and points), or
    an identification: a box and a name for everybody who is known, in one color a person whatever
    the photo; gray and "?" for the others; a gray box for faces that were not asked about; nothing
    for faces below the size gate. Reasons stand in the result. Labels lie on no face and on no
    other label; one that finds no room is left out. The picture is RGB, of the size of the upright
    photo; save it with ``.save("named.jpg")``.

    Raises BadArray when the faces were found in a photo of another size or are none, InputError for
    a photo that cannot be used.

    Example:
        >>> draw("party.jpg", gallery.identify("party.jpg"))  # doctest: +SKIP
    """
    full = read_image(photo).full()
    named = isinstance(found, Identification)
    analysis = found.analysis if isinstance(found, Identification) else found
    faces = analysis.faces if isinstance(analysis, Analysis) else analysis
    if not isinstance(faces, Faces):
        raise BadArray(f"faces: wanted what was found in the photo, got a {type(found).__name__}.")
    if len(faces) and faces.image_size != full.size:
        raise BadArray(
            f"faces: found in a photo of {_by(faces.image_size)} px, and this one has "
            f"{_by(full.size)}.",
            "Give the photo that they were found in.",
        )
    looks: Sequence[Mark] = ()
    if isinstance(found, Identification):
        looks = looks_of(found)
    elif isinstance(analysis, Analysis) and analysis.live:
        looks = [_live_look(answer) for answer in analysis.live]
    return Pillow.fromarray(draw_faces(full.pixels, faces, looks, points=not named))


def looks_of(found: Identification) -> list[Mark]:
    """Return how every face of the photo is drawn: by who it is."""
    looks = [Mark(GRAY)] * len(found.analysis.faces)
    for face in found.faces:
        looks[face.face.index] = _look(face.answer)
    return looks


def _live_look(answer: LiveAnswer) -> Mark:
    told = answer.decision.replace("-", " ")
    label = told if answer.score is None else f"{told} {answer.score:.2f}"
    return Mark(_LIVE_COLORS[answer.decision], label)


def _look(answer: CandidateList) -> Mark:
    if answer.person is not None:
        return Mark(color_of(answer), answer.person)
    return Mark(GRAY, "?", shown=not answer.reason.startswith(TOO_SMALL))


def color_of(answer: CandidateList) -> Color:
    """Return the color of the person who was named: by the number in the gallery, else by name."""
    person = answer.person or ""
    numbers = (c.person_id for c in answer.candidates if c.person == person and c.person_id)
    known = next(numbers, 0)
    return COLORS[known % len(COLORS)] if known else color_of_name(person)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
