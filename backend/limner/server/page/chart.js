/** The losses of a run as small curves, each on a scale of its own; the main one stands out. */

const MAIN = "loss";
const EDGE_PX = 3;

/**
 * Draw all curves anew.
 * @param {HTMLCanvasElement} canvas its CSS size is filled
 * @param {Map<string, [number, number][]>} losses name -> (step, value) in order
 * @returns {string[]} the names, the main one last: it is drawn over the others
 */
export function drawChart(canvas, losses) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: wide, clientHeight: high } = canvas;
  canvas.width = wide * ratio;
  canvas.height = high * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.lineJoin = "round";
  const style = getComputedStyle(canvas);
  const names = [...losses.keys()].sort((a, b) => (a === MAIN) - (b === MAIN));
  names.forEach((name, i) => {
    context.strokeStyle = style.getPropertyValue(curveColour(name, i));
    context.lineWidth = name === MAIN ? 1.75 : 1;
    curve(context, losses.get(name), wide, high);
  });
  return names;
}

/** @param {string} name @param {number} place @returns {string} the CSS variable with its colour */
export function curveColour(name, place) {
  return name === MAIN ? "--accent" : `--curve-${place % 4}`;
}

function curve(context, points, wide, high) {
  const values = points.map(([, value]) => value);
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const first = points[0][0];
  const steps = points.at(-1)[0] - first || 1;
  context.beginPath();
  for (const [step, value] of points) {
    context.lineTo(
      EDGE_PX + ((step - first) / steps) * (wide - 2 * EDGE_PX),
      high - EDGE_PX - ((value - low) / span) * (high - 2 * EDGE_PX),
    );
  }
  context.stroke();
}
