/** The page: who tells whom. On the easel is one job; the desk holds what to ask for. */

import { Adjuster } from "./adjust.js";
import { Desk } from "./desk.js";
import { button } from "./dom.js";
import { fromPicture } from "./drawing.js";
import { anySeed } from "./form.js";
import { Gallery, PAGE } from "./gallery.js";
import { maskOf } from "./inputs.js";
import { newJob, tell } from "./job.js";
import { LinkBanner } from "./link.js";
import { memory } from "./memory.js";
import { Replay } from "./replay.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { fromFrame, fromSvg } from "./strokes.js";
import { thumbnail } from "./thumbnail.js";
import { Tray } from "./tray.js";
import { words } from "./words.js";

const REFRESH_MS = 10000; // of the gallery while something in it moves
const COPIED_MS = 2000; // how long the button says so
const at = (id) => document.getElementById(id);

let job = null; // on the easel
let isFrameAsked = false;
let isBefore = false; // whether the picture is shown as it was before the edit
const pictures = new Map(); // sha256 -> Input

// --- painting: everything that changes is shown in the next animation frame ---------------------

/** A hidden page has no animation frames: nothing is acknowledged then, and nothing is sent. */
function soon() {
  if (isFrameAsked) return;
  isFrameAsked = true;
  requestAnimationFrame(() => {
    isFrameAsked = false;
    render();
    if (!job?.isDecoding) session.shown();
  });
}

function render() {
  if (job?.newest) {
    job.drawing = fromFrame(job.newest.buffers, job.newest.message.canvas);
    job.newest = null;
  }
  stage.show(scene());
  stage.draw();
  tray.render(job, session.isReady, isAttached() || Boolean(job?.isOver && desk.holds(job)));
  replay.open(job);
  desk.attach(isAttached());
  showDrawButton();
  at("examples").hidden = Boolean(job) || !desk.form.takesWords || desk.edits;
  at("stage").setAttribute("aria-label", words.stage(job));
  showTurn();
  showTitle();
}

/** Draw, or what keeps it from being pressed. */
function showDrawButton() {
  const isFree = !isAttached();
  const lack = isFree ? desk.lack : "";
  const missing = isFree && !lack ? desk.inputs.missing : undefined;
  at("draw").textContent = isFree ? words.draw : words.drawNew;
  at("draw").disabled = !desk.method || Boolean(lack || missing);
  at("draw").classList.toggle("primary", isFree);
  at("needs").textContent = missing ? words.needs(missing) : "";
  at("lack").textContent = lack;
}

function scene() {
  if (!job) return { size: desk.canvas.value, under: ground(desk.inputs.used) };
  const sent = job.isBeingSent
    ? desk.inputs.used
    : Object.entries(job.inputs).map(([role, sha256]) => [role, pictures.get(sha256)]);
  const drawing = job.replayed ?? job.drawing;
  const canCompare = Boolean(drawing?.image && given(sent, "picture"));
  at("before").hidden = !canCompare;
  at("before").setAttribute("aria-pressed", String(isBefore));
  return {
    size: job.canvas,
    under: ground(sent),
    mask: drawing?.image ? undefined : given(sent, "mask", "mask"), // a picture comes as a whole
    drawing: canCompare && isBefore ? undefined : drawing,
  };
}

/** What lies below the drawing: the picture that is edited, or drawn over. */
const ground = (inputs) => given(inputs, "picture") ?? given(inputs, "over");

/** A drawing that lies in space can be turned, and says so. */
function showTurn() {
  const { isDeep, isFront } = stage;
  at("front").hidden = !isDeep;
  at("front").disabled = isFront;
  at("front").textContent = isFront ? words.dragToTurn : words.frontView;
}

const given = (inputs, role, what = "image") => inputs.find(([name]) => name === role)?.[1]?.[what];

// --- the easel ----------------------------------------------------------------------------------

function setOnEasel(next) {
  if (job) session.unwatch(job.id);
  job = next;
  stage.front();
  adjuster.follow(job);
  memory.job.write(job?.id ?? null);
  gallery.mark(job?.id);
  soon();
}

