/** The tray below the stage: how the drawing stands, in words, and what can be done with it. */

import { curveColour, drawChart } from "./chart.js";
import { askingButton, button, el } from "./dom.js";
import { words } from "./words.js";

const COMMANDS = ["pause", "resume", "keep", "drop"];

export class Tray {
  /**
   * @param {HTMLElement} place
   * @param {Object<string, () => void>} act what the buttons do: pause, resume, keep, drop, copy,
   *     anotherSeed, goOn, useSettings
   * @param {HTMLElement} replay
   */
  constructor(place, act, replay) {
    this.place = place;
    this.state = el("p", { className: "state", role: "status" });
    this.figures = el("p", { className: "figures" });
    this.notices = el("ul", { className: "notices" });
    this.bar = el("div", { className: "bar" });
    this.line = el(
      "div",
      { className: "line", role: "progressbar", "aria-label": words.progress },
      this.bar,
    );
    this.chart = el("canvas", { "aria-hidden": "true" });
    this.legend = el("ul", { className: "legend" });
    this.curves = el("figure", { className: "chart", hidden: true }, this.chart, this.legend);
    this.#makeButtons(act);
    place.append(
      this.line,
      el("div", { className: "said" }, this.state, this.figures, this.notices),
      replay,
      this.curves,
      this.actions,
    );
  }

  /**
   * @param {Object|null} job
   * @param {boolean} isReady whether the backend can be asked
   * @param {boolean} isSet whether the form holds this job's settings
   */
  render(job, isReady, isSet) {
    if (!job) return this.#renderEmpty(isReady);
    this.place.toggleAttribute("data-over", job.isOver);
    setText(this.state, stateText(job));
    setText(this.figures, figuresText(job, isReady));
    setText(this.buttons.keep, job.stays ? words.keepPicture : words.keep);
    this.buttons.keep.title = job.stays ? words.keepPictureHelp : "";
    this.buttons.keep.classList.toggle("primary", job.stays);
    this.figures.title = job.result ? words.scoreHelp : "";
    this.#renderLine(job);
    this.#renderNotices(job);
    this.#renderCurves(job);
    this.#renderButtons(job, isReady, isSet);
  }

  /** The tray keeps its place when there is no drawing, so that the paper does not jump. */
  #renderEmpty(isReady) {
    setText(this.state, words.empty);
    setText(this.figures, isReady ? words.emptyHelp : "");
    this.notices.replaceChildren();
    this.line.hidden = this.curves.hidden = true;
    for (const node of Object.values(this.buttons)) node.hidden = true;
  }

  #makeButtons(act) {
    const make = (name) => button(words[name], act[name], { title: words[`${name}Help`] ?? "" });
    const save = (kind, title) =>
      el("a", { className: "button", title, "aria-label": title }, words[`save${kind}`]);
    this.buttons = {
      pause: make("pause"),
      resume: make("resume"),
      keep: make("keep"),
      drop: askingButton(
        { text: words.drop, sure: words.dropSure, yes: words.dropYes, no: words.dropNo },
        act.drop,
      ),
      svg: save("Svg", words.saveSvgHelp),
      png: save("Png", words.savePngHelp),
      copy: make("copy"),
      goOn: make("goOn"),
      anotherSeed: make("anotherSeed"),
      useSettings: make("useSettings"),
    };
    this.actions = el("div", { className: "actions" }, ...Object.values(this.buttons));
  }

  #renderLine(job) {
    const share = job.total ? Math.min(1, job.step / job.total) : 0;
    this.line.hidden = job.isOver || job.stays;
    this.bar.style.transform = `scaleX(${share})`;
    this.line.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    this.line.setAttribute("aria-valuetext", words.steps(job.step, job.total));
  }

  #renderNotices(job) {
    const { failure } = job;
    const lines = [...new Set(job.notices)];
    if (failure) lines.push(`${failure.message} ${failure.hint}`.trim());
    if (
      this.notices.childElementCount === lines.length &&
      this.notices.lastChild?.textContent === lines.at(-1)
    )
      return;
    this.notices.replaceChildren(...lines.map((line) => el("li", {}, line)));
    if (failure) this.notices.lastChild.className = "failure";
  }

  #renderCurves(job) {
    const isEmpty = ![...job.losses.values()].some((points) => points.length > 1);
    this.curves.hidden = isEmpty;
    if (isEmpty) return;
    const names = drawChart(this.chart, job.losses);
    if (this.legend.childElementCount !== names.length) this.#makeLegend(names);
    names.forEach((name, i) => {
      setText(this.legend.children[i].lastChild, job.losses.get(name).at(-1)[1].toPrecision(3));
    });
  }

  #makeLegend(names) {
    this.legend.replaceChildren(
      ...names.map((name, i) => {
        const dot = el("i", {});
        dot.style.background = `var(${curveColour(name, i)})`;
        return el("li", {}, dot, words.loss(name), el("b", {}));
      }),
    );
  }

  #renderButtons(job, isReady, isSet) {
    const isWaiting = job.state === "queued" || job.state === "loading";
    const shown = {
      pause: job.state === "running",
      resume: job.state === "paused" && !job.stays,
      keep: job.isLive,
      drop: job.isLive || isWaiting,
      svg: job.result?.svg,
      png: job.result,
      copy: job.result?.svg,
      goOn: job.result,
      anotherSeed: job.isOver && job.state !== "error" && job.method && !job.inputs.picture,
      useSettings: job.method && !isSet,
    };
    for (const [name, node] of Object.entries(this.buttons)) node.hidden = !shown[name];
    for (const name of COMMANDS) setBusy(this.buttons[name], job.asked, name, isReady);
    this.#linkFiles(job);
  }

  /** The files as addresses within the page; the last drawing's are let go. */
  #linkFiles(job) {
    if (this.files === job.result) return;
    for (const name of ["svg", "png"]) URL.revokeObjectURL(this.buttons[name].href);
    this.files = job.result;
    if (!job.result) return;
    const kinds = { svg: "image/svg+xml", png: "image/png" };
    for (const [name, type] of Object.entries(kinds)) {
      if (!job.result[name]) continue;
      this.buttons[name].href = URL.createObjectURL(new Blob([job.result[name]], { type }));
      this.buttons[name].download = `${fileName(job)}.${name}`;
    }
  }
}

function stateText(job) {
  return job.state === "cancelled" && job.result ? words.stoppedKept : words.state(job);
}

function figuresText(job, isReady) {
  if (job.state === "sending" && !isReady) return words.sendingLater;
  const parts = [];
  if (job.step && job.state !== "error")
    parts.push(words.steps(job.step, job.isOver || job.stays ? 0 : job.total));
  if (job.state === "running" && job.rate) parts.push(words.rate(job.rate), words.left(job.left));
  if (job.result) parts.push(words.score(job.result.about.score));
  if (job.note && !job.isOver) parts.push(job.note);
  return parts.join(" · ");
}

function setBusy(node, asked, name, isReady) {
  const inner = node.matches("button") ? [node] : node.querySelectorAll("button");
  for (const one of inner) one.disabled = Boolean(asked) || !isReady;
  node.classList.toggle("busy", asked === name);
}

/** A live region speaks again when it is written again: write only what is new. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fileName(job) {
  const dashed = job.prompt
    .toLowerCase()
    .normalize("NFKC")
    .replace(/[^\p{L}\p{N}]+/gu, "-");
  return dashed.replace(/^-|-$/g, "").slice(0, 60) || job.method || "drawing";
}
