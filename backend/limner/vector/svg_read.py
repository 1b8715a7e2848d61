"""SVG in: the strokes of a drawing from any program, placed on a canvas.

`svg_safe` refuses what is dangerous, `svg_shapes` turns elements into cubics and `svg_paint`
finds their colours; here the tree is walked, and transforms, viewports and opacity are
carried down it. Limner's own `data-depth` makes them strokes in space. Text, clipping, masks,
dashes, markers, filters and pictures are not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from limner import files
from limner.vector import svg_frame, svg_paint, svg_safe, svg_shapes
from limner.vector.strokes import Strokes
from limner.vector.svg_frame import Affine
from limner.vector.svg_pen import Cubics
from limner.vector.svg_safe import Node, broken, unsafe
from limner.vector.svg_shapes import Depths, Viewport
from limner_wire.limits import (
    COORDINATE_MAX_PX,
    STROKES_MAX,
    SVG_BYTES,
    SVG_COMMANDS,
    SVG_DEPTH,
)

SEGMENTS_MAX = 256  # of one stroke; a longer path becomes several
CLONES_MAX = 4 * STROKES_MAX  # elements that all <use> together may stand for
OUTLINE = 1 / 200  # of the shorter side: the width of a shape that has only a fill

_GROUPS = frozenset(("g", "a", "switch"))


def read_svg(source: str | Path | bytes, size: tuple[int, int]) -> Strokes:
    """The strokes of an SVG, in painting order.

    The drawing is fitted into the canvas whole, with its proportions, in the middle. Each subpath
    becomes one stroke (a path of more than `SEGMENTS_MAX` segments several: where it is
    transparent, their round ends show). A shape with no stroke but a fill becomes its outline
    in the colour of the fill, `OUTLINE` of the shorter side wide and at least one pixel; if it
    is a rectangle over the whole canvas, it is the paper and is left out. Opacity is the product
    of the stroke's, the element's and its groups'. A gradient becomes its mean colour. Parts
    that are invisible are left out; a path of no length is a dot if its caps are round. Where one
    path has `data-depth`, all strokes have depth: paths without lie at 0, and one that was edited,
    so that it has other points than depths, lies flat at their mean.

    Args:
        source: a path, or the content as bytes.
        size: the canvas, (height, width) in pixels.

    Raises:
        LimnerError: UNSAFE_FILE for what could run, fetch or expand without end; UNREADABLE for
            what is missing, broken, too large, or draws nothing.
    """
    name = "The SVG" if isinstance(source, bytes) else files.shown(source)
    data = source if isinstance(source, bytes) else files.read_bounded(source, SVG_BYTES)
    with svg_safe.reading(name):
        return _Reader(svg_safe.parse(data), size).strokes()


@dataclass(frozen=True, slots=True)
class _Setting:
    """What an element inherits from where it stands."""

    matrix: Affine  # user units -> canvas pixels
    properties: svg_paint.Properties
    opacity: float = 1.0
    depth: int = 0
    used: tuple[int, ...] = ()  # the <use> elements that we are inside of


class _Reader:
    """One walk over one tree. What depends on an element or a text alone is computed once."""

    def __init__(self, root: Node, size: tuple[int, int]) -> None:
        nodes = list(_nodes(root))
        self.root, self.size = root, size
        self.fit, self.box = svg_frame.fitted(root, size)
        self.viewport = Viewport(self.box[2], self.box[3])
        self.rules = svg_paint.sheet("\n".join(n.text for n in nodes if n.tag == "style"))
        self.by_id = {n.attributes["id"]: n for n in reversed(nodes) if "id" in n.attributes}
        self.declared: dict[int, dict[str, str]] = {}
        self.cubics: dict[int, list[Cubics]] = {}
        self.deep: dict[int, Depths | None] = {}
        self.matrices: dict[str, Affine] = {}
        self.functions = 0  # in the transforms parsed so far
        self.clones = 0  # elements walked inside a <use>
        self.points: list[Cubics] = []
        self.widths: list[float] = []
        self.rgba: list[svg_paint.Rgba] = []
        self.depths: list[Depths] = []
        self.is_flat = True
        self.gradients = svg_paint.gradient_means(nodes, self._declared)

    def strokes(self) -> Strokes:
        """Walk the tree, and pack what was drawn."""
        if root := self._entered(self.root, _Setting(self.fit, {})):
            self._walk_children(self.root, root)
        if not self.points:
            why = "it holds nothing that can be drawn as strokes"
            raise broken(why, "Convert text and pictures to paths first.")
        sizes = torch.tensor([0] + [len(points) for points in self.points])
        return Strokes(
            torch.from_numpy(np.concatenate(self.points).astype(np.float32)),
            sizes.cumsum(0),
            torch.tensor(self.widths, dtype=torch.float32),
            torch.tensor(self.rgba, dtype=torch.float32),
            None if self.is_flat else torch.from_numpy(np.concatenate(self.depths)).float(),
        )

    def _walk(self, node: Node, outer: _Setting) -> None:
        self.clones += bool(outer.used)
        if self.clones > CLONES_MAX or outer.depth >= SVG_DEPTH:
            raise broken("its <use> elements expand too far", "Unlink its clones.")
        setting = self._entered(node, outer)
        if setting is None:
            return
        if node.tag in svg_shapes.SHAPES:
            self._draw(node, setting)
        elif node.tag == "use":
            self._use(node, setting)
        elif node.tag in _GROUPS:
            self._walk_children(node, setting)
        elif node.tag == "svg":
            self._walk_framed(node, node.attributes, setting)

    def _walk_children(self, node: Node, setting: _Setting) -> None:
        for child in node.children:
            self._walk(child, setting)

    def _entered(self, node: Node, outer: _Setting) -> _Setting | None:
        """What holds inside `node`; None if nothing of it can be seen."""
        own = self._declared(node)
        opacity = outer.opacity * svg_paint.opacity(own.get("opacity"))
        if own.get("display") == "none" or opacity <= 0:
            return None
        inherited = {name: own[name] for name in svg_paint.INHERITED & own.keys()}
        matrix = outer.matrix
        if (text := own.get("transform", "none")) != "none":
            matrix = svg_frame.within(matrix, self._transform(text))
        properties = {**outer.properties, **inherited} if inherited else outer.properties
        return _Setting(matrix, properties, opacity, outer.depth + 1, outer.used)

    def _declared(self, node: Node) -> dict[str, str]:
        if id(node) not in self.declared:
            self.declared[id(node)] = svg_paint.declared(node, self.rules)
        return self.declared[id(node)]

    def _transform(self, text: str) -> Affine:
        if text not in self.matrices:
            self.functions += text.count("(")
            if self.functions > SVG_COMMANDS:
                raise broken("it has too many transforms", "Flatten its transforms.")
            self.matrices[text] = svg_frame.transform(text, self.viewport)
        return self.matrices[text]

    def _use(self, node: Node, setting: _Setting) -> None:
        """Draw what a <use> refers to, where it stands."""
        target = self.by_id.get(node.attributes.get("href", "").strip()[1:])
        if target is None:
            return
        if id(target) in setting.used:
            raise unsafe("it has a <use> that refers to itself")
        x = svg_shapes.length(node.attributes.get("x"), 0.0, self.viewport.width)
        y = svg_shapes.length(node.attributes.get("y"), 0.0, self.viewport.height)
        moved = replace(
            setting,
            matrix=svg_frame.within(setting.matrix, svg_frame.affine(1, 1, x, y)),
            used=(*setting.used, id(target)),
        )
        if target.tag not in ("symbol", "svg"):
            self._walk(target, moved)
        elif inner := self._entered(target, moved):
            sizes = {**target.attributes, **node.attributes}
            self._walk_framed(target, sizes, inner)

    def _walk_framed(self, node: Node, sizes: Mapping[str, str], setting: _Setting) -> None:
        """Into the nested viewport of `node`, whose width and height are those in `sizes`."""
        width, height = self.viewport
        x = svg_shapes.length(node.attributes.get("x"), 0.0, width)
        y = svg_shapes.length(node.attributes.get("y"), 0.0, height)
        width = svg_shapes.length(sizes.get("width"), width, width)
        height = svg_shapes.length(sizes.get("height"), height, height)
        if width <= 0 or height <= 0:
            return  # SVG 2, 8.2: such a viewport is not drawn
        box = svg_frame.view_box(node) or (0.0, 0.0, width, height)
        aspect = node.attributes.get("preserveAspectRatio", "")
        moved = svg_frame.within(setting.matrix, svg_frame.affine(1, 1, x, y))
        framed = svg_frame.within(moved, svg_frame.placed(box, width, height, aspect))
        self._walk_children(node, replace(setting, matrix=framed))

    def _draw(self, node: Node, setting: _Setting) -> None:
        """The first of stroke and fill that can be seen."""
        if setting.properties.get("visibility", "visible") != "visible":
            return
        for paint in ("stroke", "fill"):
            rgba = svg_paint.colour(setting.properties, paint, self.gradients)
            width = self._width(paint, node, setting)
            if rgba is None or rgba[3] * setting.opacity <= 0 or width <= 0:
                continue
            if paint == "fill" and (node.tag == "line" or self._is_paper(node, setting.matrix)):
                return
            round_caps = setting.properties.get("stroke-linecap", "butt") != "butt"
            dots = paint == "stroke" and round_caps
            for points in self._subpaths(node):
                if dots or bool(np.ptp(points, axis=0).any()):
                    mark = svg_frame.mapped(points, setting.matrix)
                    deep = self._depths(node, len(points), setting.matrix)
                    self._add(mark, deep, width, (*rgba[:3], rgba[3] * setting.opacity))
            return

    def _subpaths(self, node: Node) -> list[Cubics]:
        if id(node) not in self.cubics:
            self.cubics[id(node)] = svg_shapes.cubics(node, self.viewport)
        return self.cubics[id(node)]

    def _depths(self, node: Node, count: int, matrix: Affine) -> Depths:
        """Of `count` control points, in canvas pixels."""
        if id(node) not in self.deep:
            self.deep[id(node)] = svg_shapes.depths(node)
        deep = self.deep[id(node)]
        if deep is None:
            return np.zeros(count)
        self.is_flat = False
        if len(deep) != count:
            deep = np.full(count, deep.mean())
        return deep * svg_frame.scale_of(matrix)

    def _width(self, paint: str, node: Node, setting: _Setting) -> float:
        """Of the line to draw, in canvas pixels."""
        if paint == "fill":
            return max(1.0, min(self.size) * OUTLINE)
        text = setting.properties.get("stroke-width")
        fixed = self._declared(node).get("vector-effect") == "non-scaling-stroke"
        scale = svg_frame.scale_of(self.fit if fixed else setting.matrix)
        return svg_shapes.length(text, 1.0, self.viewport.diagonal) * scale

    def _is_paper(self, node: Node, matrix: Affine) -> bool:
        """A rectangle that covers the whole drawing, to half a pixel: its ground, not a mark."""
        if node.tag != "rect" or not (subpaths := self._subpaths(node)):
            return False
        x, y, width, height = self.box
        page = svg_frame.mapped(np.array([[x, y], [x + width, y + height]]), self.fit)
        rect = svg_frame.mapped(subpaths[0], matrix)
        below = (rect.min(axis=0) <= page[0] + 0.5).all()
        return bool(below and (rect.max(axis=0) >= page[1] - 0.5).all())

    def _add(self, points: Cubics, depths: Depths, width: float, rgba: svg_paint.Rgba) -> None:
        extent = max(np.abs(points).max(), np.abs(depths).max(), width)
        if not extent <= COORDINATE_MAX_PX:
            raise broken("it has a coordinate or width far outside any canvas")
        for first in range(0, len(points) - 1, 3 * SEGMENTS_MAX):
            self.points.append(points[first : first + 3 * SEGMENTS_MAX + 1])
            self.depths.append(depths[first : first + 3 * SEGMENTS_MAX + 1])
            self.widths.append(width)
            self.rgba.append(rgba)
        if len(self.points) > STROKES_MAX:
            raise broken(f"it has more than {STROKES_MAX} strokes", "Split it in several files.")


def _nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in root.children:
        yield from _nodes(child)
