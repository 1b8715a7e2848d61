/** Building elements. Text goes in as text: nothing here, or anywhere in the page, parses HTML. */

/**
 * An element.
 * @param {string} tag
 * @param {Object} props properties of the element; what it has no property for becomes an attribute
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/**
 * @param {string} text
 * @param {() => void} act
 * @param {Object} props as of `el`
 * @returns {HTMLButtonElement}
 */
export function button(text, act, props = {}) {
  return el("button", { type: "button", textContent: text, onclick: act, ...props });
}

/**
 * A button that asks, in its own place, before it acts.
 * @param {Object} said the button's text, label and className; the question "sure", and the
 *     answers "yes" and "no"
 * @param {() => void} act
 * @returns {HTMLElement}
 */
export function askingButton(said, act) {
  const first = button(said.text, () => ask(true), { className: said.className ?? "" });
  if (said.label) first.setAttribute("aria-label", said.label);
  const yes = button(
    said.yes,
    () => {
      ask(false);
      act();
    },
    { className: "danger" },
  );
  const no = button(said.no, () => ask(false));
  const question = el(
    "span",
    { className: "sure", hidden: true, role: "group" },
    el("span", {}, said.sure),
    yes,
    no,
  );
  question.setAttribute("aria-label", said.sure);
  const whole = el("span", { className: "asking" }, first, question);
  function ask(open) {
    first.hidden = open;
    question.hidden = !open;
    whole.classList.toggle("open", open);
    (open ? no : first).focus();
  }
  question.addEventListener("keydown", (event) => {
    if (event.key === "Escape") ask(false);
  });
  return whole;
}
