"""Draw two faces' vectors and their distance as barcodes (needs the extra ``report``).

python examples/barcode.py portrait.jpg again.jpg barcode.png
"""

import sys

import facelign
from facelign.report import plots


def main(a: str, b: str, out: str) -> None:
    recognizer = facelign.Recognizer()
    found = [recognizer.analyze(photo) for photo in (a, b)]
    decision = recognizer.verify(a, b)
    drawn = plots.find("barcode")(
        tuple(result.image.pixels for result in found),
        tuple(result.embeddings.vectors[0] for result in found),
        names=(a, b),
        verdict="same person" if decision.is_match else "different people",
    )
    print(drawn.save(out))


if __name__ == "__main__":
    main(*sys.argv[1:4])
