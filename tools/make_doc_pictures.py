"""Draw the pictures of the documents with facelign itself, from scikit-image's portrait.

    python tools/make_doc_pictures.py [NAME ...]

Needs the weights of the default preset; `landmark` also those of dlib-5 and dlib-68. Run it when a
stage changes what it shows, look at the result, and commit it.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import numpy as np
import published_networks
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance, ImageFile, ImageFilter, ImageOps
from skimage import data

from facelign import models
from facelign.align.chips import chips
from facelign.cli import demo_photos
from facelign.errors import FacelignError
from facelign.imaging.mesh import draw_mesh
from facelign.imaging.read import read
from facelign.lab.alignment import report as study
from facelign.lab.alignment.run import Bench
from facelign.lab.pad.attacks import Species, attack
from facelign.liveness.expressions import expression, resting
from facelign.models import load
from facelign.models.weights.store import Store
from facelign.preprocess import photometric
from facelign.recognition import drawing
from facelign.recognition.options import IdentifyOptions
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.report import plots, style
from facelign.report.plot import Plot, Series
from facelign.report.plots import (
    average_faces,
    barcode,
    chain,
    gallery_size,
    hog,
    network,
    scatter,
    similarity,
)
from facelign.types.chips import Chips
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import MESH_468
from facelign.types.specs import Task

ROOT = Path(__file__).resolve().parents[1]
BICUBIC = Pillow.Resampling.BICUBIC
GRAY = (128, 128, 128)
TARGET = ROOT / "docs" / "pictures"
PORTRAIT = data.astronaut()
HEAD = (slice(0, 256), slice(96, 352))  # the part of the portrait that shows the head


def portrait() -> Image:
    """Return the portrait."""
    return Image.from_array(PORTRAIT, order="rgb", source="portrait")


def changed(name: str) -> Image:
    """Return the portrait turned, dark, mirrored, blurred, small or tiny."""
    picture = Pillow.fromarray(PORTRAIT)
    made = {
        "as it is": lambda: picture,
        "turned 15 deg": lambda: turned(15),
        "dark": lambda: ImageEnhance.Brightness(picture).enhance(0.35),
        "mirrored": lambda: ImageOps.mirror(picture),
        "blurred": lambda: picture.filter(ImageFilter.GaussianBlur(3)),
        "face 50 px": lambda: picture.resize((256, 256), Pillow.Resampling.LANCZOS),
        "face 25 px": lambda: picture.resize((128, 128), Pillow.Resampling.LANCZOS),
    }[name]()
    return Image.from_array(np.asarray(made), order="rgb", source=name)


def turned(degrees: float) -> Pillow.Image:
    """Return the portrait turned anticlockwise, gray where there was nothing."""
    return Pillow.fromarray(PORTRAIT).rotate(degrees, Pillow.Resampling.BICUBIC, fillcolor=GRAY)


@contextmanager
def scratch(recognizer: Recognizer) -> Iterator[PhotoGallery]:
    """Give a gallery that knows the portrait, and is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        with PhotoGallery(path, recognizer) as made:
            made.enroll("Eileen", [portrait()])
            yield made


VARIANTS = ("as it is", "turned 15 deg", "dark", "mirrored", "blurred", "face 50 px", "face 25 px")


def photo(picture: Pillow.Image | np.ndarray, name: str = "photo") -> Image:
    """Return a picture as facelign takes it."""
    return Image.from_array(np.array(picture), order="rgb", source=name)


def marked(ax, image: Image, faces, title: str = "", points: float = 26) -> None:
    """Show a photo with boxes and points. points: area of a mark of five."""
    style.picture(ax, image.pixels, title)
    for face in faces:
        box = face.box
        ax.plot(
            [box.x1, box.x2, box.x2, box.x1, box.x1],
            [box.y1, box.y1, box.y2, box.y2, box.y1],
            color=style.YELLOW,
            linewidth=2,
        )
        if face.points is not None:
            size = points if len(face.points) <= 5 else points / 4
            ax.scatter(*face.points.T, s=size, c=style.SKY, edgecolors="black", linewidths=0.6)


def walk_steps(recognizer: Recognizer) -> tuple[list[chain.ChainStep], float | None]:
    """Return the five steps, of a dark photo, and the threshold of the search."""
    dark = changed("dark")
    lit = photometric.parse("gamma=1.8").apply(dark).pixels.copy()
    small = np.asarray(Pillow.fromarray(dark.pixels).resize((176, 176), Pillow.Resampling.LANCZOS))
    lit[-190:, :190] = 255
    lit[-182:-6, 6:182] = small
    aligned = recognizer.align(portrait())
    whole = np.asarray(drawing.draw(portrait(), aligned.faces))
    with scratch(recognizer) as gallery:
        gallery.enroll("Frank", [photo(demo_photos.stranger())])
        answer = (
            gallery.identify(changed("turned 15 deg"), IdentifyOptions(top_k=2)).faces[0].answer
        )
    limit = answer.threshold.threshold.score if answer.threshold else None
    vector = recognizer.analyze(portrait()).embeddings.vectors[0]
    return [
        chain.ChainStep("preprocess", "upright, RGB,\nlight if asked", lit),
        chain.ChainStep("detect", "a box and\nfive points", whole),
        chain.ChainStep("align", f"{aligned.chips[0].layout}", aligned.chips[0].pixels[0]),
        chain.ChainStep("embed", f"{len(vector)} numbers", vector=vector),
        chain.ChainStep("recognize", f"{answer.person or 'Unknown'}: above\nthe threshold",
                   bars=[(one.person, one.score) for one in answer.candidates]),
    ], limit  # fmt: skip


