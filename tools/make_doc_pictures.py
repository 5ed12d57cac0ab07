"""Draw the pictures of the documents with facelign itself, from scikit-image's portrait.

    python tools/make_doc_pictures.py [NAME ...]

Needs the weights of the default preset; `landmark` also those of dlib-5 and dlib-68. Run it when a
stage changes what it shows, look at the result, and commit it.
"""

from __future__ import annotations

import io
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import network_drawing
import numpy as np
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageFilter, ImageOps
from skimage import data

from facelign import models
from facelign.align.chips import chips
from facelign.imaging.read import read
from facelign.lab.alignment import report as study
from facelign.lab.alignment.run import Bench
from facelign.models import load
from facelign.models.weights.store import Store
from facelign.preprocess import photometric
from facelign.recognition.drawing import draw
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.report import plots, style
from facelign.report.plot import Plot, Series
from facelign.report.plots import barcode, chain, gallery_size, hog, similarity
from facelign.types.image import Image
from facelign.types.specs import Task

ROOT = Path(__file__).resolve().parents[1]
BICUBIC = Pillow.Resampling.BICUBIC
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
    return Pillow.fromarray(PORTRAIT).rotate(
        degrees, Pillow.Resampling.BICUBIC, fillcolor=(128, 128, 128)
    )