/** Show a job that the backend knows. */
function open(id, known = {}) {
  setOnEasel(newJob(id, known));
  session.watch(id);
  describe(job);
}

async function describe(described) {
  try {
    const { message } = await session.ask({ t: "describe", job: described.id }, "described");
    tell(described, message, {});
    await fetchPictures(described);
    if (described.result) showResult(described);
    if (job === described && isAttached()) putPicturesBack();
  } catch (problem) {
    if (problem.code === "unknown_job" && job === described) setOnEasel(null);
  }
  soon();
}

/** The pictures that a job was given, as far as this page has not sent them itself. */
async function fetchPictures(described) {
  for (const [role, sha256] of Object.entries(described.inputs)) {
    if (pictures.has(sha256)) continue;
    const asked = { t: "fetch", job: described.id, what: "input", role };
    const { message, buffers } = await session.ask(asked, "blob");
    const file = new Blob([buffers.data], { type: message.mime });
    keepPicture(sha256, role, await desk.inputs.read(role, file, words.fromBefore));
  }
}

function keepPicture(sha256, role, input) {
  if (role === "mask") input.mask = maskOf(input.image);
  pictures.set(sha256, input);
}

/** A result is strokes, sharp at any zoom, or a picture of pixels. */
function showResult(ended) {
  const { svg, png } = ended.result;
  if (svg) ended.drawing = fromSvg(new TextDecoder().decode(svg), ended.canvas);
  else showPicture(ended, png, "image/png", ended.canvas);
}

/** Pictures are decoded one after the other; of those that come meanwhile, only the newest. */
async function showPicture(shown, ...picture) {
  shown.newestPicture = picture;
  if (shown.isDecoding) return;
  shown.isDecoding = true;
  while (shown.newestPicture) {
    const next = shown.newestPicture;
    shown.newestPicture = null;
    try {
      shown.drawing = await fromPicture(...next);
    } catch {
      // it is broken: what was shown before stays
    }
    soon();
  }
  shown.isDecoding = false;
}

/** The form belongs to the drawing on the easel from Draw until it is over. */
const isAttached = () => Boolean(job && !job.isOver && memory.attached.read(null) === job.id);

function showTitle() {
  const isUnderWay = job?.total && !job.isOver && !job.stays;
  const share = isUnderWay ? `${Math.round((100 * job.step) / job.total)} % ` : "";
  const mark = job?.state === "done" ? "✓ " : share;
  const title = words.title(job && `${mark}${job.prompt || words.untitled(job.method)}`);
  if (document.title !== title) document.title = title;
}

// --- asking for a drawing -----------------------------------------------------------------------

function draw() {
  const request = desk.request();
  if (!request) return;
  memory.addPrompt(request.params.prompt);
  desk.showPrompts();
  begin(request, desk.inputs.used);
}

/** Show the empty paper at once, send the pictures, then ask. */
async function begin(request, inputs, known = {}) {
  const begun = newJob(crypto.randomUUID(), { ...request, inputs: known });
  begun.isBeingSent = true;
  memory.attached.write(begun.id);
  setOnEasel(begun);
  at("easel").scrollIntoView({ block: "nearest" });
  try {
    for (const [role, input] of inputs) {
      const sha256 = await session.upload(input.bytes, input.mime);
      keepPicture(sha256, role, input);
      begun.inputs = { ...begun.inputs, [role]: sha256 };
    }
    begun.isBeingSent = false;
    session.submit({ job: begun.id, ...request, inputs: begun.inputs, watch: job === begun });
  } catch ({ message, hint }) {
    tell(begun, { t: "error", message, hint }, {});
    begun.state = "error";
  }
  soon();
}

function drawOtherSeed() {
  const { method, params, canvas, models, inputs } = job;
  const request = { method, canvas, models, params: { ...params, seed: anySeed() } };
  if (!desk.restore(request)) return;
  begin(request, [], inputs); // the backend has the pictures still: the old job holds them
}