def walk(recognizer: Recognizer) -> None:
    """The five steps in one picture (A4-18)."""
    steps, limit = walk_steps(recognizer)
    save(chain.draw(steps, threshold=limit), "walk")


def detect(recognizer: Recognizer) -> None:
    """Box and points, plain and after turning."""
    figure, axes = style.figure(5.0, 2.7, columns=2)
    plain = recognizer.detect(portrait())
    marked(
        axes[0],
        portrait(),
        plain.faces,
        f"{len(plain.faces)} face, {_tries(plain.attempts)}",
        points=12,
    )
    side = Image.from_array(np.rot90(PORTRAIT).copy(), order="rgb", source="sideways")
    found = recognizer.detect(side)
    marked(axes[1], side, found.faces, f"on its side: {_tries(found.attempts)}", points=12)
    save_figure(figure, "detect")


def _tries(attempts) -> str:
    return "at the first look" if not attempts else "tried " + ", ".join(attempts)


def picture_of_read(recognizer: Recognizer) -> None:
    """Photos as they are stored, and as they are read."""
    head = Pillow.fromarray(PORTRAIT[:, 64:448])

    def stored(picture: Pillow.Image, kind: str, orientation: int = 1) -> bytes:
        out, exif = io.BytesIO(), Pillow.Exif()
        exif[274] = orientation
        picture.save(out, kind, quality=92, exif=exif)
        return out.getvalue()

    mask = Pillow.new("L", head.size, 0)
    ImageDraw.Draw(mask).ellipse((20, -40, 364, 560), fill=255)
    cut = head.copy()
    cut.putalpha(mask)
    whole = stored(head, "JPEG")
    cases = (
        ("phone on its side", stored(head.transpose(Pillow.Transpose.ROTATE_90), "JPEG", 6)),
        ("mirrored, head down", stored(head.transpose(Pillow.Transpose.FLIP_TOP_BOTTOM),
                                       "JPEG", 4)),
        ("transparent PNG", stored(cut, "PNG")),
        ("lost half of its bytes", whole[: len(whole) // 2]),
    )  # fmt: skip
    figure, axes = style.figure(7.2, 4.6, rows=2, columns=4)
    for (name, content), before, after in zip(cases, axes[:4], axes[4:], strict=True):
        style.picture(before, _as_stored(content), name)
        try:
            image = read(content)
        except FacelignError as error:
            after.set_axis_off()
            after.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)
            words = "\n".join(textwrap.wrap(error.message.replace("<bytes>", "photo.jpg"), 22))
            after.text(0.0, 0.95, "refused", fontsize=11, fontweight="bold", va="top")
            after.text(0.0, 0.8, words, fontsize=9.5, va="top")
            continue
        marked(after, image, recognizer.detect(image).faces, "as read")
    save_figure(figure, "read")


def _as_stored(content: bytes) -> np.ndarray:
    """Return the pixels as they lie in the file: neither turned nor whole; checks show through."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    picture = Pillow.open(io.BytesIO(content))
    picture.load()
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if picture.mode != "RGBA":
        return np.asarray(picture.convert("RGB"))
    y, x = np.mgrid[: picture.height, : picture.width]
    checks = np.where((x // 24 + y // 24) % 2, 255, 205).astype(np.uint8)
    below = Pillow.fromarray(np.repeat(checks[..., None], 3, axis=2)).convert("RGBA")
    return np.asarray(Pillow.alpha_composite(below, picture).convert("RGB"))


def preprocess(_: Recognizer) -> None:
    """What each step does to a dark photo."""
    dark = changed("dark")
    texts = ("", "luma-equalize", "gamma=1.8", "clahe")
    figure, axes = style.figure(8, 2.5, columns=4)
    for ax, text in zip(axes, texts, strict=True):
        lit = photometric.parse(text).apply(dark)
        style.picture(ax, lit.pixels[HEAD], text or "as it is")
    save_figure(figure, "preprocess")


def landmark(recognizer: Recognizer) -> None:
    """Five, dlib-5 and dlib-68 points."""
    faces = recognizer.detect(portrait()).faces
    store, known = Store.from_environment(), models.default()
    figure, axes = style.figure(10, 3.8, columns=3)
    shown = [("five (YuNet)", faces)]
    for name in ("dlib-5", "dlib-68"):
        spec = known.spec(Task.LANDMARK, name)
        if not store.present(spec):
            store.pull(spec)
        shown.append((name, load(spec, store).locate(portrait(), faces)))
    for ax, (name, found) in zip(axes, shown, strict=True):
        marked(ax, portrait(), found, name)
        ax.set(xlim=(130, 330), ylim=(230, 30))
    save_figure(figure, "landmark")


def align(recognizer: Recognizer) -> None:
    """Chips of a turned portrait in every layout."""
    image = Image.from_array(np.asarray(turned(35)), order="rgb", source="turned")
    faces = recognizer.detect(image).faces
    known = models.default()
    names = [name for name in known.layouts() if name != "openface-96"] + ["openface-96"]
    figure, axes = style.figure(12.4, 2.3, columns=1 + len(names))
    marked(axes[0], image, faces, "turned by 35 degrees", points=8)
    x, y = faces[0].box.center
    axes[0].set(xlim=(x - 130, x + 130), ylim=(y + 130, y - 130))
    for ax, name in zip(axes[1:], names, strict=True):
        layout = known.layout(name)
        found = faces
        if not ({"box", "five"} & set(layout.needs)):
            store = Store.from_environment()
            spec = known.spec(Task.LANDMARK, "dlib-68")
            if not store.present(spec):
                store.pull(spec)
            found = load(spec, store).locate(image, faces)
        made = chips(image, found, layout)[0]
        style.picture(ax, made.pixels[0], f"{name}")
    save_figure(figure, "align")


def embed(recognizer: Recognizer) -> None:
    """Barcodes of the portrait and of a dark, turned copy."""
    save(_barcodes(recognizer), "embed", dpi=80)


def _barcodes(recognizer: Recognizer) -> Plot:
    other = Image.from_array(
        np.asarray(ImageEnhance.Brightness(turned(15)).enhance(0.5)), order="rgb", source="copy"
    )
    found = [recognizer.analyze(photo) for photo in (portrait(), other)]
    decision = recognizer.compare(portrait(), other, threshold=_limit(recognizer)).decision
    return barcode.draw(
        (PORTRAIT[HEAD], other.pixels[HEAD]),
        (found[0].embeddings.vectors[0], found[1].embeddings.vectors[0]),
        names=("portrait", "dark, turned copy"),
        verdict="same person" if decision.is_match else "different people",
    )


#: side of the gray square that hides a part of a chip, and its step, as shares of the chip
HIDDEN, STEP = 0.22, 0.055


def occlusion(recognizer: Recognizer) -> None:
    """What models look at: how far the vector moves when a gray square hides a part of the face."""
    names = ("sface", "mobilefacenet", "dlib-resnet")
    figure, axes = style.figure(5.4, 2.0, columns=len(names))
    faces = recognizer.detect(portrait()).faces
    for ax, name in zip(axes, names, strict=True):
        chip, moved = _hidden(name, faces)
        style.picture(ax, chip, f"{name}: to {1 - moved.max():.2f}")
        high, wide = chip.shape[:2]
        places = [-0.5, wide - 0.5, high - 0.5, -0.5]
        ax.imshow(moved, cmap="magma", alpha=0.55, extent=places, interpolation="bilinear")
    save_figure(figure, "occlusion")


def _hidden(name: str, faces) -> tuple[np.ndarray, np.ndarray]:
    """Return the chip of a model, and by how much hiding each place lowers the cosine."""
    spec, known = models.default().spec(Task.EMBED, name), models.default()
    layout = known.layout_of_size(spec.output.layout, spec.input.size)
    made = chips(portrait(), faces, layout)[0]
    embedder = load(spec, Store.from_environment(), options={"points": made.points_scheme})
    side = made.pixels.shape[1]
    square, step = round(HIDDEN * side), round(STEP * side)
    starts = range(-square // 2, side - square // 2 + 1, step)
    many = np.repeat(made.pixels, len(starts) ** 2, axis=0)
    for picture, (y, x) in zip(many, ((y, x) for y in starts for x in starts), strict=True):
        picture[max(y, 0) : y + square, max(x, 0) : x + square] = GRAY
    every = Chips(many, layout.id, np.repeat(made.to_chip, len(many), axis=0), made.points_scheme)
    vectors = [embedder.embed(one).vectors for one in (made, every)]
    plain, hidden = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors)
    return made.pixels[0], (1 - hidden @ plain[0]).reshape(len(starts), len(starts))


def detectors(recognizer: Recognizer) -> None:
    """Box and points of the portrait by detectors of every family."""
    names = (
        *("yunet", "mtcnn", "retinaface-mnet025", "centerface", "blazeface-short", "mmod", "haar"),
        "ultraface-slim-320",
    )
    figure, axes = style.figure(12.4, 1.9, columns=len(names))
    for ax, name in zip(axes, names, strict=True):
        found = models.detector(name).detect(portrait())
        marked(ax, portrait(), found[:1], f"{name} {found.scores[0]:.2f}", points=8)
        ax.set(xlim=(130, 310), ylim=(220, 30))
    save_figure(figure, "detectors")


def shapes(recognizer: Recognizer) -> None:
    """Barcodes of an oval and a round face: the portrait's head, narrowed and widened."""
    head = Pillow.fromarray(PORTRAIT[:330, 60:400])
    sides = [
        np.asarray(head.resize((int(head.width * by), head.height), Pillow.Resampling.LANCZOS))
        for by in (0.75, 1.25)
    ]
    found = [
        recognizer.analyze(Image.from_array(side.copy(), order="rgb", source=name))
        for side, name in zip(sides, ("oval", "round"), strict=True)
    ]
    drawn = barcode.draw(
        (sides[0], sides[1]),
        (found[0].embeddings.vectors[0], found[1].embeddings.vectors[0]),
        names=("oval", "round"),
    )
    save(drawn, "shapes", dpi=80)


#: scores that 1 of 1,000 pairs of two people of lfw_100 reaches in the arms, as
#: `facelign study alignment --json` tells them (threshold of the unaligned and of the aligned arm)
ARM_THRESHOLDS = {"none": 0.741, "five": 0.364}


def pathways(_: Recognizer) -> None:
    """Training and testing of two arms of the alignment study, with two cuts of the portrait."""
    for plot, name in zip(_pathways(), ("unaligned", "aligned"), strict=True):
        save(plot, f"pathway-{name}", dpi=85)


def _pathways() -> list[Plot]:
    head = Pillow.fromarray(PORTRAIT)
    sides = [head.crop((56, 0, 456, 400)), head.rotate(12, BICUBIC).crop((40, 0, 400, 300))]
    bench = Bench(["sface"], ["yunet"], ["none", "five"], workers=1)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(2)]
        for side, path in zip(sides, paths, strict=True):
            side.save(path)
        shown = bench.shown(paths, "sface", "yunet")
    pixels = [np.asarray(side) for side in sides]
    return study.pathways_of(pixels, shown, "sface", ARM_THRESHOLDS)


