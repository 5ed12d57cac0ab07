"""What the records of face-api's networks share: where their files lie, and their license."""

from __future__ import annotations

from facelign.types.specs import License, WeightFile

PACKAGE = "@vladmandic/face-api@1.7.15"


def weights(
    name: str, converter: str, net: tuple[str, int], manifest: tuple[str, int]
) -> tuple[WeightFile, WeightFile]:
    """Return the records of the bytes and of the manifest of a network, as the package has them.

    net, manifest: SHA-256 and size, bytes.
    """
    names = f"model/{name}_model.bin", f"model/{name}_model-weights_manifest.json"
    return WeightFile.pair(PACKAGE, names, net, manifest, converter)


def license_of(training_data: str, note: str) -> License:
    """Return the license of the package, which holds the weights too."""
    return License("MIT", "MIT", training_data, "yes", note)
