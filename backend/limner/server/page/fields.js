/**
 * One field of a form from one property of a JSON Schema.
 *
 * A field that nobody touched has no value: the backend then takes what the model recommends. So
 * every kind of control can say `undefined`, and shows what would be taken instead.
 */

import { button, el } from "./dom.js";
import { words } from "./words.js";

const MIDDLE = 0.4; // where on a slider the default lies, if its range is long

/**
 * @typedef {Object} Field
 * @property {string} name
 * @property {boolean} isAdjustable may change while a job runs
 * @property {string} [role] of the picture that it belongs to
 * @property {HTMLElement} box
 * @property {() => any} read undefined when untouched
 * @property {(value: any) => void} write undefined for untouched
 * @property {(value: any) => void} recommend what a model's recipe takes
 * @property {() => any} usual what the backend takes when it is untouched
 * @property {(isEnabled: boolean) => void} enable
 * @property {() => string} problem in words, or nothing
 * @property {(text: string) => void} note beside the label
 */

/**
 * @param {string} name
 * @param {Object} spec the property's schema
 * @param {Object} on
 * @param {(field: Field) => void} on.edited every change
 * @param {(field: Field) => void} on.settled a change that is final
 * @returns {Field}
 */
export function makeField(name, spec, on) {
  const id = `setting-${name}`;
  const field = { name, isAdjustable: Boolean(spec["x-adjustable"]), role: spec["x-role"] };
  const touched = (isFinal) => {
    showTouched();
    on.edited(field);
    if (isFinal) on.settled(field);
  };
  const control = kindOf(spec)(spec, id, touched, name);
  const help = el("p", { className: "help", id: `${id}-help` }, spec.description ?? "");
  const problem = el("p", { className: "problem", id: `${id}-problem`, hidden: true });
  const note = el("span", { className: "note", role: "status" });
  const reset = button(
    "↺",
    () => {
      control.write(undefined);
      touched(true);
    },
    {
      className: "reset",
      hidden: true,
      title: words.backToRecommended,
      "aria-label": `${words.backToRecommended}: ${words.label(name)}`,
    },
  );
  const label = control.isGroup
    ? el("span", { className: "label", id: `${id}-label` }, words.label(name))
    : el("label", { htmlFor: id }, words.label(name));
  field.box = el(
    "div",
    { className: `field ${control.kind}`, title: spec.description ?? "" },
    el("div", { className: "head" }, label, note, reset),
    control.node,
    help,
    problem,
  );
  if (control.isGroup) {
    control.node.setAttribute("role", "group");
    control.node.setAttribute("aria-labelledby", `${id}-label`);
  }
  control.node.setAttribute("aria-describedby", `${id}-help ${id}-problem`);
  const showTouched = () => {
    reset.hidden = control.read() === undefined || reset.disabled;
  };
  let recipe;
  return Object.assign(field, {
    read: control.read,
    write(value) {
      control.write(value);
      showTouched();
    },
    recommend(value) {
      recipe = value;
      control.suggest(value ?? spec.default);
      help.textContent = withRecipe(spec, value);
    },
    usual: () => recipe ?? spec.default,
    enable(isEnabled) {
      for (const node of field.box.querySelectorAll("input, select, button"))
        node.disabled = !isEnabled;
      field.box.classList.toggle("fixed", !isEnabled);
      showTouched();
    },
    problem() {
      const text = control.problem?.() ?? "";
      problem.textContent = text;
      problem.hidden = !text;
      return text;
    },
    focus: () =>
      field.box.querySelector(".control :is(input:not([type=range]), select, button)").focus(),
    note(text) {
      note.textContent = text;
    },
  });
}

function withRecipe(spec, value) {
  const shown = typeof value === "boolean" ? (value ? words.on : words.off) : value;
  return [spec.description, value === undefined ? "" : words.recommended(shown)]
    .filter(Boolean)
    .join(" · ");
}

function kindOf(spec) {
  if (spec.type === "array") return spec.items.enum ? manyOf : list;
  if (spec.enum) return oneOf;
  if (spec.type === "boolean") return onOff;
  return spec.type === "string" ? text : number;
}

// --- the kinds: {kind, node, isGroup, read, write, suggest, problem} ----------------------------

function number(spec, id, touched) {
  const isWhole = spec.type === "integer";
  const input = el("input", {
    id,
    type: "number",
    step: isWhole ? 1 : "any",
    inputMode: isWhole ? "numeric" : "decimal",
    oninput: () => {
      follow();
      touched(false);
    },
    onchange: () => touched(true),
  });
  if (spec.minimum !== undefined) input.min = spec.minimum;
  if (spec.maximum !== undefined) input.max = spec.maximum;
  const node = el("div", { className: "control" }, input);
  if (spec["x-unit"]) node.append(el("span", { className: "unit" }, spec["x-unit"]));
  const read = () => (input.value === "" ? undefined : Number(input.value));
  let suggested = spec.default;
  let slider = null;
  const follow = () => slider?.place(read() ?? suggested ?? spec.minimum);
  if (spec["x-adjustable"] && spec.maximum !== undefined && spec.minimum !== undefined) {
    slider = sliderFor(spec, isWhole, (value) => {
      input.value = value;
      touched(true);
    });
    node.prepend(slider.node);
  }
  return {
    kind: slider ? "number slides" : "number",
    node,
    read,
    write(value) {
      input.value = value ?? "";
      follow();
    },
    suggest(value) {
      suggested = value;
      input.placeholder = value ?? "";
      follow();
    },
    problem: () => (input.validity.valid ? "" : numberProblem(spec, isWhole, input.validity)),
  };
}