def _limit(recognizer: Recognizer):
    return None if recognizer.calibration else 0.36


def compare(recognizer: Recognizer) -> None:
    """Cosine between versions of the portrait and of a stranger."""
    save(_compared(recognizer), "compare")


def _compared(recognizer: Recognizer) -> Plot:
    other = demo_photos.stranger()
    strangers = {"stranger": other, "stranger, turned": other.rotate(15, BICUBIC, fillcolor=GRAY)}
    photos = [changed(name) for name in VARIANTS] + [photo(one) for one in strangers.values()]
    vectors = np.vstack([recognizer.analyze(one).embeddings.vectors[:1] for one in photos])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    limit = recognizer.threshold().score if recognizer.calibration else None
    return similarity.draw(vectors @ vectors.T, (*VARIANTS, *strangers), threshold=limit)


def gallery(recognizer: Recognizer) -> None:
    """An identified photo of two people, one of them a stranger."""
    image = photo(demo_photos.together())
    with scratch(recognizer) as people:
        result = people.identify(image)
    figure, (ax,) = style.figure(5.8, 3.4)
    style.picture(ax, np.asarray(drawing.draw(image, result)))
    for face in result.faces:
        best, limit = face.answer.candidates[0], face.answer.threshold.threshold.score
        sign = "at or above" if face.person else "below"
        text = f"{face.person or 'Unknown'}\n{best.score:.2f} is {sign} {limit:.2f}"
        ax.text(face.face.box.center[0], image.height + 8, text, fontsize=11, va="top", ha="center")
    save_figure(figure, "gallery")


