"""Landmark schemes as data: names of points, mirror partners, reduction to five points.

Left and right are the subject's own. Indices count from 0. Sources of the numberings are
beside each record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from facelign.errors import BadArray
from facelign.types import mesh

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """A numbering of landmarks.

    ``groups`` maps a part's name to indices, ``mirror[i]`` is the index that point ``i`` takes
    in a mirrored photo (applied twice it is the identity), ``to_five`` gives for each of the five
    points (right eye, left eye, nose tip, right and left mouth corner) the indices whose mean it
    is, or None where five points cannot be made without inventing some.
    """

    id: str
    k: int
    groups: Mapping[str, tuple[int, ...]]
    mirror: tuple[int, ...]
    to_five: Groups | None = None
    #: outer eye corners (subject's right, left): the usual normalizer of landmark errors
    eye_corners: tuple[int, int] | None = field(default=None)

    def __post_init__(self) -> None:
        if sorted(self.mirror) != list(range(self.k)):
            raise BadArray(f"scheme {self.id}: mirror is no permutation of {self.k} points.")
        if any(self.mirror[self.mirror[i]] != i for i in range(self.k)):
            raise BadArray(f"scheme {self.id}: mirror applied twice is not the identity.")

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        if SCHEMES.get(self.id) is self:  # those that there are stay the same ones when copied
            return _known, (self.id,)
        return Scheme, tuple(getattr(self, field.name) for field in fields(self))


def _known(scheme_id: str) -> Scheme:
    return SCHEMES[scheme_id]


def _groups(**parts: range | tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
    return MappingProxyType({name: tuple(index) for name, index in parts.items()})


# RetinaFace, SCRFD, MTCNN, YuNet and the ArcFace template all use this order.
FIVE = Scheme(
    id="five",
    k=5,
    groups=_groups(right_eye=(0,), left_eye=(1,), nose_tip=(2,), mouth_right=(3,), mouth_left=(4,)),
    mirror=(1, 0, 2, 4, 3),
    to_five=((0,), (1,), (2,), (3,), (4,)),
)

# dlib's shape_predictor_5_face_landmarks: left eye outer, inner; right eye outer, inner; nose base.
DLIB_5 = Scheme(
    id="dlib-5",
    k=5,
    groups=_groups(left_eye=(0, 1), right_eye=(2, 3), nose_base=(4,)),
    mirror=(2, 3, 0, 1, 4),
    eye_corners=(2, 0),
)

# BlazeFace's keypoints: the middle of the mouth has no corners, so five points cannot be made.
BLAZE_6 = Scheme(
    id="blaze-6",
    k=6,
    groups=_groups(
        right_eye=(0,), left_eye=(1,), nose_tip=(2,), mouth=(3,), right_ear=(4,), left_ear=(5,)
    ),
    mirror=(1, 0, 2, 3, 5, 4),
)

# 300-W (iBUG) mark-up, also dlib's 68 points.
IBUG_68 = Scheme(
    id="ibug-68",
    k=68,
    groups=_groups(
        jaw=range(17),
        right_brow=range(17, 22),
        left_brow=range(22, 27),
        nose_bridge=range(27, 31),
        nose_base=range(31, 36),
        right_eye=range(36, 42),
        left_eye=range(42, 48),
        outer_lips=range(48, 60),
        inner_lips=range(60, 68),
    ),
    mirror=(
        *range(16, -1, -1),
        *range(26, 16, -1),
        *(27, 28, 29, 30),
        *(35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46),
        *(39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48),
        *(59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60),
        *(67, 66, 65),
    ),
    to_five=(tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
    eye_corners=(36, 45),
)

# MediaPipe's face mesh, without the irises.
MESH_468 = Scheme(
    id="mesh-468",
    k=468,
    groups=mesh.GROUPS,
    mirror=mesh.MIRROR,
    to_five=mesh.TO_FIVE,
    eye_corners=(33, 263),
)

# The same with five points of each iris.
MESH_478 = Scheme(
    id="mesh-478",
    k=478,
    groups=mesh.GROUPS_478,
    mirror=mesh.MIRROR_478,
    to_five=mesh.TO_FIVE,
    eye_corners=(33, 263),
)

# WFLW's mark-up of 98 points (Wu et al., "Look at Boundary", CVPR 2018): pupils come last.
WFLW_98 = Scheme(
    id="wflw-98",
    k=98,
    groups=_groups(
        jaw=range(33),
        right_brow=range(33, 42),
        left_brow=range(42, 51),
        nose_bridge=range(51, 55),
        nose_base=range(55, 60),
        right_eye=range(60, 68),
        left_eye=range(68, 76),
        outer_lips=range(76, 88),
        inner_lips=range(88, 96),
        pupils=(96, 97),
    ),
    mirror=(
        *range(32, -1, -1),
        *(46, 45, 44, 43, 42, 50, 49, 48, 47),
        *(37, 36, 35, 34, 33, 41, 40, 39, 38),
        *(51, 52, 53, 54),
        *range(59, 54, -1),
        *(72, 71, 70, 69, 68, 75, 74, 73),
        *(64, 63, 62, 61, 60, 67, 66, 65),
        *range(82, 75, -1),
        *range(87, 82, -1),
        *range(92, 87, -1),
        *(95, 94, 93),
        *(97, 96),
    ),
    to_five=((96,), (97,), (54,), (76,), (82,)),
    eye_corners=(60, 72),
)

#: points of InsightFace's 106 that change places in a mirror
_INSIGHT_PAIRS = (
    *zip((1, *range(9, 17)), (17, *range(25, 33)), strict=True),
    *zip(range(2, 9), range(18, 25), strict=True),
    *zip(range(43, 52), (101, 100, 99, 97, 98, 105, 104, 102, 103), strict=True),
    *zip(range(33, 43), (87, 88, 93, 91, 90, 92, 89, 94, 96, 95), strict=True),
    *zip(range(75, 80), range(81, 86), strict=True),
    *((52, 61), (54, 57), (55, 58), (56, 59), (63, 67), (64, 68), (65, 69), (66, 70)),
)
_INSIGHT_MIRROR = {one: other for pair in _INSIGHT_PAIRS for one, other in (pair, pair[::-1])}

# InsightFace's 2d106det, numbered in its own way (its picture of the mark-up): not JD-landmark's.
INSIGHT_106 = Scheme(
    id="insight-106",
    k=106,
    groups=_groups(
        jaw=range(33),
        right_brow=range(43, 52),
        left_brow=range(97, 106),
        nose_bridge=(72, 73, 74),
        nose_tip=(86,),
        nose_sides=(75, 76, 77, 78, 79, 81, 82, 83, 84, 85),
        nose_base=(80,),
        right_eye=range(33, 43),
        left_eye=range(87, 97),
        outer_lips=(52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55),
        inner_lips=(65, 66, 62, 70, 69, 57, 60, 54),
    ),
    mirror=tuple(_INSIGHT_MIRROR.get(i, i) for i in range(106)),
    to_five=((34, 38), (88, 92), (86,), (52,), (61,)),
    eye_corners=(35, 93),
)

#: MUCT (Milborrow, Morkel and Nicolls, 2010): pairs of points that change places in a mirror
_MUCT_PAIRS = (
    *zip(range(7), range(14, 7, -1), strict=True),
    *zip(range(15, 21), range(21, 27), strict=True),
    *zip(range(27, 32), range(32, 37), strict=True),
    *zip(range(37, 41), range(45, 41, -1), strict=True),
    *((46, 47), (48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 62), (63, 65)),
    *zip(range(68, 72), range(72, 76), strict=True),
)


def _muct(k: int) -> Scheme:
    """Return MUCT's scheme of ``k`` points: all 76, or the 68 that some copies are cut to."""
    turned = {one: other for pair in _MUCT_PAIRS for one, other in (pair, pair[::-1])}
    more = {"eyelids": tuple(range(68, 76))} if k > 68 else {}
    return Scheme(
        id=f"muct-{k}",
        k=k,
        groups=_groups(
            jaw=range(15),
            left_brow=range(15, 21),
            right_brow=range(21, 27),
            right_eye=range(27, 31),
            left_eye=range(32, 36),
            right_pupil=(31,),
            left_pupil=(36,),
            nose_outline=range(37, 46),
            nostrils=(46, 47),
            outer_lips=range(48, 60),
            inner_lips=range(60, 66),
            mouth=(66,),
            nose_tip=(67,),
            **more,
        ),
        mirror=tuple(turned.get(i, i) for i in range(k)),
        to_five=((31,), (36,), (67,), (48,), (54,)),
        eye_corners=(27, 32),
    )


