"""``facelign embed``: the vector of every face."""

from __future__ import annotations

from facelign.cli import options
from facelign.cli.exits import Exit


def embed(
    photos: options.Photos,
    json: options.Json = False,
    draw: options.Draw = None,
    out: options.Out = None,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    landmarks: options.LandmarksModel = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
    flip: options.Flip = None,
    preprocess: options.Preprocess = "",
    downscale: options.Downscale = 1.0,
    padded: options.Padded = True,
    rotate: options.Rotate = True,
    workers: options.Workers = None,
) -> int:
    """Turn every face into a vector. Vectors are biometric data: keep them as such."""
    from facelign.cli import building
    from facelign.cli.output import emit, failure, line, progress
    from facelign.cli.pictures import Pictures
    from facelign.wire import records
    from facelign.wire.tables import Table

    found = building.listing(photos)
    recognizer = building.recognizer(
        preset=preset,
        detector=detector,
        landmarks=landmarks,
        model=model,
        layout=layout,
        flip=flip,
        preprocess=preprocess,
        downscale=downscale,
        padded=padded,
        rotate=rotate,
        workers=workers,
    )
    space = recognizer.space
    pictures = Pictures(draw, found)
    failed = False
    with Table(out) as table, progress("embedding", len(found.files)) as done:
        for record in found.missing:
            failed = True
            emit(record) if json else failure(record["image"], record["error"])
            table.add(record)
        for result in recognizer.stream(found.files, keep=draw is not None, done=done):
            record = records.embed_record(result, space.id)
            failed |= record["error"] is not None
            table.add(record)
            pictures.faces(result, [f"{face.score:.2f}" for face in result.faces])
            if json:
                emit(record)
            elif record["error"]:
                failure(record["image"], record["error"])
            else:
                with_vector = sum(f["embedding"] is not None for f in record["faces"])
                line(
                    f"{record['image']}: {with_vector} of {len(record['faces'])} faces embedded, "
                    f"{space.dim} numbers each in space {space.id}"
                )
    return Exit.INPUT if failed else Exit.DONE