def named(recognizer: Recognizer) -> None:
    """Enrolled from one photo, named in others: what ``identify --draw`` writes, side by side."""
    with scratch(recognizer) as people:
        photos = [changed("turned 15 deg"), changed("dark"), photo(demo_photos.together())]
        shown = [drawing.draw(one, people.identify(one)) for one in photos]
    shown = [one.crop((0, 0, one.width, 380)) for one in shown]
    whole = Pillow.new("RGB", (sum(one.width for one in shown) + 16, 380), "white")
    place = 0
    for one in shown:
        whole.paste(one, (place, 0))
        place += one.width + 8
    target = TARGET / "named.jpg"
    whole.resize((whole.width * 3 // 5, whole.height * 3 // 5), BICUBIC).save(target, quality=88)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def quality(recognizer: Recognizer) -> None:
    """Score of the portrait with shrunken copies of itself."""
    reference = recognizer.analyze(portrait()).embeddings.vectors[0]
    heights, scores = [], []
    for side in (512, 400, 320, 256, 200, 160, 128, 110, 96, 84, 72, 64):
        small = Pillow.fromarray(PORTRAIT).resize((side, side), Pillow.Resampling.LANCZOS)
        result = recognizer.analyze(Image.from_array(np.asarray(small), order="rgb", source="s"))
        if result.embeddings is None or not len(result.embeddings):
            continue
        vector = result.embeddings.vectors[0]
        heights.append(float(result.faces.heights[int(result.embedded[0])]))
        scores.append(
            float(vector @ reference / np.linalg.norm(vector) / np.linalg.norm(reference))
        )
    figure, (ax,) = style.figure(6.6, 3.8)
    ax.plot(heights, scores, "o", color=style.BLUE, label="the portrait against itself, shrunken")
    ax.axvline(40, color=style.BLACK, linestyle="--", label="not enrolled below (40 px)")
    ax.axvline(30, color=style.VERMILION, linestyle=":", label="no name below (30 px)")
    ax.set_xscale("log")
    ax.set_xticks([20, 30, 40, 60, 100, 160], ["20", "30", "40", "60", "100", "160"])
    ax.minorticks_off()
    style.label(ax, "One face, smaller and smaller", "Height of the face, px", "Cosine")
    style.legend(ax)
    save_figure(figure, "quality", photos=False)


def liveness(recognizer: Recognizer) -> None:
    """The portrait and three attacks that are made from it, as ``liveness --draw`` marks them."""
    box = recognizer.find(portrait()).faces[0].box
    shown = [portrait(), *(photo(attack(PORTRAIT, box, kind, seed=1)) for kind in Species)]
    tiles = [drawing.draw(one, recognizer.check_live(one)).crop((86, 0, 366, 280)) for one in shown]
    whole = Pillow.new("RGB", (4 * 280 + 3 * 8, 280), "white")
    for number, tile in enumerate(tiles):
        whole.paste(tile, (288 * number, 0))
    target = TARGET / "liveness.jpg"
    whole.save(target, quality=88)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def films(recognizer: Recognizer) -> None:
    """Draw four frames of a film in which she walks through, and who comes after her."""
    from facelign.types.contracts import Frame
    from facelign.video.film_index import FilmIndex
    from facelign.video.marking import Paths
    from facelign.video.marking import marked as marked_frame
    from facelign.video.tracker import ByteTracker

    ground = np.full((300, 480, 3), (96, 104, 92), np.uint8)
    frames = []
    for number in range(60):
        pixels = ground.copy()
        x = 8 * number
        part = portrait().pixels[:240, 100:340][:, : max(0, 480 - x)]
        pixels[:240, x : x + part.shape[1]] = part
        frames.append(Frame(photo(pixels), number, number / 12.5))
    with scratch(recognizer) as gallery:
        gallery.enroll("Eileen", portrait())
        paths, index = Paths(), FilmIndex(gallery, ByteTracker)
        for settled in index.watch("film", frames):
            paths.add(settled.visits, settled.paths)
    figure, axes = style.figure(10, 1.9, columns=4)
    for ax, number, blur in zip(axes, (2, 14, 26, 26), ("", "", "", "all"), strict=True):
        style.picture(ax, marked_frame(frames[number].image.pixels, paths.at(number), blur))
        ax.set_title(f"{number / 12.5:.2f} s{', --blur all' if blur else ''}", fontsize=9)
    save_figure(figure, "films")


def challenge(recognizer: Recognizer) -> None:
    """What a challenge asks for, made of the portrait as in its tests, and what is measured."""
    from facelign.types.contracts import Frame
    from facelign.video import challenge as asked

    sys.path.insert(0, str(ROOT / "tests"))
    from made_reactions import Surface

    store, (spec,) = Store.from_environment(), models.default().find(asked.MESH)
    store.pull(spec)
    mesh = load(spec, store, options={"lids": True})
    seen = mesh.locate(portrait(), recognizer.find(portrait()).faces).landmarks
    surface = Surface(PORTRAIT, np.c_[seen.points[0, :468], seen.depth[0, :468]])
    shown = {
        "at rest": {}, "eyes closed": {"eyes": 0.0}, "mouth open": {"mouth": 0.2},
        "turned to the left": {"yaw": 45}, "turned to the right": {"yaw": -45},
    }  # fmt: skip
    witness, frames = asked.Witness(recognizer, mesh), [surface.shown(**h) for h in shown.values()]
    signs = [witness.look(Frame(photo(f), i, i / 10)).signs for i, f in enumerate(frames)]
    rest = resting(signs[:1])
    figure, axes = style.figure(12, 3.3, columns=len(shown))
    for ax, name, frame, sign in zip(axes, shown, frames, signs, strict=True):
        did = expression(rest, sign)
        points = Landmarks(sign.points[None].astype(np.float32), MESH_468)
        large = np.asarray(Pillow.fromarray(frame).resize((1536, 1536), BICUBIC))
        ax.imshow(draw_mesh(large, points, scale=3)[60:750, 330:1020])
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(
            f"eyes {did.eyes:.2f}, mouth {did.mouth:+.2f}\n"
            f"turn {did.turn:+.0f}°, nose {did.parallax:+.2f} {did.parallax_five:+.2f}",
            fontsize=8,
        )
        ax.set(xticks=[], yticks=[])
    save_figure(figure, "challenge")


def backgrounds(_: Recognizer) -> None:
    """The portrait before three backgrounds."""
    from facelign.imaging import background

    store, (spec,) = Store.from_environment(), models.default().find("selfie")
    store.pull(spec)
    mask = load(spec, store).segment(portrait())
    shown = [
        PORTRAIT,
        np.repeat(np.round(255 * mask).astype(np.uint8)[..., None], 3, axis=2),
        background.blurred(PORTRAIT, mask, 12),
        background.replaced(PORTRAIT, mask, data.coffee()),
        background.colored(PORTRAIT, mask, (0, 120, 215)),
    ]
    whole = Pillow.new("RGB", (len(shown) * 260 - 8, 252), "white")
    for number, pixels in enumerate(shown):
        whole.paste(Pillow.fromarray(pixels).resize((252, 252), BICUBIC), (260 * number, 0))
    target = TARGET / "backgrounds.jpg"
    whole.save(target, quality=88)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def picture_of_hog(recognizer: Recognizer) -> None:
    """HOG of the face (A4-19)."""
    save(_hog(recognizer), "hog", dpi=85)


def _hog(recognizer: Recognizer) -> Plot:
    box = recognizer.detect(portrait()).faces[0].box
    x, y = box.center
    half = max(box.width, box.height) * 0.75
    cut = Pillow.fromarray(PORTRAIT).crop(
        (round(x - half), max(0, round(y - half)), round(x + half), round(y + half))
    )
    pixels = np.asarray(cut.resize((256, 256), Pillow.Resampling.LANCZOS))
    return hog.draw(pixels)


def sizes(_: Recognizer) -> None:
    """Why a fixed threshold names strangers: arithmetic, not a measurement."""
    n = np.array([1, 3, 10, 30, 100, 300, 1000, 3000], float)
    lines = [
        Series("fixed threshold (FMR 1e-3)", n, 1 - 0.999**n),
        Series("threshold by gallery size (FMR 1e-2 / n)", n, 1 - (1 - 0.01 / n) ** n),
    ]
    save(gallery_size.draw(lines, target=0.01), "gallery-size")


def cameras(_: Recognizer) -> None:
    """How old frames of a camera were when they were decided on, as benchmarks/cameras.py saw."""
    seen = json.loads((ROOT / "benchmarks/results/cameras.json").read_text("utf-8"))
    worst, period = seen["worst_ms_each_10_s"], seen["period_ms"]
    figure, (axes,) = style.figure(8.0, 3.0)
    axes.step(
        np.arange(len(worst)) / 6, worst, where="post", color=style.BLUE, label="worst of 10 s"
    )
    axes.axhline(seen["age_decided_ms"]["median"], color=style.ORANGE, label="median of all")
    axes.axhline(2 * period, color=style.GRAY, linestyle="--", label="two periods")
    axes.set_ylim(0, 1.25 * max(*worst, 2 * period))
    style.label(axes, "From the lens to the decision", "minutes", "age of the frame, ms")
    style.legend(axes, loc="upper right", ncols=3)
    save_figure(figure, "cameras", photos=False)


def networks(_: Recognizer) -> None:
    """The networks of the articles: two without their last layer (A1-25), one whole (A3-01)."""
    save(
        network.draw(published_networks.VGG_FACE, title="VGG-Face (2015)"),
        "network-vgg-face",
    )
    save(
        network.draw(published_networks.DEEPFACE, title="DeepFace (2014)"),
        "network-deepface",
    )
    save(
        network.draw(published_networks.NN4_SMALL2, title="nn4.small2 (2016)"),
        "network-nn4-small2",
    )


def retrained(_: Recognizer) -> None:
    """InceptionV3 with four blocks trained anew (A2-26); this one needs the extra train."""
    from facelign.train.drawing import drawn
    from facelign.train.landmarks.config import LandmarkConfig, ModelOptions
    from facelign.train.task import network_of

    model = ModelOptions(name="inception", blocks=4)
    plot = drawn(*network_of(LandmarkConfig(kind="landmarks", model=model)), "inception")
    save(plot, "network-inception-4", dpi=75)


def examples(_: Recognizer) -> None:
    """Every figure of the report that shows no photo, from made-up numbers."""
    for name in plots.names():
        if name not in PHOTO_PLOTS:
            save(plots.example(name), f"plots/{name}")


def photo_plots(recognizer: Recognizer) -> None:
    """Every figure of the report that shows photos or vectors, from the portrait."""
    steps, limit = walk_steps(recognizer)
    drawn = {
        "chain": chain.draw(steps, threshold=limit),
        "pathways": _pathways()[1],
        "similarity": _compared(recognizer),
        "barcode": _barcodes(recognizer),
        "hog": _hog(recognizer),
        "average_faces": _averages(recognizer),
        "scatter": _plane(recognizer),
    }
    for name in PHOTO_PLOTS:
        save(drawn[name], f"plots/{name}", dpi=60 if name == "hog" else 75)


PHOTO_PLOTS = (
    "average_faces", "barcode", "chain", "hog", "pathways", "scatter", "similarity",
)  # fmt: skip


def _versions(picture: Pillow.Image, count: int) -> list[Pillow.Image]:
    """Return the picture turned, moved, scaled, darkened and blurred, as an album would hold it."""
    rng = np.random.default_rng(4)
    made = []
    for _ in range(count):
        side = int(rng.integers(300, 420))
        x, y = int(rng.integers(20, 140)), int(rng.integers(0, 40))
        cut = picture.rotate(float(rng.normal(0, 9)), BICUBIC, center=(224, 120), fillcolor=GRAY)
        cut = cut.crop((x, y, x + side, y + side)).resize((224, 224), Pillow.Resampling.LANCZOS)
        cut = ImageEnhance.Brightness(cut).enhance(float(rng.uniform(0.45, 1.3)))
        made.append(cut.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 2.2)))))
    return made


