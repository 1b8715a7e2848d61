/** What a job has beside its method's settings: the size of its canvas, and the model. */

import { el } from "./dom.js";
import { words } from "./words.js";

const USUAL = [224, 224]; // what the strokes' usual widths are made for
// the longer side of a canvas that is taken from a picture, unless the artist asks for more: what
// is quick to draw on, and what is shown live of an edit
const LONGEST = { drawn: 512, edited: 1024 };

/** The size of the canvas: the artist's, or the picture's, or the usual. */
export class CanvasSize {
  /** @param {() => void} changed */
  constructor(changed) {
    this.chosen = null;
    this.ofPicture = null;
    this.limits = [1, 1];
    this.inputs = [words.wide, words.high].map((label, i) =>
      el("input", {
        type: "number",
        "aria-label": `${words.canvas}: ${label}`,
        inputMode: "numeric",
        id: `canvas-${i}`,
        oninput: () => {
          this.#choose();
          changed();
        },
      }),
    );
    const [wide, high] = this.inputs;
    this.box = el(
      "div",
      { className: "field number size" },
      el("div", { className: "head" }, el("label", { htmlFor: wide.id }, words.canvas)),
      el(
        "div",
        { className: "control" },
        wide,
        el("span", {}, "×"),
        high,
        el("span", { className: "unit" }, "px"),
      ),
    );
    this.#show();
  }

  /** @param {[number, number]} limits least and most of a side */
  limit(limits) {
    this.limits = limits;
    for (const input of this.inputs) [input.min, input.max] = limits;
  }

  /** @returns {[number, number]} */
  get value() {
    return this.chosen ?? this.ofPicture ?? USUAL;
  }

  /** @param {[number, number]|null} size the artist's own, or none */
  write(size) {
    this.chosen = null;
    // a size that it has anyway is no choice: it may still follow a picture
    if (size && size.join() !== this.value.join()) this.chosen = size;
    this.#show();
  }

  /**
   * @param {[number, number]|null} size of the picture that is edited, drawn over or begun from
   * @param {"drawn"|"edited"} use
   */
  follow(size, use) {
    this.ofPicture = size && this.#inBounds(size, LONGEST[use]);
    this.#show();
  }

  /** @returns {boolean} whether both sides are in bounds; else the wrong one has the focus */
  check() {
    const wrong = this.inputs.find(
      (input) => !input.validity.valid || (this.chosen && input.value === ""),
    );
    wrong?.reportValidity();
    wrong?.focus();
    return !wrong;
  }

  enable(isEnabled) {
    for (const input of this.inputs) input.disabled = !isEnabled;
    this.box.classList.toggle("fixed", !isEnabled);
  }

  #choose() {
    const given = this.inputs.map((input) => input.value);
    const sides = given.map((text, i) => Math.round(Number(text)) || this.value[i]);
    this.chosen = given.every((text) => text === "") ? null : sides;
  }

  #show() {
    this.inputs.forEach((input, i) => {
      input.value = this.chosen ? this.chosen[i] : "";
      input.placeholder = (this.ofPicture ?? USUAL)[i];
    });
  }

  /** Its proportions, no longer than that, and no side out of bounds. */
  #inBounds(size, longest) {
    const scale = Math.min(1, longest / Math.max(...size));
    return size.map((side) =>
      Math.min(Math.max(Math.round(side * scale), this.limits[0]), this.limits[1]),
    );
  }
}

/** Which model draws. */
export class ModelChoice {
  /** @param {() => void} changed */
  constructor(changed) {
    this.models = [];
    this.select = el("select", {
      id: "model",
      onchange: () => {
        this.#explain();
        changed();
      },
    });
    this.help = el("p", { className: "help", id: "model-help" });
    this.select.setAttribute("aria-describedby", this.help.id);
    this.box = el(
      "div",
      { className: "field choice" },
      el("div", { className: "head" }, el("label", { htmlFor: "model" }, words.model)),
      el("div", { className: "control" }, this.select),
      this.help,
    );
  }

  /** @param {{name: string, note: string, recipe: Object}[]} models the best first */
  build(models) {
    const before = this.select.value;
    this.models = models;
    this.select.replaceChildren(
      el("option", { value: "" }, words.bestModel(models[0]?.name)),
      ...models.map(({ name }) => el("option", { value: name }, name)),
    );
    this.write(before);
  }

  /** @returns {string[]} */
  get value() {
    return this.select.value ? [this.select.value] : [];
  }

  /** @param {string} name nothing, or one that is not here, is the best one */
  write(name) {
    this.select.value = this.models.some((model) => model.name === name) ? name : "";
    this.#explain();
  }

  /** @returns {Object} what the model recommends: setting -> value */
  get recipe() {
    return this.#model()?.recipe ?? {};
  }

  enable(isEnabled) {
    this.select.disabled = !isEnabled;
    this.box.classList.toggle("fixed", !isEnabled);
  }

  #model() {
    return this.models.find(({ name }) => name === this.select.value) ?? this.models[0];
  }

  #explain() {
    this.help.textContent = this.#model()?.note ?? "";
  }
}
