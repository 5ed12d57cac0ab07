"""Networks of the articles as their papers describe them, to be drawn for the documents."""

from __future__ import annotations

from facelign.report.plots.network import BlockMark, DrawnLayer

# Parkhi, Vedaldi, Zisserman: Deep Face Recognition, BMVC 2015, table 3 (configuration D of VGG).
VGG_FACE = (
    DrawnLayer("input", (224, 224, 3)),
    DrawnLayer("conv x2", (224, 224, 64)),
    DrawnLayer("conv x2", (112, 112, 128)),
    DrawnLayer("conv x3", (56, 56, 256)),
    DrawnLayer("conv x3", (28, 28, 512)),
    DrawnLayer("conv x3", (14, 14, 512)),
    DrawnLayer("pool", (7, 7, 512)),
    DrawnLayer("fc6", (4096,)),
    DrawnLayer("fc7", (4096,)),
    DrawnLayer("fc8", (2622,), BlockMark.EMBEDDING),
    DrawnLayer("softmax", (2622,), BlockMark.DROPPED),
)

# Taigman, Yang, Ranzato, Wolf: DeepFace, CVPR 2014, figure 2; L: locally connected.
DEEPFACE = (
    DrawnLayer("input", (152, 152, 3)),
    DrawnLayer("C1", (142, 142, 32)),
    DrawnLayer("M2", (71, 71, 32)),
    DrawnLayer("C3", (63, 63, 16)),
    DrawnLayer("L4", (55, 55, 16)),
    DrawnLayer("L5", (25, 25, 16)),
    DrawnLayer("L6", (21, 21, 16)),
    DrawnLayer("F7", (4096,), BlockMark.EMBEDDING),
    DrawnLayer("F8 softmax", (4030,), BlockMark.DROPPED),
)

# OpenFace's nn4.small2 (cmusatyalab/openface models/openface/nn4.small2.def.lua), 3,733,968
# parameters; a letter behind a number is a module of convolutions of several sizes and a pool.
NN4_SMALL2 = (
    DrawnLayer("input", (96, 96, 3)),
    DrawnLayer("conv 7x7", (48, 48, 64)),
    DrawnLayer("pool, LRN", (24, 24, 64)),
    DrawnLayer("conv x2", (24, 24, 192)),
    DrawnLayer("LRN, pool", (12, 12, 192)),
    DrawnLayer("3a", (12, 12, 256)),
    DrawnLayer("3b", (12, 12, 320)),
    DrawnLayer("3c", (6, 6, 640)),
    DrawnLayer("4a", (6, 6, 640)),
    DrawnLayer("4e", (3, 3, 1024)),
    DrawnLayer("5a", (3, 3, 736)),
    DrawnLayer("5b", (3, 3, 736)),
    DrawnLayer("mean", (736,)),
    DrawnLayer("dense", (128,)),
    DrawnLayer("length 1", (128,), BlockMark.EMBEDDING),
)
