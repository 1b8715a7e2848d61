/** The small picture of a job: its result, or else the last frame that was recorded. */

import { fromAnyFrame, fromPicture, paint } from "./drawing.js";

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
  return painted(await fromAnyFrame(await session.ask(asked, "frame")));
}

async function fromResult(session, { job, canvas }) {
  const { buffers } = await session.ask({ t: "fetch", job, what: "result" }, "done");
  return painted(await fromPicture(buffers.png, "image/png", canvas));
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