# MUCT counts points from the image's left, and its brows from its right: 15 begins a left brow.
MUCT_68, MUCT_76 = _muct(68), _muct(76)

#: pairs of COFW that change places in a mirror
_COFW_PAIRS = ((0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15))
_COFW_MIRROR = {
    one: other
    for pair in (*_COFW_PAIRS, (16, 17), (18, 19), (22, 23))
    for one, other in (pair, pair[::-1])
}

# Caltech Occluded Faces in the Wild (Burgos-Artizzu, Perona and Dollar, ICCV 2013).
COFW_29 = Scheme(
    id="cofw-29",
    k=29,
    groups=_groups(
        right_brow=(0, 2, 4, 5),
        left_brow=(1, 3, 6, 7),
        right_eye=(8, 10, 12, 13),
        left_eye=(9, 11, 14, 15),
        right_pupil=(16,),
        left_pupil=(17,),
        nostrils=(18, 19),
        nose_tip=(20,),
        nose_base=(21,),
        outer_lips=(22, 23, 24, 27),
        inner_lips=(25, 26),
        chin=(28,),
    ),
    mirror=tuple(_COFW_MIRROR.get(i, i) for i in range(29)),
    to_five=((16,), (17,), (20,), (22,), (23,)),
    eye_corners=(8, 9),
)

