"""Networks of the articles as their papers describe them, to be drawn for the documents."""

from __future__ import annotations

from facelign.report.plots.network import Layer, Mark

# Parkhi, Vedaldi, Zisserman: Deep Face Recognition, BMVC 2015, table 3 (configuration D of VGG).
VGG_FACE = (
    Layer("input", (224, 224, 3)),
    Layer("conv x2", (224, 224, 64)),
    Layer("conv x2", (112, 112, 128)),
    Layer("conv x3", (56, 56, 256)),
    Layer("conv x3", (28, 28, 512)),
    Layer("conv x3", (14, 14, 512)),
    Layer("pool", (7, 7, 512)),
    Layer("fc6", (4096,)),
    Layer("fc7", (4096,)),
    Layer("fc8", (2622,), Mark.EMBEDDING),
    Layer("softmax", (2622,), Mark.DROPPED),
)

# Taigman, Yang, Ranzato, Wolf: DeepFace, CVPR 2014, figure 2; L: locally connected.
DEEPFACE = (
    Layer("input", (152, 152, 3)),
    Layer("C1", (142, 142, 32)),
    Layer("M2", (71, 71, 32)),
    Layer("C3", (63, 63, 16)),
    Layer("L4", (55, 55, 16)),
    Layer("L5", (25, 25, 16)),
    Layer("L6", (21, 21, 16)),
    Layer("F7", (4096,), Mark.EMBEDDING),
    Layer("F8 softmax", (4030,), Mark.DROPPED),
)

# OpenFace's nn4.small2 (cmusatyalab/openface models/openface/nn4.small2.def.lua), 3,733,968
# parameters; a letter behind a number is a module of convolutions of several sizes and a pool.
NN4_SMALL2 = (
    Layer("input", (96, 96, 3)),
    Layer("conv 7x7", (48, 48, 64)),
    Layer("pool, LRN", (24, 24, 64)),
    Layer("conv x2", (24, 24, 192)),
    Layer("LRN, pool", (12, 12, 192)),
    Layer("3a", (12, 12, 256)),
    Layer("3b", (12, 12, 320)),
    Layer("3c", (6, 6, 640)),
    Layer("4a", (6, 6, 640)),
    Layer("4e", (3, 3, 1024)),
    Layer("5a", (3, 3, 736)),
    Layer("5b", (3, 3, 736)),
    Layer("mean", (736,)),
    Layer("dense", (128,)),
    Layer("length 1", (128,), Mark.EMBEDDING),
)
