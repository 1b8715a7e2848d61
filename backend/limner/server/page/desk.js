/**
 * The desk: all that the artist sets before a drawing begins, and may change while it runs.
 * Tabs, the form of the method, the canvas, the model and the pictures, kept together.
 */

import { Form } from "./form.js";
import { CanvasSize, ModelChoice } from "./frame.js";
import { Inputs } from "./inputs.js";
import { memory } from "./memory.js";
import { Tabs } from "./tabs.js";
import { words } from "./words.js";

const WITH_STROKES = "init"; // the role that takes a drawing to go on from
const TO_EDIT = "picture"; // the role whose picture becomes another
const EDITING = "Editing"; // the family that asks what a picture should become, even without one
const at = (id) => document.getElementById(id);

export class Desk {
  /**
   * @param {Object} on
   * @param {() => void} on.edited anything has changed
   * @param {(field: Object) => void} on.settled a setting has changed for good
   * @param {(text: string) => void} on.problem
   */
  constructor(on) {
    this.on = on;
    const edited = () => {
      this.#remember();
      on.edited();
    };
    this.methods = [];
    const turnTo = (name) => {
      this.choose(name);
      on.edited();
    };
    this.tabs = new Tabs(at("methods"), at("panel"), turnTo);
    this.families = new Tabs(at("families"), at("family"), (name) => turnTo(this.#lastOf(name)));
    this.form = new Form(
      { prompt: at("prompt"), first: at("first"), rest: at("rest") },
      { edited, settled: on.settled },
    );
    this.canvas = new CanvasSize(edited);
    this.model = new ModelChoice(() => {
      this.form.recommend(this.model.recipe);
      edited();
    });
    this.inputs = new Inputs(at("inputs"), {
      changed: () => {
        this.#follow();
        on.edited();
      },
      problem: on.problem,
    });
    at("frame").append(this.canvas.box, this.model.box);
    at("reset").onclick = () => this.#reset(on);
    this.showPrompts();
  }

  /** What there is to ask for; forms that are the same already stay as they are. */
  build({ methods, models, limits }) {
    const isSame = JSON.stringify([methods, models]) === this.built;
    if (isSame || !methods.length) return;
    this.built = JSON.stringify([methods, models]);
    this.methods = methods;
    this.canvas.limit(limits.canvas_px);
    this.inputs.limits = {
      bytes: limits.image_bytes,
      side: limits.canvas_px[1],
      area: limits.image_px,
    };
    at("panel").hidden = false;
    const families = [...new Set(methods.map(({ family }) => family))];
    this.families.build(families.map((name) => ({ name, title: name })));
    this.family = undefined; // its tabs are to be built
    this.model.build(models);
    this.model.write(memory.model.read(""));
    this.canvas.write(memory.canvas.read(null));
    const last = memory.method.read("");
    this.choose(this.#find(last) ? last : methods[0].name);
  }

  /** @param {string} name of a method: its form is shown, as it was left */
  choose(name) {
    const method = this.#find(name);
    this.method = method;
    this.isLive = undefined; // the new form is open, whatever the last was
    memory.method.write(name);
    memory.lastOf(method.family).write(name);
    this.#showFamily(method.family);
    this.tabs.select(name);
    at("about").textContent = method.about ?? "";
    const changes = this.edits && (method.family === EDITING || method.needs.includes(TO_EDIT));
    at("prompt-ask").textContent = changes ? words.askEdit : words.askDraw;
    at("prompt").placeholder = changes ? words.exampleEdit : words.exampleDraw;
    this.form.build(method.schema);
    // the prompt goes along to every method; it was perhaps typed before any was there
    const prompt = this.form.prompt.read();
    this.form.write({ ...memory.settings(name).read({}), ...(prompt && { prompt }) });
    this.form.recommend(method.models ? this.model.recipe : {});
    this.model.box.hidden = !method.models;
    this.inputs.build(method.inputs, method.needs);
    this.#follow();
    this.canvas.write(this.edits ? null : memory.canvas.read(null));
    at("words").hidden = !this.form.takesWords;
    at("no-words").hidden = this.form.takesWords;
  }

  /** @returns {boolean} whether the method changes a picture, rather than drawing one */
  get edits() {
    return Boolean(this.method?.inputs.includes(TO_EDIT));
  }

  /** @returns {string} why the method can't run on the backend's machine; nothing if it can */
  get lack() {
    return this.method?.ready ?? "";
  }

  /** @returns {Object|null} a submit but for its id and pictures; null if something is wrong */
  request() {
    if (!this.method) return null;
    if (this.lack) return this.on.problem(this.lack);
    if (this.inputs.missing) return this.on.problem(words.needs(this.inputs.missing));
    if (!this.form.check() || !this.canvas.check()) return null;
    const models = this.method.models ? this.model.value : [];
    return {
      method: this.method.name,
      params: this.form.values(),
      canvas: this.canvas.value,
      models,
    };
  }

  /** @param {Object|null} job @returns {boolean} whether the form holds this job's settings */
  holds(job) {
    if (!job || job.method !== this.method?.name) return false;
    const same = (a, b) =>
      JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
    return (
      same(job.params, this.form.values()) &&
      job.canvas.join() === this.canvas.value.join() &&
      Object.keys(job.inputs).every((role) => this.inputs.given.has(role)) &&
      (job.models[0] ?? "") === this.model.select.value
    );
  }

  /**
   * Put a job's settings back.
   * @param {Object} job
   * @returns {boolean} whether its method is here
   */
  restore({ method, params, canvas, models }) {
    if (!this.#find(method)) return false;
    this.choose(method);
    this.form.write(params);
    this.canvas.write(canvas);
    this.model.write(models[0] ?? "");
    this.form.recommend(this.method.models ? this.model.recipe : {});
    this.#remember();
    return true;
  }

  /** Begin from a drawing. @param {Object} job with a result */
  async goOnFrom(job) {
    const { svg, png } = job.result;
    const roleOf = ({ inputs, models }) =>
      [TO_EDIT, WITH_STROKES].find((role) => models && inputs.includes(role));
    const own = this.#find(job.method);
    // a drawing in space stays one: others would flatten it
    const first = job.drawing?.isDeep ? [own, this.method] : [this.method, own];
    const method = [...first, ...this.methods].find((one) => one && roleOf(one));
    if (!method) return;
    if (method !== this.method) this.choose(method.name);
    const role = roleOf(method);
    const isStrokes = svg && role === WITH_STROKES;
    const file = isStrokes
      ? new Blob([svg], { type: "image/svg+xml" })
      : new Blob([png], { type: "image/png" });
    await this.inputs.take(role, file, words.startedFrom(job.prompt));
    this.canvas.write(this.edits ? null : job.canvas);
    this.#remember();
  }

  /** While a job runs, only what may still change is open. @param {boolean} isLive */
  attach(isLive) {
    if (!this.method || this.isLive === isLive) return;
    this.isLive = isLive;
    this.form.attach(isLive);
    for (const part of [this.canvas, this.model, this.inputs, this.families, this.tabs]) {
      part.enable(!isLive);
    }
    at("fixed").hidden = !isLive;
    at("reset").disabled = isLive;
  }

  /** Offer earlier prompts. */
  showPrompts() {
    at("prompts").replaceChildren(...memory.prompts().map((text) => new Option(text, text)));
  }

  /** The size and the settings that the pictures bring. */
  #follow() {
    this.canvas.follow(this.inputs.size, this.edits ? "edited" : "drawn");
    this.form.follow(this.inputs.used.map(([role]) => role));
  }

  #showFamily(family) {
    if (family === this.family) return;
    this.family = family;
    this.families.select(family);
    this.tabs.build(this.#of(family));
  }

  #of(family) {
    return this.methods.filter((method) => method.family === family);
  }

  /** @returns {string} the method of a family that was used last, or its first */
  #lastOf(family) {
    const last = memory.lastOf(family).read("");
    return this.#find(last) ? last : this.#of(family)[0].name;
  }

  #find(name) {
    return this.methods.find((method) => method.name === name);
  }

  #reset(on) {
    const { prompt } = this.form.values();
    this.form.write({ prompt });
    this.canvas.write(null);
    this.#remember();
    on.edited();
  }

  #remember() {
    if (!this.method) return;
    memory.settings(this.method.name).write(this.form.values());
    if (!this.edits) memory.canvas.write(this.canvas.chosen); // an edit's is its picture's own
    memory.model.write(this.model.select.value);
  }
}
