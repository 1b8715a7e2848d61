/** How the page stands with the backend: a dot in the header, a banner when it matters. */

import { words } from "./words.js";

const QUIET_FAILURES = 1; // a blink of the connection is nobody's business
const SLOW_MS = 2000; // a welcome that takes longer wants an explanation
const at = (id) => document.getElementById(id);

export class LinkBanner {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.isStarting = false;
    at("try-now").textContent = words.tryNow;
    at("try-now").onclick = () => session.open();
    at("dismiss").setAttribute("aria-label", words.dismiss);
    at("dismiss").onclick = () => {
      at("notice").hidden = true;
    };
  }

  /**
   * The phase has changed.
   * @param {{message: string, hint: string}} [problem] why the backend refused
   */
  show(problem) {
    const { phase, failures } = this.session;
    clearTimeout(this.slow);
    at("link").dataset.phase = phase;
    at("link").lastChild.textContent = words.link(phase);
    if (phase === "refused") this.#write(words.refused(problem.message, problem.hint), false);
    else if (phase === "greeting")
      this.slow = setTimeout(() => this.#write(words.starting, false), SLOW_MS);
    else if (phase === "ready") this.#write(this.isStarting ? words.starting : "", false);
    else if (failures > QUIET_FAILURES) this.#write(words.lost, true);
  }

  /** @param {boolean} isStarting whether the backend has no worker yet */
  starting(isStarting) {
    this.isStarting = isStarting;
    this.show();
  }

  /** The page has no key: there is nobody to talk to. */
  noKey() {
    at("link").dataset.phase = "refused";
    at("link").lastChild.textContent = words.link("refused");
    this.#write(words.noKey, false);
  }

  /** Something that is said once, until it is dismissed. @param {string} text */
  say(text) {
    at("notice").hidden = false;
    at("notice").firstElementChild.textContent = text;
  }

  #write(text, canTry) {
    const line = at("banner").firstElementChild;
    at("banner").hidden = !text;
    at("banner").classList.toggle("calm", ["greeting", "ready"].includes(this.session.phase));
    at("try-now").hidden = !canTry;
    if (line.textContent !== text) line.textContent = text;
  }
}
