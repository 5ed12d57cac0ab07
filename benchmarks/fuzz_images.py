"""Mutated pictures by the thousand: the reader must give a picture or one sentence, always.

    python benchmarks/fuzz_images.py [--count 10000] [--memory-mb 1500] [--seconds 20] [--out F]

The seeds are made here from the portrait, in every format that is read. Each file runs in a
worker process under a limit of address space, with an alarm; a worker that dies or hangs counts
as a crash or a hang, and its file is kept. Prints one JSON record.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import platform
import random
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

Change = Callable[[bytearray, random.Random], bytes]


def seeds() -> dict[str, bytes]:
    """Return small pictures of every format and of the modes that take other code."""
    from PIL import Image as Pillow
    from skimage import data

    portrait = Pillow.fromarray(data.astronaut()).crop((150, 40, 310, 220)).resize((80, 90))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    made: dict[str, bytes] = {}

    def add(name: str, form: str, mode: str = "RGB", **options: object) -> None:
        buffer = io.BytesIO()
        portrait.convert(mode).save(buffer, form, **options)
        made[name] = buffer.getvalue()

    add("baseline.jpg", "JPEG", quality=85, exif=exif)
    add("progressive.jpg", "JPEG", progressive=True)
    add("restarts.jpg", "JPEG", restart_marker_blocks=3)
    add("gray.jpg", "JPEG", "L")
    add("cmyk.jpg", "JPEG", "CMYK")
    add("rgb.png", "PNG", exif=exif)
    add("rgba.png", "PNG", "RGBA")
    add("palette.png", "PNG", "P", transparency=3)
    add("bits.png", "PNG", "1")
    add("lossy.webp", "WEBP", exif=exif)
    add("lossless.webp", "WEBP", "RGBA", lossless=True)
    add("a.gif", "GIF")
    add("a.bmp", "BMP")
    add("a.ppm", "PPM")
    add("a.pgm", "PPM", "L")
    add("plain.tif", "TIFF", exif=exif)
    add("lzw.tif", "TIFF", compression="tiff_lzw")
    add("deflate.tif", "TIFF", "RGBA", compression="tiff_adobe_deflate")
    add("jpeg.tif", "TIFF", compression="jpeg")
    add("fax.tif", "TIFF", "1", compression="group4")
    add("a.avif", "AVIF", quality=60, exif=exif)
    frames = [portrait.rotate(turn) for turn in (90, 180)]
    add("animated.gif", "GIF", save_all=True, append_images=[f.convert("P") for f in frames])
    add("animated.png", "PNG", save_all=True, append_images=frames)
    add("animated.webp", "WEBP", save_all=True, append_images=frames)
    gray = np.asarray(portrait.convert("L")).astype(np.uint16) * 257
    for form in ("PNG", "TIFF"):
        buffer = io.BytesIO()
        Pillow.fromarray(gray).save(buffer, form)
        made[f"gray16.{form.lower()}"] = buffer.getvalue()
    try:
        import pillow_heif
    except ImportError:
        return made
    buffer = io.BytesIO()
    pillow_heif.from_pillow(portrait).save(buffer, quality=60)
    made["a.heic"] = buffer.getvalue()
    return made


def _flip(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 2, 8, 40))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _flip_header(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 2, 4))):
        data[rng.randrange(min(len(data), 200))] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
    return bytes(data)


def _large_number(data: bytearray, rng: random.Random) -> bytes:
    at, size = rng.randrange(min(len(data), 400)), rng.choice((2, 4))
    data[at : at + size] = rng.choice((b"\xff", b"\0", b"\x7f", b"\x80")) * size
    return bytes(data)


def _cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _remove(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 7, 64, 500))]
    return bytes(data)


def _repeat(data: bytearray, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice((1, 4, 12, 300))
    data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
    return bytes(data)


def _swap(data: bytearray, rng: random.Random) -> bytes:
    size = rng.choice((4, 16, 100))
    a, b = (rng.randrange(max(1, len(data) - size)) for _ in range(2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return bytes(data)


CHANGES: tuple[Change, ...] = (_flip, _flip_header, _large_number, _cut, _remove, _repeat, _swap)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the file with one to three kinds of damage."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if data:
            data = rng.choice(CHANGES)(bytearray(data), rng)
    return data


def outcome(data: bytes, at_least: int | None = None) -> str:
    """Return "read", the name of the refusal, or what must not happen, in capitals."""
    from facelign.errors import FacelignError
    from facelign.imaging.read import read

    try:
        image = read(data, at_least=at_least)
    except FacelignError as error:
        sentence = error.message.endswith(".") and "\n" not in error.message and bool(error.hint)
        return type(error).__name__ if sentence else f"NO SENTENCE: {error.message!r}"
    except BaseException as error:  # noqa: BLE001 - catching what escapes is the point
        return f"ESCAPED {type(error).__name__}: {error}"
    tall, wide = image.pixels.shape[:2]
    whole = (round(image.size[0] * image.scale), round(image.size[1] * image.scale))
    near = abs(whole[0] - wide) <= 1 and abs(whole[1] - tall) <= 1
    return "read" if near and wide * tall <= 100_000_000 else f"WRONG SIZE {image.size}"


def _worker(numbers: range, seed: int, memory_mb: int, seconds: int, out: str) -> None:
    """Read the mutants of ``numbers``; a line a file, so that a death names its file."""
    warnings.simplefilter("error")  # a warning that escapes is an error
    files = sorted(seeds().items())
    now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (now + memory_mb * 2**20,) * 2)

    def late(*_: object) -> None:
        raise TimeoutError("too slow")

    signal.signal(signal.SIGALRM, late)
    with Path(out).open("a", encoding="utf-8") as log:
        for number in numbers:
            rng = random.Random(f"{seed}-{number}")
            name, good = files[number % len(files)]
            data = mutated(good, rng)
            log.write(json.dumps({"start": number}) + "\n")
            log.flush()
            signal.alarm(seconds)
            began = time.perf_counter()
            what = outcome(data, rng.choice((None, None, 30)))
            signal.alarm(0)
            spent = time.perf_counter() - began
            log.write(json.dumps({"n": number, "seed": name, "what": what, "s": spent}) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=1500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("fuzz-images.jsonl"))
    options = parser.parse_args()
    options.out.unlink(missing_ok=True)
    began, next_one, deaths = time.perf_counter(), 0, []
    context = multiprocessing.get_context("spawn")
    while next_one < options.count:
        work = range(next_one, min(next_one + 500, options.count))
        arguments = (work, options.seed, options.memory_mb, options.seconds, str(options.out))
        child = context.Process(target=_worker, args=arguments)
        child.start()
        child.join(options.seconds * 4 + 300)
        if child.is_alive():
            child.kill()
            child.join()
        started = [json.loads(line) for line in options.out.read_text("utf-8").splitlines()]
        last = max((row["start"] for row in started if "start" in row), default=work[0])
        next_one = work[-1] + 1
        if child.exitcode != 0:
            deaths.append({"number": last, "exit": child.exitcode})
            next_one = last + 1
    rows = [json.loads(line) for line in options.out.read_text("utf-8").splitlines()]
    done = [row for row in rows if "what" in row]
    counts = Counter(row["what"] for row in done)
    wrong = [row for row in done if row["what"].split()[0].isupper()]
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    import cv2
    import PIL

    record = {
        "files": len(done),
        "outcomes": dict(counts.most_common(12)),
        "wrong": wrong[:20],
        "deaths": deaths,
        "slowest": sorted(done, key=lambda row: -row["s"])[:3],
        "peak_mb": round(usage.ru_maxrss / 1024),
        "memory_limit_mb": options.memory_mb,
        "seconds": round(time.perf_counter() - began, 1),
        "versions": {"python": platform.python_version(), "pillow": PIL.__version__}
        | {"opencv": cv2.__version__, "machine": platform.machine()},
    }
    sys.stdout.write(json.dumps(record, indent=1) + "\n")
    return 1 if wrong or deaths or len(done) != options.count else 0


if __name__ == "__main__":
    raise SystemExit(main())
