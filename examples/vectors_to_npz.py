"""Write the vectors of all faces of a folder, with the space they live in, for tools of your own.

python examples/vectors_to_npz.py album vectors.npz
"""

import sys
from pathlib import Path

import numpy as np

import facelign


def main(folder: str, out: str) -> None:
    recognizer = facelign.Recognizer("default")
    photos, boxes, vectors = [], [], []
    for result in recognizer.analyze(sorted(Path(folder).iterdir())):
        if result.error or result.embeddings is None:
            continue
        for index in result.embedded:
            photos.append(result.photo.source)
            boxes.append(result.faces.boxes[index])
        vectors.append(result.embeddings.vectors)
    matrix = np.vstack(vectors) if vectors else np.zeros((0, recognizer.space.dim), np.float32)
    np.savez(out, vectors=matrix, boxes=boxes, photos=photos, space=recognizer.space.id)
    print(f"{len(matrix)} faces in space {recognizer.space.id}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
