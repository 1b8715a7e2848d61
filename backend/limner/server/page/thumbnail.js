/** The small picture of a job: its result, or else the last frame that was recorded. */

import { fromFrame, paint } from "./strokes.js";

export const THUMBNAIL_PX = 220; // the longer side

/**
 * @param {import("./session.js").Session} session
 * @param {Object} job a row of `jobs`
 * @returns {Promise<CanvasImageSource>}
 * @throws {Error} if nothing was drawn, or the connection is lost
 */
export async function thumbnail(session, job) {
  if (job.state === "done" || job.state === "cancelled") {
    try {
      return await fromResult(session, job);
    } catch (problem) {
      if (!problem.code) throw problem;
    }
  }
  const asked = { t: "fetch", job: job.job, what: "frame", step: Number.MAX_SAFE_INTEGER };
  const { message, buffers } = await session.ask(asked, "strokes");
  return painted(fromFrame(buffers, message.canvas));
}

async function fromResult(session, { job, canvas: [wide, high] }) {
  const { buffers } = await session.ask({ t: "fetch", job, what: "result" }, "done");
  const scale = THUMBNAIL_PX / Math.max(wide, high);
  return createImageBitmap(new Blob([buffers.png], { type: "image/png" }), {
    resizeWidth: Math.max(1, Math.round(wide * scale)),
    resizeHeight: Math.max(1, Math.round(high * scale)),
    resizeQuality: "high",
  });
}

function painted(drawing) {
  const [wide, high] = drawing.size;
  const scale = THUMBNAIL_PX / Math.max(wide, high);
  const layer = new OffscreenCanvas(
    Math.max(1, wide * scale),
    Math.max(1, high * scale),
  ).getContext("2d");
  layer.fillStyle = "#fff";
  layer.fillRect(0, 0, layer.canvas.width, layer.canvas.height);
  layer.scale(scale, scale);
  paint(layer, drawing);
  return layer.canvas;
}