# AFLW without its ear lobes, as it is used for regression (Koestinger et al., 2011; Zhu et al.,
# "Unconstrained Face Alignment via Cascaded Compositional Learning", CVPR 2016).
AFLW_19 = Scheme(
    id="aflw-19",
    k=19,
    groups=_groups(
        right_brow=(0, 1, 2),
        left_brow=(3, 4, 5),
        right_eye=(6, 7, 8),
        left_eye=(9, 10, 11),
        nose_sides=(12, 14),
        nose_tip=(13,),
        outer_lips=(15, 17),
        mouth=(16,),
        chin=(18,),
    ),
    mirror=(5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 14, 13, 12, 17, 16, 15, 18),
    to_five=((7,), (10,), (13,), (15,), (17,)),
    eye_corners=(6, 11),
)

# LaPa (Liu et al., AAAI 2020), JD-landmark's numbering; its documents count from 1, this from 0.
LAPA_106 = Scheme(
    id="lapa-106",
    k=106,
    groups=_groups(
        jaw=range(33),
        right_brow=range(33, 42),
        left_brow=range(42, 51),
        nose_bridge=range(51, 55),
        nose_base=range(55, 66),
        right_eye=range(66, 75),
        left_eye=range(75, 84),
        outer_lips=range(84, 96),
        inner_lips=range(96, 104),
        pupils=(104, 105),
    ),
    mirror=(
        *range(32, -1, -1),
        *(46, 45, 44, 43, 42, 50, 49, 48, 47),
        *(37, 36, 35, 34, 33, 41, 40, 39, 38),
        *(51, 52, 53, 54),
        *range(65, 54, -1),
        *(79, 78, 77, 76, 75, 82, 81, 80, 83),
        *(70, 69, 68, 67, 66, 73, 72, 71, 74),
        *range(90, 83, -1),
        *range(95, 90, -1),
        *range(100, 95, -1),
        *(103, 102, 101),
        *(105, 104),
    ),
    to_five=((104,), (105,), (54,), (84,), (90,)),
    eye_corners=(66, 79),
)

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        s.id: s
        for s in (
            *(FIVE, DLIB_5, BLAZE_6, IBUG_68, MESH_468, MESH_478, WFLW_98, INSIGHT_106),
            *(MUCT_68, MUCT_76, COFW_29, AFLW_19, LAPA_106),
        )
    }
)

#: How points become those of a poorer scheme: (from, to) -> for each new point the indices whose
#: mean it is. Only where the points mean the same.
REDUCTIONS: Mapping[tuple[str, str], Groups] = MappingProxyType(
    {
        **{(s.id, FIVE.id): s.to_five for s in SCHEMES.values() if s.to_five},
        (IBUG_68.id, DLIB_5.id): ((45,), (42,), (36,), (39,), (33,)),
        (MESH_468.id, IBUG_68.id): mesh.TO_IBUG_68,
        (MESH_468.id, DLIB_5.id): ((263,), (362,), (33,), (133,), (2,)),
        (MESH_478.id, MESH_468.id): tuple((i,) for i in range(468)),
        (MESH_478.id, IBUG_68.id): mesh.TO_IBUG_68,
        (MESH_478.id, DLIB_5.id): ((263,), (362,), (33,), (133,), (2,)),
        (MUCT_76.id, MUCT_68.id): tuple((i,) for i in range(68)),
    }
)
