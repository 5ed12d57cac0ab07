"""Converters for dlib's published weight files: ``.dat`` or ``.dat.bz2`` in, ONNX or npz out.

They run once, on the user's machine, and execute nothing that is in the file. A graph is run
against its unfolded form on a probe before it is written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.errors import BadArray, WeightsCorrupt
from facelign.models.convert.dlib_graph import descriptor_graph, mmod_graph
from facelign.models.convert.dlib_network import MmodLossOptions, parse_descriptor, parse_mmod
from facelign.models.convert.dlib_reader import corrupt, read_raw
from facelign.models.convert.dlib_shape import parse_shape, write_shape
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

#: largest difference between folded and unfolded graph, relative to the largest number (seen: 1e-6)
FOLDING_TOLERANCE = 1e-5
#: the options of the published face detector, which ``detect.models.mmod`` decodes with
MMOD_OPTIONS = MmodLossOptions((80, 80), 0.3382761351109955, 1.0)


def convert_resnet(raw: Path, out: Path) -> None:
    """Write dlib's face descriptor network as ONNX; raises WeightsCorrupt.

    The graph: ``chips`` (n, 150, 150, 3) uint8 RGB -> ``vectors`` (n, 128) float32, not of unit
    length.
    """
    network = parse_descriptor(read_raw(raw))
    graph = descriptor_graph(network)
    rng = np.random.default_rng(0)
    probe = rng.integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    _verify(graph, descriptor_graph(network, folded=False), {"chips": probe})
    out.write_bytes(graph)


def convert_mmod(raw: Path, out: Path) -> None:
    """Write dlib's MMOD face detector as ONNX; raises WeightsCorrupt.

    The graph: ``tiles`` (1, 3, h, w) float32, (RGB - mean) / 256, -> ``scores`` (1, 1, r, c).
    """
    network, options = parse_mmod(read_raw(raw))
    if options != MMOD_OPTIONS:
        raise corrupt(f"a detector with other options, {options}")
    graph = mmod_graph(network)
    rng = np.random.default_rng(0)
    probe = rng.uniform(-0.5, 0.5, (1, 3, 96, 104)).astype(np.float32)
    _verify(graph, mmod_graph(network, folded=False), {"tiles": probe})
    out.write_bytes(graph)


def convert_shape(raw: Path, out: Path) -> None:
    """Write a dlib shape predictor as ``.npz`` without pickles; raises WeightsCorrupt."""
    write_shape(parse_shape(read_raw(raw)), out)


def _verify(folded: bytes, plain: bytes, probe: dict[str, AnyArray]) -> None:
    """Raise WeightsCorrupt unless both graphs give the same finite numbers for the probe."""
    try:
        got, wanted = Session(folded).run(probe)[0], Session(plain).run(probe)[0]
    except BadArray as problem:
        raise corrupt("its layers do not fit together") from problem
    if not (np.isfinite(got).all() and np.isfinite(wanted).all()):
        raise corrupt("its network gives infinite numbers")
    largest = float(np.abs(wanted).max())
    difference = float(np.abs(got - wanted).max())
    if difference > FOLDING_TOLERANCE * max(1.0, largest):
        raise WeightsCorrupt(
            f"The converted network does not give what the file gives (off by {difference:.3g}).",
            "Please report this with the digest of the file.",
        )
