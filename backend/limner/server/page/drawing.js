/** What a job has made, ready to be painted at any size: strokes, or a picture of pixels. */

import { fromFrame, paint as paintStrokes } from "./strokes.js";

/**
 * A picture as a drawing. It is known by its `image`, and is never deep.
 * @param {Uint8Array} bytes @param {string} mime
 * @param {[number, number]} size of the canvas; the picture lies in its middle
 * @returns {Promise<import("./strokes.js").Drawing>}
 * @throws {Error} if the bytes are no picture
 */
export async function fromPicture(bytes, mime, size) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([bytes], { type: mime }));
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(image.src);
  }
  return { size, strokes: [], isDeep: false, image };
}

/**
 * The drawing of a frame of either kind.
 * @param {{message: Object, buffers: Object}} frame
 * @returns {Promise<import("./strokes.js").Drawing>}
 */
export async function fromAnyFrame({ message, buffers }) {
  if (message.t === "raster") return fromPicture(buffers.picture, message.mime, message.canvas);
  return fromFrame(buffers, message.canvas);
}

/**
 * Paint a drawing; the context's transform maps canvas pixels to where they go.
 * @param {CanvasRenderingContext2D} context @param {import("./strokes.js").Drawing} drawing
 */
export function paint(context, drawing) {
  if (drawing.image) place(context, drawing.image, ...drawing.size, Math.min);
  else paintStrokes(context, drawing);
}

/** A picture scaled to cover the paper, its overhang cut evenly, as the backend does it. */
export function cover(context, picture, wide, high) {
  place(context, picture, wide, high, Math.max);
}

function place(context, picture, wide, high, choose) {
  const scale = choose(wide / picture.width, high / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (wide - w) / 2, (high - h) / 2, w, h);
}
