"""The networks: sizes as published, upstream's names, vectors for pictures."""

import pytest

import training

training.needed()

import torch

from facelign.errors import ConfigError
from facelign.train.recognizer.networks import NETWORKS, network_spec

#: figures that their publishers round: insightface's table of backbones, the paper of
#: MobileFaceNet, torchvision's and facenet-pytorch's whole networks without their classifier
PUBLISHED_MILLIONS = {
    "iresnet18": 24.0,
    "iresnet34": 34.1,
    "iresnet50": 43.6,
    "iresnet100": 65.2,
    "mobilefacenet": 0.99,
    "mobilefacenet-wide": 2.06,
    # torchvision's 25,557,032 less its last layer, and a normalization more
    "resnet50": (25_557_032 - 2048 * 1000 - 1000 + 2 * 2048) / 1e6,
    # facenet-pytorch's 27,910,327 with a classifier of 8,631 people
    "inception-resnet-v1": (27_910_327 - 8631 * 513) / 1e6,
}


def parameters(module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def sketched(name):
    """A network whose arrays have shapes and take no memory."""
    with torch.device("meta"):
        return NETWORKS[name].build()


@pytest.mark.parametrize("name", NETWORKS)
def test_sizes_are_those_published(name):
    assert parameters(sketched(name)) == NETWORKS[name].parameters
    if name in PUBLISHED_MILLIONS:
        wanted = PUBLISHED_MILLIONS[name]
        assert NETWORKS[name].parameters / 1e6 == pytest.approx(wanted, rel=0.015)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"iresnet34", "iresnet50", "iresnet100"}))
def test_a_picture_gives_a_vector_and_two_give_two_different_ones(name):
    spec = NETWORKS[name]
    torch.manual_seed(1)
    network = spec.build().eval()
    width, height = spec.input.size
    with torch.inference_mode():
        vectors = network(torch.randn(2, 3, height, width))
    assert vectors.shape == (2, spec.dim)
    assert torch.isfinite(vectors).all()
    assert (vectors[0] - vectors[1]).abs().max() > 0


def iresnet_size(layers, dim=512) -> int:
    """Counted from the paper's table, layer by layer."""
    total = 3 * 64 * 9 + 2 * 64 + 64
    width = 64
    for planes, count in zip((64, 128, 256, 512), layers, strict=True):
        for number in range(count):
            inner = width if number == 0 else planes
            total += 2 * inner + inner * planes * 9 + 2 * planes + planes
            total += planes * planes * 9 + 2 * planes
            if number == 0:
                total += inner * planes + 2 * planes
        width = planes
    return total + 2 * width + width * 49 * dim + dim + 2 * dim


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("iresnet18", (2, 2, 2, 2)),
        ("iresnet34", (3, 4, 6, 3)),
        ("iresnet50", (3, 4, 14, 3)),
        ("iresnet100", (3, 13, 30, 3)),
    ],
)
def test_iresnets_have_the_layers_of_the_paper(name, layers):
    assert NETWORKS[name].parameters == iresnet_size(layers)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("iresnet50", ("conv1.weight", "prelu.weight", "layer3.13.bn3.running_var", "fc.bias")),
        ("iresnet18", ("layer2.0.downsample.1.weight", "layer1.1.prelu.weight", "features.bias")),
        ("resnet50", ("layer4.2.conv3.weight", "layer1.0.downsample.0.weight", "bn1.bias")),
        (
            "inception-resnet-v1",
            (
                "conv2d_4b.bn.weight",
                "repeat_2.9.branch1.2.conv.weight",
                "mixed_7a.branch2.1.bn.running_mean",
                "block8.conv2d.bias",
                "last_bn.running_var",
            ),
        ),
        (
            "mobilefacenet",
            (
                "conv2_dw.prelu.weight",
                "conv_4.model.5.project.bn.weight",
                "conv_45.conv_dw.conv.weight",
                "conv_6_dw.bn.bias",
                "linear.weight",
            ),
        ),
        (
            "mobilefacenet-wide",
            (
                "layers.1.layers.0.weight",
                "layers.3.layers.3.layers.2.layers.1.weight",
                "conv_sep.layers.2.weight",
                "features.layers.0.layers.0.weight",
                "features.layers.2.weight",
                "features.layers.3.running_mean",
            ),
        ),
    ],
)
def test_arrays_are_called_as_upstream_calls_them(name, arrays):
    assert set(arrays) <= set(sketched(name).state_dict())


def test_the_end_of_resnet50_is_that_of_the_source_article():
    network = NETWORKS["resnet50"].build().eval()
    seen = {}
    network.last_bn.register_forward_hook(lambda _m, x, y: seen.update(before=x[0], after=y))
    with torch.inference_mode():
        vectors = network(torch.randn(1, 3, 112, 112))
    assert seen["before"].shape == (1, 2048, 4, 4)
    assert torch.allclose(vectors, seen["after"].mean((2, 3)), atol=1e-6)


def test_a_residual_block_of_iresnet_has_no_activation_after_its_sum():
    block = NETWORKS["iresnet18"].build().layer1[1].eval()
    with torch.inference_mode():
        for weight in block.parameters():
            weight.zero_()
        x = torch.randn(1, 64, 5, 5)
        assert torch.equal(block(x), x)


def test_the_length_of_a_vector_may_be_chosen_where_the_network_allows_it():
    with torch.inference_mode():
        assert NETWORKS["small"].build(40).eval()(torch.zeros(1, 3, 112, 112)).shape == (1, 40)
    with pytest.raises(ConfigError, match="2048 numbers, not 512"):
        NETWORKS["resnet50"].build(512)


def test_a_name_that_is_not_there_is_refused_with_the_near_ones():
    with pytest.raises(ConfigError, match="iresnet50") as caught:
        network_spec("iresnet5")
    assert "iresnet5'" in caught.value.message
