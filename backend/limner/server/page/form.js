/** The form of a method: its settings' fields, made from its JSON Schema, in two places. */

import { button } from "./dom.js";
import { makeField } from "./fields.js";
import { words } from "./words.js";

const SEEDS = 10000; // a seed that one can say aloud
const NOTE_MS = 4000;

/** @returns {number} a seed at random */
export const anySeed = () => Math.floor(Math.random() * SEEDS);

export class Form {
  /**
   * @param {{prompt: HTMLInputElement, first: HTMLElement, rest: HTMLElement}} places
   * @param {{edited: () => void, settled: (field: Object) => void}} on
   */
  constructor(places, on) {
    Object.assign(this, { places, on });
    this.fields = new Map();
    this.prompt = promptField(places.prompt, on);
  }

  /** @param {Object} schema of a method's settings */
  build(schema) {
    const rows = Object.entries(schema.properties).sort(
      ([, a], [, b]) => a["x-order"] - b["x-order"],
    );
    this.fields = new Map(rows.map(([name, spec]) => [name, this.#field(name, spec)]));
    this.required = new Set(schema.required);
    const boxes = (isFirst) =>
      rows
        .filter(([name, spec]) => name !== "prompt" && Boolean(spec["x-essential"]) === isFirst)
        .map(([name]) => this.fields.get(name).box);
    this.places.first.replaceChildren(...boxes(true));
    this.places.rest.replaceChildren(...boxes(false));
    this.prompt.spec = schema.properties.prompt;
  }

  /** @returns {boolean} whether the method takes words */
  get takesWords() {
    return this.fields.has("prompt");
  }

  /** A setting of a picture is there where the picture is. @param {string[]} roles given */
  follow(roles) {
    for (const field of this.fields.values()) {
      if (field.role) field.box.hidden = !roles.includes(field.role);
    }
  }

  /** Show what a model recommends. @param {Object} recipe setting -> value */
  recommend(recipe) {
    for (const [name, field] of this.fields) field.recommend(recipe[name]);
  }

  /** @returns {Object} what the artist set; nothing of what was left alone, or is hidden */
  values() {
    const rows = this.#shown.map((field) => [field.name, field.read()]);
    return Object.fromEntries(rows.filter(([, value]) => value !== undefined));
  }

  /** @param {Object} values all others are left alone */
  write(values) {
    for (const [name, field] of this.fields) field.write(values[name]);
  }

  /**
   * Say what is wrong beside each field, and go to the first.
   * @returns {boolean} whether all is well
   */
  check() {
    const wrong = this.#shown.filter((field) => field.problem());
    if (!wrong.length) return true;
    wrong[0].box?.closest("details")?.setAttribute("open", "");
    wrong[0].focus();
    return false;
  }

  /** While a job runs, only what may still change is open. @param {boolean} isLive */
  attach(isLive) {
    for (const field of this.fields.values()) field.enable(!isLive || field.isAdjustable);
  }

  /** Say something beside fields, for a while. @param {string[]} names @param {string} said */
  note(names, said) {
    for (const field of names.map((name) => this.fields.get(name)).filter(Boolean)) {
      clearTimeout(field.noteTimer);
      field.note(said);
      field.noteTimer = setTimeout(() => field.note(""), NOTE_MS);
    }
  }

  get #shown() {
    return [...this.fields.values()].filter((field) => !field.box?.hidden);
  }

  #field(name, spec) {
    if (name === "prompt") return this.prompt;
    const field = makeField(name, spec, this.on);
    if (name === "seed") {
      const other = button(
        "⚄",
        () => {
          field.write(anySeed());
          this.on.edited();
        },
        { className: "dice", title: words.otherSeed, "aria-label": words.otherSeed },
      );
      field.box.querySelector(".control").append(other);
    }
    return field;
  }
}

/** The prompt has its own place in the page; otherwise it is a field as any other. */
function promptField(input, on) {
  const problem = document.getElementById("prompt-problem");
  const note = document.getElementById("prompt-note");
  const field = {
    name: "prompt",
    isAdjustable: true,
    read: () => input.value.trim() || undefined,
    write(value) {
      input.value = value ?? "";
    },
    recommend() {},
    usual: () => undefined,
    enable() {},
    problem() {
      problem.textContent = field.read() ? "" : words.sayWhat;
      input.setAttribute("aria-invalid", String(!field.read()));
      return problem.textContent;
    },
    focus: () => input.focus(),
    note(text) {
      note.textContent = text;
    },
  };
  input.addEventListener("input", () => {
    problem.textContent = "";
    input.removeAttribute("aria-invalid");
    on.edited();
  });
  input.addEventListener("change", () => on.settled(field));
  return field;
}
