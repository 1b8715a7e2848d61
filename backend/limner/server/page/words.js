/** Everything that the page says to the artist, but for the fixed labels in index.html. */

const ROLES = {
  picture: ["Edit", "the picture that is changed"],
  init: ["Begin from", "a picture or an SVG to go on from"],
  over: ["Draw over", "a picture that stays below the strokes"],
  mask: ["Only where white", "a mask: where it is black, all stays as it is"],
  style: ["In the style of", "a picture whose look is taken over"],
  style2: ["And of a second", "a picture whose look is taken over"],
  style3: ["And of a third", "a picture whose look is taken over"],
  other: ["Blend with", "a picture at the other end of the way"],
  other2: ["And with a third", "a picture at the other end of the way"],
  other3: ["And with a fourth", "a picture at the other end of the way"],
};

const STATES = {
  sending: "Sending…",
  queued: "Waiting its turn",
  loading: "Getting ready",
  running: "Drawing",
  paused: "Paused",
  done: "Done",
  cancelled: "Stopped",
  error: "It did not work",
};

const TO_KEEP = "Ready to keep";

const ASKED = {
  pause: "Pausing…",
  resume: "Going on…",
  keep: "Stopping…",
  drop: "Throwing it away…",
};

const LINK = {
  closed: "connecting",
  greeting: "connecting",
  ready: "connected",
  refused: "not connected",
};

const EXAMPLES = ["a red apple", "a sailboat at sunset", "a potted plant"];

/** @param {number} seconds @returns {string} "about 20 seconds" */
function duration(seconds) {
  if (seconds < 3) return "a moment";
  if (seconds < 10) return "a few seconds";
  if (seconds < 50) return `about ${10 * Math.round(seconds / 10)} seconds`;
  if (seconds < 90) return "about a minute";
  if (seconds < 3000) return `about ${Math.round(seconds / 60)} minutes`;
  if (seconds < 5400) return "about an hour";
  return `about ${Math.round(seconds / 3600)} hours`;
}

const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
const plain = (name) => name.replaceAll("_", " ");
const titled = (name) => plain(name).replace(/^./, (c) => c.toUpperCase());

export const words = {
  examples: EXAMPLES,
  draw: "Draw",
  drawNew: "New drawing",
  label: titled,
  link: (phase) => LINK[phase],

  noKey:
    "This page was opened without its key. Open it with the link that “limner serve --open” " +
    "opens and prints; while the backend runs, “limner open” in a terminal makes a new one. " +
    "Each link works once.",
  refused: (message, hint) => `${message} ${hint}`.trim(),
  lost:
    "The backend is not answering. If it was stopped, start it again with “limner serve”. " +
    "Your settings stay here, a drawing that runs goes on without this page, and the page " +
    "tries again by itself.",
  starting:
    "The backend is getting ready. You may press Draw: the drawing starts as soon as it can.",
  tryNow: "Try now",
  room: (n) =>
    `${count(n, "old drawing")} ${n === 1 ? "was" : "were"} deleted: their room was needed.`,
  dismiss: "Dismiss",

  // the form
  askDraw: "What to draw",
  exampleDraw: "a red apple",
  askEdit: "What it should become",
  exampleEdit: "a smiling face",
  sayWhat: "Say what you want.",
  recommended: (value) => `${value} recommended`,
  recommendedPlain: "recommended",
  backToRecommended: "Back to recommended",
  on: "on",
  off: "off",
  between: (low, high) => `A number from ${low} to ${high}.`,
  whole: "A whole number.",
  atLeast: (low) => `At least ${low}.`,
  add: (name) => `Add to “${plain(name)}”`,
  addShort: "Add",
  remove: "Remove",
  otherSeed: "Another seed",
  canvas: "Canvas",
  wide: "Width",
  high: "Height",
  model: "Model",
  bestModel: (name) => (name ? `Best here: ${name}` : "Best here"),
  from: (step) => `from step ${step} on`,
  sent: "sent…",

  // inputs
  role: (role) => (ROLES[role] ?? [titled(role), "a picture"])[0],
  roleHelp: (role) => (ROLES[role] ?? [titled(role), "a picture"])[1],
  dropHere: "Drop, paste or choose",
  dropNeeded: "Drop, paste or choose one: it is needed",
  startedFrom: (prompt) => (prompt ? `“${prompt}”` : "the drawing"),
  notPicture: (name) => `${name} can’t be read as a picture. PNG, JPEG, WebP and SVG always can.`,
  fromBefore: "from before",
  needs: (role) => `Give it a picture first: “${words.role(role)}”.`,
  tooMany: "One picture for each place, please.",

  // a drawing
  empty: "Empty paper",
  emptyHelp: "Say what to draw, or choose one of your drawings.",
  state(job) {
    if (job.asked === "keep" && job.stays) return "Keeping it…";
    if (job.asked) return ASKED[job.asked];
    if (job.stays) return TO_KEEP;
    if (job.state === "queued" && job.position > 0) {
      return `${count(job.position, "drawing")} before this one`;
    }
    return STATES[job.state];
  },
  sendingLater: "It is sent as soon as the backend is back.",
  stoppedKept: "Stopped, and kept as it was",
  steps: (step, total) => (total ? `step ${step} of ${total}` : `step ${step}`),
  rate: (r) => (r >= 10 ? `${Math.round(r)} steps a second` : `${r.toFixed(1)} steps a second`),
  left: (seconds) => `${duration(seconds)} left`,
  progress: "How far it is",
  score: (score) => `score ${Number(score.toPrecision(3))}`,
  scoreHelp: "How near it is to what was asked; higher is nearer.",
  stage: (job) => (job ? `${job.prompt || "A drawing"}: ${words.state(job)}` : words.empty),
  dragToTurn: "Drag to turn it",
  frontView: "Front view",
  pause: "Pause",
  resume: "Go on",
  keep: "Stop and keep",
  keepPicture: "Keep this picture",
  keepPictureHelp: "It is done, as it is now",
  drop: "Cancel",
  dropSure: "Throw it away?",
  dropYes: "Throw away",
  dropNo: "No",
  saveSvg: "SVG",
  savePng: "PNG",
  saveSvgHelp: "Save the strokes as an SVG file",
  savePngHelp: "Save the picture as a PNG file",
  copy: "Copy SVG",
  copied: "Copied",
  notCopied: "The browser did not allow it: save the SVG instead.",
  anotherSeed: "Another seed",
  anotherSeedHelp: "Draw the same again with another seed",
  goOn: "Go on from this",
  goOnHelp: "Begin the next one from this",
  useSettings: "Use its settings",
  useSettingsHelp: "Put this drawing’s settings into the form",
  play: "Play",
  stop: "Stop",
  replay: "How it was drawn",
  finished: "finished",
  loss: (name) => plain(name),

  // the gallery
  older: "Older",
  delete: "Delete",
  deleteSure: "Delete?",
  deleteYes: "Delete",
  deleteNo: "Keep",
  mark: ({ state, stays }) =>
    stays ? TO_KEEP : ({ done: "", cancelled: "" })[state] ?? STATES[state],
  nothingYet: "What you draw is kept here.",
  untitled: (method) => titled(method),
  title: (text) => (text ? `${text} – Limner` : "Limner"),
};
