"""A network as the blocks that it is made of: in the order of the walk, with what each reads.

The walk is traced (torch.fx), so that branches and joins are those of the network itself, and
nothing is told twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from facelign.report.plot import Plot
from facelign.report.plots import network as figure
from facelign.report.plots.network import BlockMark, DrawnLayer

#: modules that change numbers in their place: they are told with the block before
_IN_PLACE = (nn.modules.batchnorm._BatchNorm, nn.PReLU, nn.LayerNorm)
#: blocks of a row in a picture
_COLUMNS = 6
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def drawn(network: nn.Module, size: tuple[int, int], title: str) -> Plot:
    """Return the picture of a network: what learns is marked, what stays as it came is not."""
    layers = layers_of(network, size)
    learn = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    every = sum(weight.numel() for weight in network.parameters())
    return figure.draw(
        layers, title=f"{title}: {learn:,} of {every:,} parameters are trained", columns=_COLUMNS
    )


class _Blocks(fx.Tracer):
    """Traces a network down to its blocks."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Say whether a module is one block: what a backbone or a row of several holds is not."""
        if isinstance(m, nn.Sequential):
            return len(_weighty(m)) <= 1 and not any(list(part.children()) for part in m)
        return module_qualified_name != "backbone"


def layers_of(network: nn.Module, size: tuple[int, int]) -> list[DrawnLayer]:
    """Return the blocks of a network that reads squares (n, 3, height, width) of ``size``.

    A block is marked as trained where any of its weights learns, else as kept.
    """
    network = network.eval()
    graph = _Blocks().trace(network)
    traced = fx.GraphModule(network, graph)
    with torch.inference_mode():
        ShapeProp(traced).propagate(torch.zeros(1, 3, size[1], size[0]))  # type: ignore[no-untyped-call, unused-ignore]
    layers = [DrawnLayer("input", (size[1], size[0], 3), inputs=())]
    comes_of: dict[fx.Node, tuple[int, ...]] = {}
    for node in graph.nodes:
        sources = tuple(
            dict.fromkeys(place for before in node.all_input_nodes for place in comes_of[before])
        )
        if node.op == "placeholder":
            comes_of[node] = (0,)
            continue
        module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
        weights = [] if module is None else list(module.parameters())
        if module is None or not weights:
            comes_of[node] = sources
        elif isinstance(module, _IN_PLACE) and len(sources) == 1 and sources[0]:
            layers[sources[0]] = _with(layers[sources[0]], weights)
            comes_of[node] = sources
        else:
            name = _name(module, str(node.target))
            made = DrawnLayer(name, _shape(node), inputs=sources)
            layers.append(_with(made, weights))
            comes_of[node] = (len(layers) - 1,)
    return layers


def _with(layer: DrawnLayer, weights: list[nn.Parameter]) -> DrawnLayer:
    """Return a layer with further weights."""
    learns = layer.mark is BlockMark.TRAINED or any(one.requires_grad for one in weights)
    count = layer.parameters + sum(one.numel() for one in weights)
    mark = BlockMark.TRAINED if learns else BlockMark.KEPT
    return DrawnLayer(layer.name, layer.shape, mark, layer.inputs, count)


def _weighty(row: nn.Sequential) -> list[nn.Module]:
    """Return what of a row is a layer of its own."""
    parts = [part for part in row if list(part.parameters())]
    return [part for part in parts if not isinstance(part, _IN_PLACE)]


def _name(module: nn.Module, path: str) -> str:
    """Return what a block is called: by what it does, or as its network calls it."""
    inner = [m for m in module.modules() if isinstance(m, (*_CONVOLUTIONS, nn.Linear))]
    if len(inner) == 1:
        (only,) = inner
        if isinstance(only, nn.Linear):
            return "dense"
        high, wide = only.kernel_size
        return f"conv {high}x{wide}"
    place = path.removeprefix("backbone.").split(".")
    kind = type(module).__name__.lower()
    return kind if place[0] in ("features", "down", "body") else ".".join(place)


def _shape(node: fx.Node) -> tuple[int, ...]:
    """Return (height, width, channels), or (numbers,), of what comes out."""
    told: Any = node.meta["tensor_meta"].shape
    whole = [int(part) for part in told[1:]]
    return (whole[1], whole[2], whole[0]) if len(whole) == 3 else (int(told[-1]),)
