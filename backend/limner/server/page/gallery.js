/** Earlier drawings, the newest first: thumbnails that are fetched when they come into view. */

import { askingButton, button, el } from "./dom.js";
import { THUMBNAIL_PX } from "./thumbnail.js";
import { words } from "./words.js";

export const PAGE = 50; // jobs asked for at once
const ENDED = ["done", "error", "cancelled"];
export class Gallery {
  /**
   * @param {HTMLElement} place
   * @param {Object} on
   * @param {(job: Object) => void} on.open
   * @param {(id: string) => void} on.forget
   * @param {(before: number) => void} on.older asks for jobs before a time
   * @param {(job: Object) => Promise<CanvasImageSource>} on.picture
   */
  constructor(place, on) {
    Object.assign(this, { on });
    this.items = new Map(); // id -> {job, node, canvas, drawnFor}
    this.list = el("ul", { className: "drawings" });
    this.empty = el("p", { className: "help" }, words.nothingYet);
    this.olderButton = button(words.older, () => on.older(this.#oldest()), {
      className: "quiet",
      hidden: true,
    });
    place.append(this.empty, this.list, this.olderButton);
    this.seen = new IntersectionObserver((entries) => this.#inView(entries), {
      rootMargin: "120px",
    });
    this.turn = Promise.resolve(); // thumbnails come one after another
  }

  /**
   * The newest jobs: what is not among them, and not older, is gone.
   * @param {Object[]} jobs
   */
  showNewest(jobs) {
    const oldest = jobs.length < PAGE ? 0 : jobs.at(-1).created;
    const here = new Set(jobs.map(({ job }) => job));
    this.remove(
      [...this.items.values()]
        .map(({ job }) => job)
        .filter(({ job, created }) => created >= oldest && !here.has(job))
        .map(({ job }) => job),
    );
    this.#merge(jobs);
    if (jobs.length < PAGE) this.olderButton.hidden = true;
    else if (this.items.size === jobs.length) this.olderButton.hidden = false;
  }

  /** @param {Object[]} jobs the answer to `on.older` */
  showOlder(jobs) {
    this.#merge(jobs);
    this.olderButton.hidden = jobs.length < PAGE;
  }

  /** @param {string[]} ids */
  remove(ids) {
    for (const id of ids) {
      const item = this.items.get(id);
      if (!item) continue;
      const hadFocus = item.node.contains(document.activeElement);
      const next = item.node.nextElementSibling ?? item.node.previousElementSibling;
      item.node.remove();
      this.items.delete(id);
      if (hadFocus) next?.querySelector("button").focus();
    }
    this.empty.hidden = this.items.size > 0;
  }

  /** @param {string} id the one on the easel */
  mark(id) {
    for (const [other, { open }] of this.items) {
      if (other === id) open.setAttribute("aria-current", "true");
      else open.removeAttribute("aria-current");
    }
  }

  /** @returns {boolean} whether one of them is not over */
  get isMoving() {
    return [...this.items.values()].some(({ job }) => !ENDED.includes(job.state));
  }

  #oldest() {
    return Math.min(...[...this.items.values()].map(({ job }) => job.created));
  }

  #merge(jobs) {
    for (const job of jobs) this.#put(job);
    const items = [...this.items.values()].sort((a, b) => b.job.created - a.job.created);
    items.forEach(({ node }, i) => {
      if (this.list.children[i] !== node)
        this.list.insertBefore(node, this.list.children[i] ?? null);
    });
    this.empty.hidden = items.length > 0;
  }

  #put(job) {
    const item = this.items.get(job.job) ?? this.#make(job);
    item.job = job;
    item.state.textContent = words.mark(job);
    const isOver = ENDED.includes(job.state);
    item.remove.hidden = !isOver;
    item.node.classList.toggle("moving", !isOver);
    if (!isOver || item.drawnFor !== job.state) this.seen.observe(item.canvas);
  }

  #make(job) {
    const [wide, high] = job.canvas;
    const scale = THUMBNAIL_PX / Math.max(wide, high);
    const canvas = el("canvas", {
      width: Math.max(1, wide * scale),
      height: Math.max(1, high * scale),
    });
    const caption = el("span", { className: "caption" }, job.prompt || words.untitled(job.method));
    const state = el("span", { className: "mark" });
    const item = { job, canvas, state };
    item.open = button("", () => this.on.open(item.job), {
      className: "open",
      title: job.prompt || "",
    });
    item.open.append(el("span", { className: "frame" }, canvas), caption, state);
    item.remove = askingButton(
      {
        text: "×",
        label: `${words.delete}: ${job.prompt || words.untitled(job.method)}`,
        className: "remove",
        sure: words.deleteSure,
        yes: words.deleteYes,
        no: words.deleteNo,
      },
      () => this.on.forget(job.job),
    );
    item.node = el("li", {}, item.open, item.remove);
    canvas.dataset.job = job.job;
    this.items.set(job.job, item);
    return item;
  }

  #inView(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.seen.unobserve(target);
      this.turn = this.turn.then(() => this.#drawThumbnail(this.items.get(target.dataset.job)));
    }
  }

  async #drawThumbnail(item) {
    if (!item) return;
    const { state } = item.job;
    try {
      const picture = await this.on.picture(item.job);
      item.canvas.getContext("2d").drawImage(picture, 0, 0, item.canvas.width, item.canvas.height);
      item.drawnFor = state;
    } catch (problem) {
      if (problem.code) item.drawnFor = state; // nothing was drawn; else the next list tries again
    }
  }
}
