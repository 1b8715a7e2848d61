/** What is known of one job, and how each message changes that. No element is touched here. */

const CURVE_POINTS = 600; // kept of each loss; beyond, every other is dropped

/**
 * @param {string} id
 * @param {Object} [request] the submit, when it is known
 * @returns {Object} a job of which nothing was heard
 */
export function newJob(id, request = {}) {
  return {
    id,
    method: "",
    params: {},
    canvas: [224, 224],
    inputs: {},
    models: [],
    ...request,
    state: "sending",
    note: "",
    stays: false, // paused after its last step: it answers every change until it is kept
    position: 0,
    step: 0,
    total: 0,
    rate: 0,
    left: 0,
    losses: new Map(),
    notices: [],
    failure: null,
    asked: "", // the command that is under way: "pause", "resume", "keep", "drop"
    confirmed: null, // the last `adjusted`
    newest: null, // frame of strokes that is not shown yet
    newestPicture: null, // that is not decoded yet
    isDecoding: false, // whether one is being decoded
    drawing: null, // of the newest frame
    result: null, // {svg, png, about}; a picture of pixels has no svg
    frames: [], // recorded steps
    get prompt() {
      return this.params.prompt ?? "";
    },
    get isOver() {
      return ["done", "error", "cancelled"].includes(this.state);
    },
    get isLive() {
      return this.state === "running" || this.state === "paused";
    },
  };
}

const CHANGES = {
  state(job, { state, position = 0, step = 0, note = "", stays = false }) {
    Object.assign(job, { state, position, note, stays, asked: "" });
    job.step = Math.max(job.step, step);
  },
  waiting(job, { position }) {
    job.position = position;
  },
  adjusted(job, { step, params }) {
    job.params = { ...job.params, ...params };
    job.confirmed = { step, names: Object.keys(params) };
  },
  notice(job, { text }) {
    job.notices.push(text);
  },
  error(job, { message, hint = "" }) {
    job.failure = { message, hint };
    job.asked = "";
  },
  progress(job, { step, total, losses, it_per_s = 0, eta_s = 0 }) {
    Object.assign(job, { step, total, rate: it_per_s, left: eta_s });
    for (const [name, value] of Object.entries(losses)) addPoint(job.losses, name, step, value);
  },
  done(job, { state = "done", about }, { svg, png }) {
    Object.assign(job, { state, stays: false, asked: "", result: { svg, png, about } });
    job.step = about.settings?.steps_done ?? job.step;
  },
  described(job, { about }) {
    const { params, ...request } = about.request;
    Object.assign(job, request, { frames: about.frames ?? [] });
    // what was adjusted since has been heard, and stands
    job.params = { ...params, ...(job.confirmed ? job.params : {}) };
    if (job.state === "sending") Object.assign(job, { state: about.state, step: about.step ?? 0 });
  },
};

/**
 * Take in what a message says.
 * @param {Object} job it is changed
 * @param {Object} message about this job
 * @param {Object} buffers
 */
export function tell(job, message, buffers) {
  CHANGES[message.t]?.(job, message, buffers);
}

function addPoint(losses, name, step, value) {
  const points = losses.get(name) ?? [];
  const last = points.at(-1)?.[0] ?? -1;
  if (last > step) return;
  if (last === step) points.pop(); // a job that stays tells it anew
  points.push([step, value]);
  losses.set(name, points.length > CURVE_POINTS ? points.filter((_, i) => !(i % 2)) : points);
}
