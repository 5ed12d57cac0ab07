"""What a drawing of a photo shows: who is known, in a color of their own, and who is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

import facelign
from facelign.errors import BadArray
from facelign.imaging.draw import COLORS, GRAY, labels_of
from facelign.recognition.drawing import color_of, looks_of
from facelign.recognition.results import Identification, IdentifiedFace
from facelign.types.analysis import Analysis
from facelign.types.decisions import Candidate, CandidateList
from facelign.types.faces import Faces
from facelign.types.image import Image


@pytest.fixture
def photo():
    return Image.from_array(np.full((400, 600, 3), 200, np.uint8), "rgb", "photo")


def faces_of(*boxes, size=(600, 400)):
    return Faces(np.array(boxes, np.float32), np.ones(len(boxes), np.float32), None, "x", size)


def answer(person=None, reason="", number=0):
    candidates = (Candidate(1, person, 1, 0.9, 0.1, number),) if person else ()
    return CandidateList(candidates, person, reason, None, 1)


def identified(photo, faces, *answers):
    named = tuple(IdentifiedFace(faces[i], one) for i, one in enumerate(answers))
    return Identification(Analysis.of(photo, faces), named)


def test_a_person_has_one_color_by_the_number_in_the_gallery(portrait, recognizer, tmp_path):
    with facelign.open_gallery(tmp_path / "g.db", recognizer, create=True) as gallery:
        gallery.enroll("Eileen", portrait)
        before = color_of(gallery.identify(portrait).faces[0].answer)
        gallery.gallery.rename("Eileen", "Colonel Collins")
        (face,) = gallery.identify(portrait).faces
        assert face.person == "Colonel Collins"
        assert color_of(face.answer) == before
        assert face.answer.candidates[0].person_id == gallery.people()[0].id
    assert color_of(answer("Ada", number=3)) == color_of(answer("Anna", number=3))
    colors = {color_of(answer("Ada", number=n)) for n in range(1, 8)}
    assert colors == set(COLORS)
    assert GRAY not in COLORS
    # without a number, as in a record that was read back, by the name
    assert color_of(answer("Ada")) == color_of(answer("Ada"))


def test_unknown_is_gray_and_too_small_is_not_drawn(photo):
    faces = faces_of([50, 100, 150, 220], [300, 100, 320, 122], [450, 100, 550, 220])
    found = identified(
        photo, faces, answer("Ada", number=1), answer(reason="too small: 22 px of 30 px needed")
    )
    found = Identification(
        found.analysis,
        (*found.faces, IdentifiedFace(faces[2], answer(reason="below the threshold"))),
    )
    drawn = np.asarray(facelign.draw(photo, found)).astype(int)
    assert (drawn[90:132, 290:330] == 200).all()  # too small
    unknown = drawn[60:230, 440:560]
    assert np.ptp(unknown, axis=2).max() == 0  # gray is gray
    assert (unknown != 200).any()
    assert np.ptp(drawn[60:230, 40:160], axis=2).max() > 50
    texts = [text.text for text, _, _ in labels_of(faces, looks_of(found), photo.size)]
    assert sorted(texts) == ["?", "Ada"]


def test_faces_that_were_not_asked_about_have_a_gray_box_and_no_label(photo):
    faces = faces_of([50, 100, 150, 220], [450, 100, 550, 220])
    looks = looks_of(identified(photo, faces, answer("Ada", number=1)))
    assert (looks[1].color, looks[1].label, looks[1].shown) == (GRAY, "", True)


def test_what_is_nothing_found_is_refused(photo):
    with pytest.raises(BadArray, match="got a str"):
        facelign.draw(photo, "a.jpg")


def test_the_picture_is_that_of_the_file_whatever_the_photo_is_given_as(photo, tmp_path):
    faces = faces_of([50, 100, 150, 220])
    drawn = facelign.draw(photo, faces)
    assert isinstance(drawn, Pillow.Image)
    assert drawn.size == photo.size
    assert (photo.pixels == 200).all()
    Pillow.fromarray(photo.pixels).save(tmp_path / "photo.png")
    for given in (tmp_path / "photo.png", (tmp_path / "photo.png").read_bytes()):
        assert facelign.draw(given, faces).tobytes() == drawn.tobytes()
    assert facelign.draw(photo, Analysis.of(photo, faces)).tobytes() == drawn.tobytes()
    with pytest.raises(BadArray, match="photo of 300 x 200 px, and this one has 600 x 400"):
        facelign.draw(photo, faces_of([1, 1, 9, 9], size=(300, 200)))
    empty = facelign.draw(photo, Faces.none("x", (0, 0)))
    assert empty.tobytes() == photo.pixels.tobytes()


@pytest.mark.shared
def test_no_label_of_a_crowd_covers_a_face_or_another_label(recognition, detection, recognizer):
    photos = [
        *(recognition / "group_photos").glob("*.jpg"),
        *(recognition / "bbt_gallery/scenes").glob("*.jpg"),
        *sorted((detection / "wider").rglob("*.jpg"))[:6],
        *(detection / "large").glob("*.jpg"),
    ]
    assert len(photos) > 15
    labels = shown = 0
    for file in photos:
        analysis = recognizer.find(file)
        faces = analysis.faces
        answers = [answer(f"Person {i}", number=i) for i in range(1, len(faces) + 1)]
        size = analysis.photo.size
        looks = looks_of(identified(analysis.image, faces, *answers))
        spots = [spot for _, spot, _ in labels_of(faces, looks, size)]
        if len(faces) <= 10:  # a family; in the stands of a stadium there is no room for all
            labels, shown = labels + len(faces), shown + len(spots)
        taken = [tuple(box) for box in faces.boxes.tolist()]
        for x1, y1, x2, y2 in spots:
            assert 0 <= x1 < x2 <= size[0]
            assert 0 <= y1 < y2 <= size[1]
            for a1, b1, a2, b2 in taken:
                assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1, file.name
            taken.append((x1, y1, x2, y2))
    assert labels > 40
    assert shown >= 0.9 * labels
