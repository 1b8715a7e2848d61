/**
 * Changes of a running job's settings: gathered, sent soon, the last one always. A job that stays
 * gets each at once, as soon as it has answered the one before.
 */

import { words } from "./words.js";

const GAP_MS = 200; // between two of them

export class Adjuster {
  /**
   * @param {import("./session.js").Session} session
   * @param {import("./form.js").Form} form
   */
  constructor(session, form) {
    Object.assign(this, { session, form });
    this.follow(null);
  }

  /** @param {Object|null} job whose settings the form changes from now on */
  follow(job) {
    clearTimeout(this.timer);
    Object.assign(this, { job, pending: {}, sent: {}, timer: 0, isAsked: false });
  }

  /** A field has changed for good. @param {Object} field */
  take(field) {
    const value = field.read() ?? field.usual();
    if (!this.job || value === undefined || !field.isAdjustable) return;
    if (same(value, this.#last(field)) && !(field.name in this.pending)) return;
    this.pending[field.name] = value;
    if (this.job.stays) this.send();
    else this.timer ||= setTimeout(() => this.send(), GAP_MS);
  }

  /** The backend has answered, or never will: the next can go. */
  answered() {
    this.isAsked = false;
    if (this.job?.stays) this.send();
  }

  /**
   * Send what has gathered; before the backend knows the job, it waits for the next call.
   * @param {boolean} [isLast] whether nothing comes after it: then it waits for no answer
   */
  send(isLast = false) {
    clearTimeout(this.timer);
    this.timer = 0;
    const names = Object.keys(this.pending);
    if (!names.length || this.job.state === "sending" || !this.session.isReady) return;
    if (this.isAsked && this.job.stays && !isLast) return;
    if (this.form.check()) {
      this.session.say({ t: "adjust", job: this.job.id, params: this.pending });
      Object.assign(this.sent, this.pending);
      this.isAsked = true;
      this.job.failure = null; // it was of another change
      if (!this.job.stays) this.form.note(names, words.sent);
    }
    this.pending = {};
  }

  /** What the backend has of a setting, as far as was said. */
  #last({ name, usual }) {
    return this.sent[name] ?? this.job.params[name] ?? usual();
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
