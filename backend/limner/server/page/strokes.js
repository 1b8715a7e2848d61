/** Strokes: as they travel, as an SVG has them, and onto a canvas. */

const MARGIN = 0.25; // of the canvas: strokes may reach so far beyond its edges
const SPAN = 1.5;
const STEPS = 65535;

/**
 * A drawing, ready to be painted at any size.
 * @typedef {Object} Drawing
 * @property {[number, number]} size in pixels
 * @property {{path: Path2D, width: number, colour: string}[]} strokes in painter's order; the
 *     width in full, in pixels
 */

/**
 * The drawing of a `strokes` frame: u16 fractions, each stroke a chain of cubic Béziers.
 * @param {Object<string, ArrayBufferView>} buffers points, ends, width, rgba
 * @param {[number, number]} size
 * @returns {Drawing}
 */
export function fromFrame({ points, ends, width, rgba }, size) {
  const scaleX = (SPAN / STEPS) * size[0];
  const scaleY = (SPAN / STEPS) * size[1];
  const x = (i) => points[2 * i] * scaleX - MARGIN * size[0];
  const y = (i) => points[2 * i + 1] * scaleY - MARGIN * size[1];
  const unit = Math.max(...size) / STEPS;
  const strokes = Array.from(ends, (end, s) => {
    const path = new Path2D();
    const begin = s ? ends[s - 1] : 0;
    path.moveTo(x(begin), y(begin));
    for (let i = begin + 1; i + 2 < end; i += 3) {
      path.bezierCurveTo(x(i), y(i), x(i + 1), y(i + 1), x(i + 2), y(i + 2));
    }
    const [r, g, b, a] = rgba.subarray(4 * s, 4 * s + 4);
    return { path, width: width[s] * unit, colour: `rgb(${r} ${g} ${b} / ${a / 255})` };
  });
  return { size, strokes };
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
      path: new Path2D(node.getAttribute("d")),
      width: Number(node.getAttribute("stroke-width")),
      colour: `rgb(${r} ${g} ${b} / ${alpha})`,
    };
  });
  return { size, strokes };
}

/**
 * Paint a drawing; the context's transform maps canvas pixels to where they go.
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