function numberProblem({ minimum, maximum }, isWhole, validity) {
  if (isWhole && validity.stepMismatch) return words.whole;
  return maximum < Number.MAX_SAFE_INTEGER
    ? words.between(minimum, maximum)
    : words.atLeast(minimum);
}

/** A slider beside a number. A long range is bent, so that its default lies near the middle. */
function sliderFor({ minimum, maximum, default: usual }, isWhole, moved) {
  const span = maximum - minimum;
  const share = ((usual ?? minimum) - minimum) / span;
  const bend = share > 0 && share < MIDDLE / 2 ? Math.log(share) / Math.log(MIDDLE) : 1;
  const value = (at) => {
    const exact = minimum + span * at ** bend;
    return isWhole ? Math.round(exact) : Number(exact.toPrecision(2));
  };
  const node = el("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.005,
    tabIndex: -1,
    "aria-hidden": "true",
    oninput: () => moved(value(Number(node.value))),
  });
  return {
    node,
    place: (v) => {
      node.value = Math.max(0, (v - minimum) / span) ** (1 / bend);
    },
  };
}

function text(spec, id, touched) {
  const input = el("input", {
    id,
    type: "text",
    oninput: () => touched(false),
    onchange: () => touched(true),
  });
  if (spec.maxLength) input.maxLength = spec.maxLength;
  const node = el("div", { className: "control" }, input);
  if (spec.examples?.length) {
    const names = el(
      "datalist",
      { id: `${id}-names` },
      ...spec.examples.map((value) => el("option", { value })),
    );
    input.setAttribute("list", names.id);
    node.append(names);
  }
  return {
    kind: "text",
    node,
    read: () => input.value.trim() || undefined,
    write(value) {
      input.value = value ?? "";
    },
    suggest(value) {
      input.placeholder = value ?? "";
    },
  };
}

function oneOf(spec, id, touched) {
  const usual = el("option", { value: "" });
  const select = el(
    "select",
    { id, onchange: () => touched(true) },
    usual,
    ...spec.enum.map((value) => el("option", { value }, words.label(value))),
  );
  return {
    kind: "choice",
    node: el("div", { className: "control" }, select),
    read: () => select.value || undefined,
    write(value) {
      select.value = value ?? "";
    },
    suggest(value) {
      usual.textContent = value ? words.recommended(words.label(value)) : words.recommendedPlain;
    },
  };
}

function onOff(spec, id, touched) {
  let value;
  let suggested = Boolean(spec.default);
  const show = () => {
    input.checked = value ?? suggested;
  };
  const input = el("input", {
    id,
    type: "checkbox",
    onchange: () => {
      value = input.checked;
      touched(true);
    },
  });
  return {
    kind: "switch",
    node: el("div", { className: "control" }, input),
    read: () => value,
    write(given) {
      value = given;
      show();
    },
    suggest(given) {
      suggested = Boolean(given);
      show();
    },
  };
}

function manyOf(spec, id, touched) {
  const boxes = spec.items.enum.map((value) =>
    el("input", { type: "checkbox", value, onchange: () => touched(true) }),
  );
  const node = el(
    "div",
    { className: "control many" },
    ...boxes.map((box) => el("label", {}, box, words.label(box.value))),
  );
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return {
    kind: "many",
    node,
    isGroup: true,
    read: () => (chosen().length ? chosen() : undefined),
    write(values = []) {
      for (const box of boxes) box.checked = values.includes(box.value);
    },
    suggest() {},
  };
}

function list(spec, id, touched, name) {
  const rows = el("div", { className: "rows" });
  const add = button(
    words.addShort,
    () => {
      addRow("").focus();
    },
    { className: "quiet", "aria-label": words.add(name) },
  );
  const values = () =>
    [...rows.querySelectorAll("input")].map((input) => input.value.trim()).filter(Boolean);
  const isColour = spec.items.format === "color";
  const isNumber = spec.items.type !== "string";
  function addRow(value) {
    const input = el("input", {
      type: isColour ? "color" : isNumber ? "number" : "text",
      value,
      "aria-label": words.label(name),
      oninput: () => touched(false),
      onchange: () => touched(true),
    });
    const remove = button(
      "×",
      () => {
        row.remove();
        full();
        touched(true);
        add.focus();
      },
      { className: "quiet", "aria-label": `${words.remove} ${words.label(name)}` },
    );
    const row = el("div", { className: "row" }, input, remove);
    rows.append(row);
    full();
    return input;
  }
  const full = () => {
    add.hidden = rows.childElementCount >= (spec.maxItems ?? Infinity);
  };
  return {
    kind: "list",
    node: el("div", { className: "control" }, rows, add),
    isGroup: true,
    read: () => (values().length ? values().map((v) => (isNumber ? Number(v) : v)) : undefined),
    write(given = []) {
      rows.replaceChildren();
      full();
      given.forEach(addRow);
    },
    suggest() {},
  };
}