// --- commands for the job on the easel ----------------------------------------------------------

function command(name, message) {
  if (name === "keep") adjuster.send(true); // what was changed last is kept, too
  job.asked = name;
  session.say({ job: job.id, ...message });
  soon();
}

async function copySvg() {
  const { copy } = tray.buttons;
  try {
    await navigator.clipboard.writeText(new TextDecoder().decode(job.result.svg));
    copy.textContent = words.copied;
  } catch {
    banner.say(words.notCopied);
  }
  setTimeout(() => {
    copy.textContent = words.copy;
  }, COPIED_MS);
}

async function goOn() {
  await desk.goOnFrom(job);
  if (desk.form.takesWords) at("prompt").focus();
}

/** Take a job's settings; if it still runs, the form is from now on its own. */
function useSettings() {
  desk.attach(false);
  if (!desk.restore(job)) return;
  memory.attached.write(job.isOver ? null : job.id);
  putPicturesBack();
  soon();
}

/** The form of a job has its pictures too. */
function putPicturesBack() {
  for (const [role, sha256] of Object.entries(job.inputs)) {
    const input = pictures.get(sha256);
    if (input && desk.inputs.given.get(role) !== input) desk.inputs.put(role, input);
  }
  desk.canvas.write(job.canvas); // it may be the picture's own now
}

// --- what is heard ------------------------------------------------------------------------------

function heard(message, buffers) {
  if (message.t === "welcome") welcomed(message);
  else if (message.t === "forgotten") forgotten(message);
  else if (job && message.job === job.id) heardOfEasel(message, buffers);
  else if (message.t === "error") banner.say(words.refused(message.message, message.hint ?? ""));
  soon();
}

function heardOfEasel(message, buffers) {
  if (message.t === "strokes" || message.t === "raster") {
    if (message.seq) takeFrame(message, buffers);
    return;
  }
  tell(job, message, buffers);
  if (message.t === "error" && !message.seq && job.state === "sending") job.state = "error";
  if (message.t === "adjusted" || message.t === "error") adjuster.answered();
  if (message.t === "adjusted" && !job.stays)
    desk.form.note(job.confirmed.names, words.from(job.confirmed.step));
  if (message.t === "done") showResult(job);
  if (message.t === "state" || message.t === "done") stateChanged();
}

function takeFrame(message, buffers) {
  if (message.t === "strokes") job.newest = { message, buffers };
  else showPicture(job, buffers.picture, message.mime, message.canvas);
}

function stateChanged() {
  if (!job.isOver) adjuster.send();
  if (job.isOver && job.isThrownAway) session.say({ t: "forget", job: job.id });
  else if (job.isOver) describe(job);
  showTitle(); // a hidden page has no animation frames, but a tab
  refreshGallery();
}

function welcomed(message) {
  desk.build(message);
  banner.starting(message.ready === false);
  refreshGallery();
  if (!job) {
    const id = memory.job.read(null);
    if (id) open(id);
  } else if (!job.isBeingSent) describe(job);
}

function forgotten({ jobs, why }) {
  gallery.remove(jobs);
  if (why === "room") banner.say(words.room(jobs.length));
  if (job && jobs.includes(job.id)) setOnEasel(null);
}

// --- the gallery --------------------------------------------------------------------------------

async function list(before, show) {
  try {
    const { message } = await session.ask({ t: "list", before, count: PAGE }, "jobs");
    show(message.jobs);
    gallery.mark(job?.id);
  } catch {
    // not connected: the welcome that follows lists again
  }
}

const refreshGallery = () => list(0, (jobs) => gallery.showNewest(jobs));

// --- who is there -------------------------------------------------------------------------------

function keys() {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (location.hash) history.replaceState(null, "", location.pathname);
  return [ticket, memory.key.read("")].filter(Boolean);
}

