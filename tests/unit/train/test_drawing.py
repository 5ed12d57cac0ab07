"""A drawing of a network shows all of it, joined as it is, and marks what learns."""

from __future__ import annotations

import json

import pytest

import training

training.needed()

import torch

from facelign.cli.app import run
from facelign.report.plots.network import BlockMark
from facelign.train.config import written
from facelign.train.drawing import drawn, layers_of
from facelign.train.landmarks.config import LandmarkConfig, ModelOptions
from facelign.train.recognizer.networks import NETWORKS
from facelign.train.task import network_of


def config(**model) -> LandmarkConfig:
    return LandmarkConfig(kind="landmarks", model=ModelOptions(**model))


@pytest.mark.parametrize("name", ["light", "heatmap", "pip", "scratch", "inception", "resnet50"])
def test_every_parameter_of_a_landmark_network_is_in_a_block(name):
    network, size = network_of(config(name=name))
    layers = layers_of(network, size)
    assert sum(one.parameters for one in layers) == sum(w.numel() for w in network.parameters())
    assert layers[0].shape == (size[1], size[0], 3)
    assert all(source < n for n, one in enumerate(layers) for source in one.inputs)
    assert len({source for one in layers for source in one.inputs}) == len(layers) - 1


@pytest.mark.parametrize("name", ["small", "mobilefacenet", "iresnet18", "nn4-small2"])
def test_every_parameter_of_an_embedder_is_in_a_block(name):
    network = NETWORKS[name].build(0)
    layers = layers_of(network, NETWORKS[name].input.size)
    assert sum(one.parameters for one in layers) == sum(w.numel() for w in network.parameters())
    assert layers[-1].shape == (NETWORKS[name].dim,)


@pytest.mark.parametrize(("blocks", "first"), [(0, "dense"), (2, "Mixed_7b"), (4, "Mixed_6e")])
def test_blocks_that_are_trained_anew_are_marked_and_the_others_are_not(blocks, first):
    network = network_of(config(name="inception", blocks=blocks))
    assert drawn(*network, "x").alt.endswith(f"trained: {first} to dense trained.")
    layers = layers_of(*network)
    marked = [one.name for one in layers if one.mark is BlockMark.TRAINED]
    assert marked[0] == first
    assert len(marked) == blocks + 2  # and both dense layers
    assert layers[-len(marked)].name == first  # from the output on, none left out


def test_stacks_side_by_side_read_the_same_and_are_joined():
    layers = layers_of(*network_of(config(name="scratch", kernels=(6, 3), side=96)))
    names = [one.name for one in layers]
    assert names == ["input", *["conv 6x6"] * 5, *["conv 3x3"] * 5, "dense", "dense"]
    assert [n for n, one in enumerate(layers) if one.inputs == (0,)] == [1, 6]
    assert layers[11].inputs == (5, 10)


def test_what_is_drawn_is_told_in_words_and_numbers():
    plot = drawn(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)), (9, 9), "one")
    assert plot.alt == "one: 112 of 112 parameters are trained: conv 3x3 trained."
    assert plot.numbers["layer"] == ["input", "conv 3x3"]
    assert plot.numbers["reads"] == ["", "input"]
    assert plot.numbers["output"][1] == "7x7 x 4"


def test_the_command_draws_a_configuration_and_a_run(tmp_path, capfd):
    file = tmp_path / "c.toml"
    file.write_text(written(config(name="resnet50", blocks=0)), encoding="utf-8")
    arguments = ["train", "draw", str(file), "--out", str(tmp_path / "n.svg"), "--json"]
    assert run([*arguments, "--set", "model.blocks=2"]) == 0
    told = json.loads(capfd.readouterr().out)
    marks = [layer["mark"] for layer in told["layers"]]
    assert marks.count("trained") == 4
    assert (tmp_path / "n.svg").read_text(encoding="utf-8").startswith("<?xml")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.toml").write_text(
        'kind = "recognizer"\n[data]\nsource = "/nowhere"\n[model]\nname = "nn4-small2"\n'
    )
    assert run(["train", "draw", str(folder), "--out", str(tmp_path / "n.png")]) == 0
    assert "nn4-small2: 3,733,968 of 3,733,968 parameters are trained" in capfd.readouterr().out
    goes_on = ["--set", "model.name=small", "--set", "model.init=mobilefacenet"]
    assert run(["train", "draw", str(folder), "--out", str(tmp_path / "n.png"), *goes_on]) == 2
    assert "a graph of operators, not of blocks" in capfd.readouterr().err
    assert run(["train", "draw", str(file), "--out", str(tmp_path / "n.gif")]) == 2
    assert "Use .png, .svg or .csv" in capfd.readouterr().err
    assert run(["train", "draw", str(tmp_path / "no.toml"), "--out", "n.png"]) == 3