def _averages(recognizer: Recognizer) -> Plot:
    found = [recognizer.align(photo(one)) for one in _versions(demo_photos.portrait(), 30)]
    found = [one for one in found if len(one.faces) == 1]
    before = np.stack([one.image.pixels for one in found])
    after = np.stack([one.chips[0].pixels[0] for one in found])
    points = np.stack([one.faces[0].points for one in found])
    moved = np.stack([
        one.faces[0].points @ one.chips[0].to_chip[0][:, :2].T + one.chips[0].to_chip[0][:, 2]
        for one in found
    ])  # fmt: skip
    return average_faces.draw(before, after, points, moved)


def _plane(recognizer: Recognizer) -> Plot:
    """Return two people in the plane of their vectors' first two principal axes."""
    people, vectors = [], []
    for name, picture in (("Eileen", demo_photos.portrait()), ("stranger", demo_photos.stranger())):
        for one in _versions(picture, 16):
            found = recognizer.analyze(photo(one))
            if found.embeddings is not None and len(found.embeddings):
                people.append(name)
                vectors.append(found.embeddings.vectors[0])
    centered = np.array(vectors, np.float64)
    centered -= centered.mean(axis=0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    return scatter.draw(
        centered @ axes[:2].T, people, method="principal axes", title="Versions of two portraits"
    )


def floors(_: Recognizer) -> None:
    """The floors, from the contract that the checks enforce; rooms to come are dashed."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    says = {
        "cli": "flags and text; prints", "lab": "protocols, a folder each",
        "report": "figures, pages", "wire": "JSON, tables, options",
        "jobs": "many photos, resumed", "recognition": "joins the stages, speaks vectors",
        "gallery": "knows vectors, never models", "compare": "scores, thresholds",
        "models": "records, weights, by id", "datasets": "readers", "runtime": "opens engines",
        "geometry": "plain arrays", "imaging": "files to pixels", "files": "whole or not at all",
        "types": "what travels, the ports", "errors": "one tree", "server": "HTTP",
        "train": "networks", "video": "films, cameras, tracks", "client": "asks a server",
        "liveness": "attacks told",
    }  # fmt: skip
    rows = [
        [room.strip("() ") for room in layer.replace(":", "|").split("|")] for layer in contract
    ]
    drawn = [[(room, says.get(room, ""), not _exists(room)) for room in rooms] for rooms in rows]
    text = (
        "a package may import what lies below it; rooms of one floor are strangers; dashed: to come"
    )
    save_stairs(drawn, text, "floors")


#: the values of a photo that is identified: room, the function that gives it, its name, what it is
WALK = (
    ("imaging.read:opened", "Encoded", "the bytes, read and hashed once"),
    ("imaging.read:Encoded.decoded", "Image", "upright pixels"),
    ("preprocess.photometric:Preprocessing.apply", "Image", "light evened, where asked"),
    ("detect.models.yunet:YuNet.detect", "Faces", "boxes and points"),
    ("detect.attempts:find", "Analysis", "all that was found, to which every step adds"),
    ("align.chips:chips", "Chips", "faces in their place"),
    ("embed.batch:OnnxEmbedder.embed", "Embeddings", "vectors and their space"),
    ("gallery.gallery:Gallery.candidates", "CandidateList", "the nearest people, among how many"),
    ("recognition.naming:decide", "CandidateList", "decided: a name, or why none"),
    ("recognition.photo_gallery:PhotoGallery.name_faces", "Identification",
     "the answer for every face"),
    ("wire.records:identify_record", "dict", "plain data: JSON, a line of CSV"),
)  # fmt: skip

#: parts of drawn values, and the value that each is a part of
PARTS = {
    "PhotoInfo": "Analysis", "Landmarks": "Faces", "Scheme": "Faces", "Face": "Faces",
    "Box": "Faces", "Space": "Embeddings", "Candidate": "CandidateList",
    "IdentifiedFace": "Identification",
}  # fmt: skip


def values_of_the_walk() -> set[str]:
    """The drawn values that are classes of facelign."""
    return {value for _, value, _ in WALK if value[0].isupper()}


def picture_of_values(_: Recognizer) -> None:
    """The values of one photo through ``identify``; tests hold the list against a real call."""
    drawn = [
        [(value if value != "dict" else "record", f"{where.replace(':', '.')}: {what}", False)]
        for where, value, what in WALK
    ]
    save_stairs(drawn, "one photo through identify: each call of the walk, and what it gives",
                "values")  # fmt: skip


def save_stairs(rows: list[list[tuple[str, str, bool]]], text: str, name: str) -> None:
    """Write rows of (title, words, dashed) boxes from top to bottom, with an arrow down."""
    width, height, gap = 960, 62, 12
    total = (len(rows) - 1) * (height + gap) + height + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" '
        'font-family="system-ui, sans-serif" font-size="15">',
        f'<rect width="{width}" height="{total}" fill="#ffffff"/>',
    ]
    for number, boxes in enumerate(rows):
        y = number * (height + gap)
        box_width = (width - 80 - (len(boxes) - 1) * 8) / len(boxes)
        for k, (title, words, dashed) in enumerate(boxes):
            x = 70 + k * (box_width + 8)
            look = 'fill="#ffffff" stroke-dasharray="5 4"' if dashed else 'fill="#eef4f9"'
            middle = f'x="{x + box_width / 2:.1f}"'
            out.append(
                f'<rect x="{x:.1f}" y="{y + 10}" width="{box_width:.1f}" height="{height}" rx="6" '
                f'{look} stroke="#0072B2"/>'
                f'<text {middle} y="{y + 38}" text-anchor="middle" font-weight="600">'
                f"{escape(title)}</text>"
            )
            if words:
                out.append(
                    f'<text {middle} y="{y + 58}" text-anchor="middle" font-size="11.5" '
                    f'fill="#555">{escape(words)}</text>'
                )
    out.append(
        f'<path d="M35 25 V{total - 45}" stroke="#555" stroke-width="2" fill="none"/>'
        f'<path d="M28 {total - 52} L35 {total - 38} L42 {total - 52} Z" fill="#555"/>'
        f'<text x="35" y="{total - 12}" font-size="12" fill="#555" text-anchor="start">'
        f"{escape(text)}</text></svg>"
    )
    target = TARGET / f"{name}.svg"
    target.write_text("\n".join(out) + "\n", encoding="utf-8")
    print(target.relative_to(ROOT))


def _exists(room: str) -> bool:
    return (ROOT / "src" / "facelign" / room / "__init__.py").is_file() or room == "errors"


PICTURES = {
    "walk": walk, "detect": detect, "read": picture_of_read, "preprocess": preprocess,
    "landmark": landmark, "align": align, "embed": embed, "shapes": shapes,
    "occlusion": occlusion, "detectors": detectors,
    "compare": compare, "gallery": gallery, "named": named,
    "quality": quality, "liveness": liveness, "films": films, "challenge": challenge,
    "backgrounds": backgrounds, "hog": picture_of_hog,
    "gallery-size": sizes, "cameras": cameras, "plots": examples,
    "photo-plots": photo_plots,
    "floors": floors, "values": picture_of_values,
    "networks": networks, "retrained": retrained, "pathways": pathways,
}  # fmt: skip
#: these need no model
PLAIN = {"gallery-size", "cameras", "plots", "floors", "values", "networks", "preprocess"}


def save(plot: Plot, name: str, dpi: int = 100) -> None:
    """Write a plot as a PNG."""
    _save(plot.figure, name, dpi, photos=plot.photos)


def save_figure(figure, name: str, *, photos: bool = True) -> None:
    """Write a figure as a PNG."""
    style.settle(figure)
    _save(figure, name, photos=photos)


def _save(figure, name: str, dpi: int = 100, *, photos: bool) -> None:
    """Write a figure without empty edges: photos in all of their colors, lines in a few.

    A palette puts bands into skin, and makes a drawing of lines a third of the size.
    """
    target = TARGET / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.08)
    picture = Pillow.open(out).convert("RGB")
    if not photos:
        picture = picture.quantize(128, dither=Pillow.Dither.NONE)
    picture.save(target, optimize=True)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def main(names: list[str]) -> None:
    """Draw the named pictures, or all."""
    wanted = names or list(PICTURES)
    recognizer = None if set(wanted) <= PLAIN else Recognizer()
    for name in wanted:
        PICTURES[name](recognizer)


if __name__ == "__main__":
    main(sys.argv[1:])
