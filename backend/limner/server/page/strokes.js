/** Strokes: as they travel, as an SVG has them, turned in space, and onto a canvas. */

const MARGIN = 0.25; // of the canvas: strokes may reach so far beyond its edges
const NEAREST = 0.75; // of its longer side: depths reach so far before it and behind it
const SPAN = 1.5;
const STEPS = 65535;

/**
 * A drawing, ready to be painted at any size.
 * @typedef {Object} Drawing
 * @property {[number, number]} size in pixels
 * @property {Stroke[]} strokes in painter's order
 * @property {boolean} isDeep whether it lies in space, and can be turned
 * @property {HTMLImageElement} [image] instead of strokes: a picture
 */

/**
 * @typedef {Object} Stroke
 * @property {Path2D} path
 * @property {number} width in full, in pixels
 * @property {string} colour
 * @property {Float32Array} [nodes] x, y and the depth away from the viewer of each control point
 *     in turn, in pixels; a deep drawing's strokes all have them
 */

const HAIR = 0.001; // pixels

/**
 * The drawing of a `strokes` frame: u16 fractions, each stroke a chain of cubic Béziers.
 * @param {Object<string, ArrayBufferView>} buffers points, ends, width, rgba, perhaps depth
 * @param {[number, number]} size
 * @returns {Drawing}
 */
export function fromFrame({ points, ends, width, rgba, depth }, size) {
  const scale = size.map((side) => (SPAN / STEPS) * side);
  const longest = Math.max(...size);
  const all = new Float32Array((points.length / 2) * 3);
  for (let i = 0; 2 * i < points.length; i++) {
    all[3 * i] = points[2 * i] * scale[0] - MARGIN * size[0];
    all[3 * i + 1] = points[2 * i + 1] * scale[1] - MARGIN * size[1];
    if (depth) all[3 * i + 2] = ((depth[i] * SPAN) / STEPS - NEAREST) * longest;
  }
  const strokes = Array.from(ends, (end, s) => {
    const nodes = all.subarray(s ? 3 * ends[s - 1] : 0, 3 * end);
    const [r, g, b, a] = rgba.subarray(4 * s, 4 * s + 4);
    const colour = `rgb(${r} ${g} ${b} / ${a / 255})`;
    return { path: pathOf(nodes), width: (width[s] * longest) / STEPS, colour, nodes };
  });
  return { size, strokes, isDeep: Boolean(depth) };
}

/** @param {Float32Array} n x, y and depth of the nodes of a chain of cubics @returns {Path2D} */
function pathOf(n) {
  const path = new Path2D();
  path.moveTo(n[0], n[1]);
  for (let i = 3; i + 8 < n.length; i += 9) {
    path.bezierCurveTo(n[i], n[i + 1], n[i + 3], n[i + 4], n[i + 6], n[i + 7]);
  }
  path.lineTo(n.at(-3) + HAIR, n.at(-2)); // else a dot, which goes nowhere, is not painted
  return path;
}

/**
 * The drawing of an SVG that Limner wrote: stroked paths, no transforms.
 * @param {string} text @param {[number, number]} size
 * @returns {Drawing}
 */
export function fromSvg(text, size) {
  const found = new DOMParser()
    .parseFromString(text, "image/svg+xml")
    .querySelectorAll("path[stroke]");
  const strokes = Array.from(found, (node) => {
    const alpha = Number(node.getAttribute("stroke-opacity") ?? 1);
    const [r, g, b] = [1, 3, 5].map((i) =>
      parseInt(node.getAttribute("stroke").slice(i, i + 2), 16),
    );
    return {
      path: new Path2D(`${node.getAttribute("d")} l ${HAIR} 0`),
      width: Number(node.getAttribute("stroke-width")),
      colour: `rgb(${r} ${g} ${b} / ${alpha})`,
      nodes: nodesOf(node),
    };
  });
  return { size, strokes, isDeep: strokes.length > 0 && strokes.every(({ nodes }) => nodes) };
}

/** The control points of a path that has `data-depth`. @param {SVGPathElement} node */
function nodesOf(node) {
  if (!node.dataset.depth) return undefined;
  const flat = node.getAttribute("d").match(/-?[\d.]+/g);
  const depths = node.dataset.depth.split(" ");
  return Float32Array.from(depths.flatMap((z, i) => [flat[2 * i], flat[2 * i + 1], z]));
}

/**
 * A drawing in space as a camera sees it that has gone round the middle of the canvas: as
 * `vector/space.py` has it, with the strokes far to near.
 * @param {Drawing} drawing one that is deep
 * @param {number} azimuth in degrees; 90 looks from the right
 * @param {number} elevation in degrees; 90 looks from above
 * @returns {Drawing}
 */
export function turned(drawing, azimuth, elevation) {
  const [sinA, sinE] = [azimuth, elevation].map((angle) => Math.sin((angle * Math.PI) / 180));
  const [cosA, cosE] = [azimuth, elevation].map((angle) => Math.cos((angle * Math.PI) / 180));
  const [mx, my] = drawing.size.map((side) => side / 2);
  const strokes = drawing.strokes.map((stroke) => {
    const nodes = stroke.nodes.slice();
    let depth = 0;
    for (let i = 0; i < nodes.length; i += 3) {
      const [x, y, z] = [nodes[i] - mx, nodes[i + 1] - my, nodes[i + 2]];
      const away = z * cosA - x * sinA; // seen from the horizon
      nodes[i] = x * cosA + z * sinA + mx;
      nodes[i + 1] = y * cosE - away * sinE + my;
      nodes[i + 2] = y * sinE + away * cosE;
      depth += (3 * nodes[i + 2]) / nodes.length;
    }
    return { ...stroke, path: pathOf(nodes), nodes, depth };
  });
  return { ...drawing, strokes: strokes.sort((one, other) => other.depth - one.depth) };
}

/**
 * Paint strokes; the context's transform maps canvas pixels to where they go.
 * @param {CanvasRenderingContext2D} context @param {Drawing} drawing
 */
export function paint(context, drawing) {
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const { path, width, colour } of drawing.strokes) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  }
}