const session = new Session({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`,
  keys: keys(),
  keep: (key) => memory.key.write(key),
  heard,
  changed: (problem) => {
    banner.show(problem);
    if (job) job.asked = "";
    adjuster.answered(); // what was under way is lost
    soon();
  },
});
const banner = new LinkBanner(session);
const desk = new Desk({
  edited: soon,
  settled: (field) => {
    if (isAttached()) adjuster.take(field);
  },
  problem: (text) => banner.say(text),
});
const adjuster = new Adjuster(session, desk.form);
const stage = new Stage(at("stage"), soon, (scale) => {
  at("scale").textContent = `${Math.round(100 * scale)} %`;
});
const replay = new Replay(
  (id, step) => session.ask({ t: "fetch", job: id, what: "frame", step }, "frame"),
  (drawing) => {
    job.replayed = drawing;
    soon();
  },
);
const tray = new Tray(
  at("tray"),
  {
    pause: () => command("pause", { t: "pause" }),
    resume: () => command("resume", { t: "resume" }),
    keep: () => command("keep", { t: "cancel", keep: true }),
    drop: () => {
      job.isThrownAway = true;
      command("drop", { t: "cancel", keep: false });
    },
    copy: copySvg,
    goOn,
    anotherSeed: drawOtherSeed,
    useSettings,
  },
  replay.box,
);
const gallery = new Gallery(at("gallery"), {
  open: (row) =>
    open(row.job, { method: row.method, canvas: row.canvas, params: { prompt: row.prompt } }),
  forget: (id) => session.say({ t: "forget", job: id }),
  older: (before) => list(before, (jobs) => gallery.showOlder(jobs)),
  picture: (row) => thumbnail(session, row),
});

// --- keys, and pictures that fall on the page ---------------------------------------------------

/** While the form belongs to a running drawing, the button frees it for the next. */
function drawOrFree() {
  if (!isAttached()) return draw();
  memory.attached.write(null);
  at("prompt").select();
  soon();
}

function keyPressed(event) {
  if (event.isComposing) return; // Enter then ends a syllable, not the prompt
  const isPrompt = event.target === at("prompt");
  const isTyped = event.target.matches("input:not([type=range]), select");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) draw();
  else if (event.key === "Enter" && isPrompt && !isAttached()) draw();
  else if (event.ctrlKey || event.metaKey || event.altKey || isTyped) return;
  else if (holdsBefore(event)) showBefore(true);
  else if (stage.key(event.key)) event.preventDefault();
}

const holdsBefore = ({ key, target }) =>
  key.toLowerCase() === "b" || (target === at("before") && [" ", "Enter"].includes(key));

/** The picture as it was, as long as a key or the button is held. */
function showBefore(isHeld) {
  isBefore = isHeld;
  soon();
}

function showExamples() {
  at("examples").append(
    ...words.examples.map((text) =>
      button(text, () => {
        desk.form.prompt.write(text);
        draw();
      }),
    ),
  );
}

at("draw").onclick = drawOrFree;
at("zoom-in").onclick = () => stage.key("+");
at("zoom-out").onclick = () => stage.key("-");
at("scale").onclick = () => stage.fit();
at("front").onclick = () => stage.front();
at("before").onpointerdown = ({ target, pointerId }) => {
  target.setPointerCapture(pointerId);
  showBefore(true);
};
for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) {
  window.addEventListener(end, () => isBefore && showBefore(false));
}
document.addEventListener("keydown", keyPressed);
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  desk.inputs.aim(true);
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) desk.inputs.aim(false); // it has left the page
});
document.addEventListener("drop", (event) => {
  event.preventDefault(); // else the browser leaves for the picture
  desk.inputs.takeAny(event.dataTransfer.files);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) session.open();
});
window.addEventListener("online", () => session.open());
setInterval(() => {
  if (gallery.isMoving && !document.hidden) refreshGallery();
}, REFRESH_MS);

// The settings stand open beside the drawing where there is room, and fold where there is none.
const isWide = matchMedia("(min-width: 760px)");
const fold = () => {
  at("settings").open = isWide.matches;
};
isWide.addEventListener("change", fold);
fold();
showExamples();
if (session.keys.length) session.open();
else banner.noKey();
soon();