@contextmanager
def scratch(recognizer: Recognizer) -> Iterator[PhotoGallery]:
    """Give a gallery that knows the portrait, and is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.db"
        with PhotoGallery(path, recognizer) as made:
            made.enroll("Eileen", [portrait()])
            yield made


VARIANTS = ("as it is", "turned 15 deg", "dark", "mirrored", "blurred", "face 50 px", "face 25 px")


def marked(ax, image: Image, faces, title: str = "") -> None:
    """Show a photo with boxes and points."""
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
            size = 26 if len(face.points) <= 5 else 7
            ax.scatter(*face.points.T, s=size, c=style.SKY, edgecolors="black", linewidths=0.6)


def drawn_faces(image: Image, faces) -> np.ndarray:
    """Return the photo with boxes and points as pixels."""
    figure, (ax,) = style.figure(4.4, 4.4)
    marked(ax, image, faces)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100)
    return np.asarray(Pillow.open(out).convert("RGB"))


def walk(recognizer: Recognizer) -> None:
    """The five steps in one picture (A4-18)."""
    photo = changed("dark")
    lit = photometric.parse("gamma=2.2").apply(photo)
    aligned = recognizer.align(portrait())
    with scratch(recognizer) as gallery:
        answer = gallery.identify(changed("turned 15 deg")).faces[0].answer
    best = answer.candidates[0]
    limit = answer.threshold.threshold.score if answer.threshold else None
    vector = recognizer.analyze(portrait()).embeddings.vectors[0]
    steps = [
        chain.ChainStep("preprocess", "upright, RGB; optional light", np.hstack(
            [photo.pixels[:, :256], lit.pixels[:, 256:]])),
        chain.ChainStep("detect", "a box and five points", drawn_faces(portrait(), aligned.faces)),
        chain.ChainStep("align", f"{aligned.chips[0].layout}", aligned.chips[0].pixels[0]),
        chain.ChainStep("embed", f"{len(vector)} numbers", vector=vector),
        chain.ChainStep("recognize", f"{answer.person or 'Unknown'}: above the threshold",
                   bars=((best.person, best.score),)),
    ]  # fmt: skip
    save(chain.draw(steps, threshold=limit), "walk")


def detect(recognizer: Recognizer) -> None:
    """Box and points, plain and after turning."""
    figure, axes = style.figure(9, 4.6, columns=2)
    plain = recognizer.detect(portrait())
    marked(axes[0], portrait(), plain.faces, f"{len(plain.faces)} face, {_tries(plain.attempts)}")
    side = Image.from_array(np.rot90(PORTRAIT).copy(), order="rgb", source="sideways")
    found = recognizer.detect(side)
    marked(axes[1], side, found.faces, f"on its side: {_tries(found.attempts)}")
    save_figure(figure, "detect")


def _tries(attempts) -> str:
    return "at the first look" if not attempts else "tried " + ", ".join(attempts)


def picture_of_read(recognizer: Recognizer) -> None:
    """Eight EXIF orientations, read."""
    figure, axes = style.figure(9.6, 5.0, rows=2, columns=4)
    back = {
        1: None, 2: Pillow.Transpose.FLIP_LEFT_RIGHT, 3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM, 5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90, 7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }  # fmt: skip
    for code, ax in zip(back, axes, strict=True):
        stored = Pillow.fromarray(PORTRAIT[:, 64:448])
        if back[code] is not None:
            stored = stored.transpose(back[code])
        exif = Pillow.Exif()
        exif[274] = code
        out = io.BytesIO()
        stored.save(out, "JPEG", quality=92, exif=exif)
        image = read(out.getvalue())
        marked(ax, image, recognizer.detect(image).faces, f"orientation {code}")
    save_figure(figure, "read")


def preprocess(_: Recognizer) -> None:
    """What each step does to a dark photo."""
    dark = changed("dark")
    texts = ("", "luma-equalize", "gamma=1.8", "clahe")
    figure, axes = style.figure(10, 3.0, columns=4)
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
    figure, axes = style.figure(12.4, 2.9, columns=1 + len(names))
    marked(axes[0], image, faces, "turned by 35 degrees")
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
    other = Image.from_array(
        np.asarray(ImageEnhance.Brightness(turned(15)).enhance(0.5)), order="rgb", source="copy"
    )
    found = [recognizer.analyze(photo) for photo in (portrait(), other)]
    decision = recognizer.compare(portrait(), other, threshold=_limit(recognizer)).decision
    drawn = barcode.draw(
        (PORTRAIT[HEAD], other.pixels[HEAD]),
        (found[0].embeddings.vectors[0], found[1].embeddings.vectors[0]),
        names=("portrait", "dark, turned copy"),
        verdict="same person" if decision.is_match else "different people",
    )
    save(drawn, "embed")


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
    save(drawn, "shapes")


def pathways(_: Recognizer) -> None:
    """Training and testing of two arms of the alignment study, with two cuts of the portrait."""
    head = Pillow.fromarray(PORTRAIT)
    sides = [head.crop((56, 0, 456, 400)), head.rotate(12, BICUBIC).crop((40, 0, 400, 300))]
    bench = Bench(["sface"], ["yunet"], ["none", "five"], workers=1)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(2)]
        for side, path in zip(sides, paths, strict=True):
            side.save(path)
        shown = bench.shown(paths, "sface", "yunet")
    drawn = study.pathways_of([np.asarray(side) for side in sides], shown, "sface")
    for plot, name in zip(drawn, ("unaligned", "aligned"), strict=True):
        save(plot, f"pathway-{name}")


def _limit(recognizer: Recognizer):
    return None if recognizer.calibration else 0.36


def compare(recognizer: Recognizer) -> None:
    """Cosine between versions of the portrait."""
    vectors = np.vstack([recognizer.analyze(changed(v)).embeddings.vectors[:1] for v in VARIANTS])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    limit = recognizer.threshold().score if recognizer.calibration else None
    save(similarity.draw(vectors @ vectors.T, VARIANTS, threshold=limit), "compare")


def gallery(recognizer: Recognizer) -> None:
    """An identified photo of two faces; the mirrored one may not have the same name."""
    crowd = np.hstack([PORTRAIT[:330, 60:400], PORTRAIT[:330, 60:400][:, ::-1]])
    image = Image.from_array(crowd.copy(), order="rgb", source="two faces")
    with scratch(recognizer) as people:
        result = people.identify(image)
    figure, (ax,) = style.figure(7.4, 3.8)
    marked(ax, image, result.analysis.faces)
    for face in result.faces:
        best = face.answer.candidates[0] if face.answer.candidates else None
        score = f" {best.score:.2f}" if best and face.person else ""
        text = f"{face.person or 'Unknown'}{score}"
        ax.text(face.face.box.x1, face.face.box.y1 - 6, text, fontsize=11,
                bbox={"facecolor": style.YELLOW, "edgecolor": "none", "pad": 2})  # fmt: skip
    save_figure(figure, "gallery")


def named(recognizer: Recognizer) -> None:
    """Enrolled from one photo, named in others: what ``identify --draw`` writes, side by side."""
    with scratch(recognizer) as people:
        photos = [changed(name) for name in ("turned 15 deg", "dark", "mirrored")]
        shown = [draw(photo, people.identify(photo)).crop((0, 0, 512, 384)) for photo in photos]
    whole = Pillow.new("RGB", (sum(one.width for one in shown) + 16, shown[0].height), "white")
    for place, one in enumerate(shown):
        whole.paste(one, (place * (one.width + 8), 0))
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
    save_figure(figure, "quality")


def picture_of_hog(recognizer: Recognizer) -> None:
    """HOG of the face (A4-19)."""
    box = recognizer.detect(portrait()).faces[0].box
    x, y = box.center
    half = max(box.width, box.height) * 0.75
    cut = Pillow.fromarray(PORTRAIT).crop(
        (round(x - half), max(0, round(y - half)), round(x + half), round(y + half))
    )
    pixels = np.asarray(cut.resize((256, 256), Pillow.Resampling.LANCZOS))
    save(hog.draw(pixels), "hog")


def sizes(_: Recognizer) -> None:
    """Why a fixed threshold names strangers: arithmetic, not a measurement."""
    n = np.array([1, 3, 10, 30, 100, 300, 1000, 3000], float)
    lines = [
        Series("fixed threshold (FMR 1e-3)", n, 1 - 0.999**n),
        Series("threshold by gallery size (FMR 1e-2 / n)", n, 1 - (1 - 0.01 / n) ** n),
    ]
    save(gallery_size.draw(lines, target=0.01), "gallery-size")


def networks(_: Recognizer) -> None:
    """The two networks of the article, their last layer dropped (A1-25)."""
    save(
        network_drawing.draw(network_drawing.VGG_FACE, title="VGG-Face (2015)"),
        "network-vgg-face",
        dpi=60,
    )
    save(
        network_drawing.draw(network_drawing.DEEPFACE, title="DeepFace (2014)"),
        "network-deepface",
        dpi=70,
    )


def examples(_: Recognizer) -> None:
    """Every figure of the report, from made-up numbers."""
    for name in plots.names():
        save(plots.example(name), f"plots/{name}", dpi=70)


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
    ("imaging", "imaging.read:read", "Image", "upright pixels, read once"),
    ("detect", "types.contracts:Detector.detect", "Faces", "boxes and points"),
    ("recognition", "recognition.finding:Finder.find", "Analysis", "all that was found"),
    ("align", "align.chips:chips", "Chips", "faces in their place"),
    ("embed", "types.contracts:Embedder.embed", "Embeddings", "vectors and their space"),
    ("gallery", "gallery.gallery:Gallery.search", "Candidate", "a person and a score"),
    ("recognition", "recognition.naming:decide", "CandidateList", "a name, or why none"),
    ("recognition", "recognition.photo_gallery:PhotoGallery.name_faces", "Identification",
     "the answer for every face"),
    ("wire", "wire.records:identify_record", "dict", "plain data: JSON, a line of CSV"),
)  # fmt: skip


def picture_of_values(_: Recognizer) -> None:
    """The values of one photo through ``identify``; tests hold the list against the code."""
    drawn = [
        [(value if value != "dict" else "record", f"{where.replace(':', '.')}: {what}", False)]
        for _, where, value, what in WALK
    ]
    save_stairs(drawn, "one photo through identify: each value is made once, from the one above",
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
    "compare": compare, "gallery": gallery, "named": named,
    "quality": quality, "hog": picture_of_hog, "gallery-size": sizes, "plots": examples,
    "floors": floors, "values": picture_of_values,
    "networks": networks, "pathways": pathways,
}  # fmt: skip
#: these need no model
PLAIN = {"gallery-size", "plots", "floors", "values", "networks", "preprocess"}


def save(plot: Plot, name: str, dpi: int = 100) -> None:
    """Write a plot as a small PNG."""
    save_bytes(plot.png(dpi), name)


def save_figure(figure, name: str) -> None:
    """Write a figure as a small PNG."""
    style.settle(figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100)
    save_bytes(out.getvalue(), name)


def save_bytes(content: bytes, name: str) -> None:
    """Write a PNG of 256 colors, which is a third of the size."""
    target = TARGET / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = Pillow.open(io.BytesIO(content)).convert("RGB")
    picture.quantize(256, dither=Pillow.Dither.FLOYDSTEINBERG).save(target, optimize=True)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def main(names: list[str]) -> None:
    """Draw the named pictures, or all."""
    wanted = names or list(PICTURES)
    recognizer = None if set(wanted) <= PLAIN else Recognizer()
    for name in wanted:
        PICTURES[name](recognizer)


if __name__ == "__main__":
    main(sys.argv[1:])
