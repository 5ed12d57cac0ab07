"""Frames of a person who blinks, turns and opens the mouth, made of one portrait and its mesh.

The face is a surface: the points of mesh-468 with their depth, in triangles. Lids and lower lip are
moved, the whole is turned about the axis of the head, and the triangles are painted from back to
front with the pixels of the portrait. What surrounds the face stays. Such frames stand in for a
film of a person who does as asked, of which none is at hand: they prove the machinery, not how
people differ. ``flat`` moves the portrait itself about, as a print in a hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facelign.types.mesh import GROUPS, OVAL

#: pairs of the upper and lower lid that meet in a blink, the subject's right eye and left
_LIDS = (
    *((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)),
    *((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
)
_RIM = 16


@dataclass(frozen=True)
class Surface:
    """A portrait (h, w, 3) RGB with its mesh (468, 3), px."""

    pixels: np.ndarray
    mesh: np.ndarray

    @property
    def width(self):
        return float(np.ptp(self.mesh[:, 0]))

    def _triangles(self):
        rim = self._rim(self.mesh)
        points = np.concatenate([self.mesh[:, :2], rim[:, :2]])
        low, high = points.min(0) - 2, points.max(0) + 2
        plane = cv2.Subdiv2D((int(low[0]), int(low[1]), *map(int, np.ceil(high - low) + 2)))
        at = {}
        for i, (x, y) in enumerate(points.astype(np.float32)):
            at[(float(x), float(y))] = i
            plane.insert((float(x), float(y)))
        found = []
        for row in plane.getTriangleList():
            corners = [at.get((float(row[i]), float(row[i + 1]))) for i in (0, 2, 4)]
            if None not in corners:
                found.append(corners)
        return np.array(found)

    def _rim(self, mesh):
        """Return points around the face that do not move: what surrounds it is drawn to them."""
        middle = mesh[list(OVAL)].mean(axis=0)
        rim = middle + 1.45 * (mesh[list(OVAL)] - middle)
        rim[:, 2] = mesh[:, 2].max()
        return rim

    def shown(self, *, yaw=0.0, eyes=1.0, mouth=0.0):
        """Return the frame (h, w, 3). yaw: degrees, > 0 to the subject's left. eyes: share open.
        mouth: how far the lips are apart, in widths of the face.
        """
        rim = self._rim(self.mesh)
        turned = turned_points(self, yaw=yaw, eyes=eyes, mouth=mouth)
        points = np.concatenate([turned, rim])
        source = np.concatenate([self.mesh, rim])
        out = self._painted(source, points, mouth)
        return out if eyes == 1 else self._lidded(out, turned)

    def _lidded(self, out, points):
        """Return the frame with lids of skin down to where the upper ones are now, and lashes."""
        fine, side = 8, 3
        cheeks = self.mesh[[205, 425, 50, 280], :2].round().astype(int)
        color = tuple(int(c) for c in 0.85 * self.pixels[cheeks[:, 1], cheeks[:, 0]].mean(axis=0))
        for (outer, inner), lids in zip(
            ((33, 133), (263, 362)), (_LIDS[:7], _LIDS[7:]), strict=True
        ):
            line = [outer, *(upper for upper, _ in lids), inner]
            edge = points[line, :2]
            # where the lid was at rest: what lies between is the lid that came down
            moved = (points - self.mesh)[[outer, inner], :2].mean(axis=0)
            rest = self.mesh[line, :2] + moved - np.array([0, 0.012 * self.width])
            lid = np.concatenate([rest, edge[::-1] + np.array([0, 0.006 * self.width])]) * fine
            cv2.fillPoly(out, [np.round(lid).astype(np.int32)], color, cv2.LINE_AA, side)
            lash = np.round((edge + np.array([0, 0.004 * self.width])) * fine).astype(np.int32)
            thick = max(1, round(self.width / 60))
            cv2.polylines(out, [lash], False, (70, 45, 40), thick, cv2.LINE_AA, side)
        return out

    def opened(self, mesh, gap):
        """Move lower lip and jaw down: all beneath the line of the lips, less to the sides."""
        lips = self.mesh[[78, 308]]
        half = abs(lips[1, 0] - lips[0, 0]) / 2
        falls = self.mesh[:, 1] >= lips[:, 1].mean() - 0.02 * self.width
        upper = {*GROUPS["inner_lips"][11:], *GROUPS["outer_lips"][11:], 78, 308, 61, 291}
        falls[list(upper)] = False
        side = abs(self.mesh[:, 0] - lips[:, 0].mean()) / (2.2 * half)
        mesh[:, 1] += falls * gap * np.cos(np.minimum(1.0, side) * np.pi / 2)

    def _painted(self, source, points, mouth):
        triangles = self._triangles_once()
        tall, wide = self.pixels.shape[:2]
        place = np.full((tall, wide), -1, np.int32)
        order = np.argsort(-points[triangles, 2].mean(axis=1))
        for i in order:
            corners = np.round(points[triangles[i], :2]).astype(np.int32)
            cv2.fillConvexPoly(place, corners, int(i))
        maps = np.stack([_affine(points[t, :2], source[t, :2]) for t in triangles])
        y, x = np.mgrid[:tall, :wide].astype(np.float64)
        inside = place >= 0
        chosen = maps[place[inside]]
        at = np.stack([x[inside], y[inside], np.ones(inside.sum())], axis=1)
        x[inside], y[inside] = np.einsum("nij,nj->in", chosen, at)
        out = cv2.remap(self.pixels, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        if mouth > 0.02:
            lips = np.round(points[list(GROUPS["inner_lips"]), :2]).astype(np.int32)
            cv2.fillPoly(out, [lips], (40, 16, 16), cv2.LINE_AA)
        return out

    def _triangles_once(self):
        if not hasattr(self, "_kept"):
            object.__setattr__(self, "_kept", self._triangles())
        return self._kept


def _affine(a, b):
    """Return the map (2, 3) that takes a triangle to another; a degenerate one is shrunk to one."""
    full = np.concatenate([a, np.ones((3, 1))], axis=1)
    if abs(np.linalg.det(full)) < 1e-3:
        return np.concatenate([np.zeros((2, 2)), b.mean(axis=0)[:, None]], axis=1)
    return np.linalg.solve(full, b).T


def turned_points(surface, *, yaw=0.0, eyes=1.0, mouth=0.0):
    """Return the mesh (468, 3) of a face that turns, closes its eyes and opens its mouth."""
    mesh = surface.mesh.astype(np.float64).copy()
    for upper, lower in _LIDS:
        mesh[upper] = mesh[lower] + eyes * (mesh[upper] - mesh[lower])
    if mouth:
        surface.opened(mesh, mouth * surface.width)
    return _turned(mesh, yaw, surface.mesh)


def _turned(mesh, yaw, rest):
    """Return a mesh turned about the upright axis of the head, which lies behind the face."""
    width = np.ptp(rest[:, 0])
    axis = np.array([rest[:, 0].mean(), 0.0, rest[:, 2].min() + 0.75 * width])
    angle = np.radians(yaw)
    turn = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    return (mesh - axis) @ turn.T + axis


def flat(pixels, *, yaw=0.0, pitch=0.0, roll=0.0, shift=(0.0, 0.0), scale=1.0, distance=2.0):
    """Return the portrait as a print that is turned and moved before the camera.

    distance: of the camera, in widths of the print: near ones show much perspective.
    """
    tall, wide = pixels.shape[:2]
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [wide / 2, tall / 2]
    a, b, c = np.radians([yaw, pitch, roll])
    turn_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    turn_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    solid = np.concatenate([corners, np.zeros((4, 1))], axis=1) @ (turn_y @ turn_x @ turn_z).T
    seen = solid[:, :2] * (distance * wide / (distance * wide + solid[:, 2:])) * scale
    seen += np.array([wide, tall]) / 2 + np.array(shift) * wide
    start = (corners + np.array([wide, tall]) / 2).astype(np.float32)
    how = cv2.getPerspectiveTransform(start, seen.astype(np.float32))
    return cv2.warpPerspective(pixels, how, (wide, tall), borderValue=(120, 120, 120))


def bent(pixels, *, radius, yaw=0.0):
    """Return the portrait as a print that is bent around an upright cylinder, and turned.

    radius: of the cylinder, px. The camera is far away; what is behind is not seen.
    """
    tall, wide = pixels.shape[:2]
    along = np.arange(0, wide, 0.25) - wide / 2
    angle, turn = np.clip(along / radius, -1.5, 1.5), np.radians(yaw)
    seen = np.cos(turn) * radius * np.sin(angle) - np.sin(turn) * radius * (1 - np.cos(angle))
    shown = np.gradient(seen) > 1e-3
    middle = len(along) // 2
    first = middle - np.argmin(shown[middle::-1]) + 1 if not shown[: middle + 1].all() else 0
    last = middle + np.argmin(shown[middle:]) if not shown[middle:].all() else len(along)
    spots = np.interp(
        np.arange(wide) - wide / 2, seen[first:last], along[first:last], left=-wide, right=2 * wide
    )
    x = np.repeat(spots[None] + wide / 2, tall, axis=0).astype(np.float32)
    y = np.repeat(np.arange(tall)[:, None], wide, axis=1).astype(np.float32)
    return cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderValue=(120, 120, 120))
