"""The 468 points of MediaPipe's face mesh: which are what, and what they become of poorer schemes.

Numbers are those of mediapipe/modules/face_geometry/data/canonical_face_model.obj, from 0; parts as
in mediapipe/python/solutions/face_mesh_connections.py, whose left and right are the subject's. The
68 points of 300-W have no official place on the mesh: these are those of a list that is in use
(PeizhiYan/Mediapipe_2_Dlib_Landmarks), made symmetric. The jaw of the mesh lies on the head, that
of 300-W on the contour that the camera sees: in a turned face the two differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: partners in a mirrored photo; those not named are their own (found by running the network on
#: mirrored faces, and the same as those of the mesh with its x turned round)
_PAIRS = """
3-248 7-249 20-250 21-251 22-252 23-253 24-254 25-255 26-256 27-257 28-258 29-259 30-260
31-261 32-262 33-263 34-264 35-265 36-266 37-267 38-268 39-269 40-270 41-271 42-272 43-273
44-274 45-275 46-276 47-277 48-278 49-279 50-280 51-281 52-282 53-283 54-284 55-285 56-286
57-287 58-288 59-289 60-290 61-291 62-292 63-293 64-294 65-295 66-296 67-297 68-298 69-299
70-300 71-301 72-302 73-303 74-304 75-305 76-306 77-307 78-308 79-309 80-310 81-311 82-312
83-313 84-314 85-315 86-316 87-317 88-318 89-319 90-320 91-321 92-322 93-323 95-324 96-325
97-326 98-327 99-328 100-329 101-330 102-331 103-332 104-333 105-334 106-335 107-336 108-337
109-338 110-339 111-340 112-341 113-342 114-343 115-344 116-345 117-346 118-347 119-348
120-349 121-350 122-351 123-352 124-353 125-354 126-355 127-356 128-357 129-358 130-359
131-360 132-361 133-362 134-363 135-364 136-365 137-366 138-367 139-368 140-369 141-370
142-371 143-372 144-373 145-374 146-375 147-376 148-377 149-378 150-379 153-380 154-381
155-382 156-383 157-384 158-385 159-386 160-387 161-388 162-389 163-390 165-391 166-392
167-393 169-394 170-395 171-396 172-397 173-398 174-399 176-400 177-401 178-402 179-403
180-404 181-405 182-406 183-407 184-408 185-409 186-410 187-411 188-412 189-413 190-414
191-415 192-416 193-417 194-418 196-419 198-420 201-421 202-422 203-423 204-424 205-425
206-426 207-427 208-428 209-429 210-430 211-431 212-432 213-433 214-434 215-435 216-436
217-437 218-438 219-439 220-440 221-441 222-442 223-443 224-444 225-445 226-446 227-447
228-448 229-449 230-450 231-451 232-452 233-453 234-454 235-455 236-456 237-457 238-458
239-459 240-460 241-461 242-462 243-463 244-464 245-465 246-466 247-467
"""


def _mirror() -> tuple[int, ...]:
    found = list(range(468))
    for pair in _PAIRS.split():
        a, b = (int(n) for n in pair.split("-"))
        found[a], found[b] = b, a
    return tuple(found)


MIRROR = _mirror()

#: all round the face, from the middle of the forehead over the subject's left
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
_RIGHT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)

GROUPS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "oval": OVAL,
        "right_eye": _RIGHT_EYE,
        "left_eye": tuple(MIRROR[i] for i in _RIGHT_EYE),
        "right_brow": _RIGHT_BROW,
        "left_brow": tuple(MIRROR[i] for i in _RIGHT_BROW),
        "nose_tip": (4,),
        "nose_base": (98, 97, 2, 326, 327),
        "outer_lips": (
            *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375),
            *(291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
        ),
        "inner_lips": (
            *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324),
            *(308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
        ),
    }
)

#: with the irises: the middle of each, then its ring from the picture's right over the top
RIGHT_IRIS, LEFT_IRIS = tuple(range(468, 473)), tuple(range(473, 478))
GROUPS_478: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {**GROUPS, "right_iris": RIGHT_IRIS, "left_iris": LEFT_IRIS}
)
MIRROR_478 = (*MIRROR, 473, 476, 475, 474, 477, 468, 471, 470, 469, 472)

#: the middles of the corners of the eyes, tip of the nose, corners of the mouth
TO_FIVE = ((33, 133), (263, 362), (4,), (61,), (291,))

#: for each of the 68 points the points of the mesh whose mean it is
TO_IBUG_68: tuple[tuple[int, ...], ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (397, 288), (361, 288), (323,), (454,), (356,)),
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),
    *((33,), (160,), (158,), (133,), (153,), (144,)),
    *((362,), (385,), (387,), (263,), (373,), (380,)),
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,)),
    *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),
)
