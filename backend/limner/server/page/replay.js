/** How a drawing came about: a slider over its recorded frames, and a button that plays them. */

import { button, el } from "./dom.js";
import { fromAnyFrame } from "./drawing.js";
import { words } from "./words.js";

const FRAME_MS = 80;

export class Replay {
  /**
   * @param {(job: string, step: number) => Promise<{message: Object, buffers: Object}>} fetchFrame
   * @param {(drawing: Object|null) => void} show null for the finished drawing
   */
  constructor(fetchFrame, show) {
    Object.assign(this, { fetchFrame, show });
    this.playButton = button(words.play, () => (this.playing ? this.#stop() : this.#play()));
    this.slider = el("input", {
      type: "range",
      min: 0,
      step: 1,
      "aria-label": words.replay,
      oninput: () => {
        this.#stop();
        this.#go(Number(this.slider.value));
      },
    });
    this.label = el("span", { className: "step" });
    this.box = el(
      "div",
      { className: "replay", hidden: true },
      this.playButton,
      this.slider,
      this.label,
    );
  }

  /** @param {Object|null} job one that is over, or nothing to replay */
  open(job) {
    const frames = job?.isOver ? job.frames : [];
    this.box.hidden = frames.length < 2;
    if (this.job === job && this.count === frames.length) return;
    this.#stop();
    Object.assign(this, {
      job,
      frames,
      count: frames.length,
      cache: new Map(),
      wanted: frames.length,
    });
    this.slider.max = frames.length; // the place behind the last frame is the finished drawing
    this.slider.value = frames.length;
    this.#say();
  }

  async #go(place) {
    this.wanted = place;
    this.slider.value = place;
    this.#say();
    if (place >= this.count) return this.show(null);
    const drawing = await this.#drawing(this.job, this.frames[place]);
    if (this.wanted === place && drawing) this.show(drawing);
  }

  async #drawing(job, step) {
    const { cache } = this;
    if (!cache.has(step)) cache.set(step, await this.fetchFrame(job.id, step));
    const drawing = await fromAnyFrame(cache.get(step)); // pictures are large: anew each time
    return this.job === job && drawing;
  }

  async #play() {
    const mine = (this.playing = {});
    this.playButton.textContent = words.stop;
    const begin = this.wanted >= this.count ? 0 : this.wanted;
    try {
      for (let place = begin; place <= this.count && this.playing === mine; place++) {
        await Promise.all([this.#go(place), new Promise((later) => setTimeout(later, FRAME_MS))]);
      }
    } catch {
      this.#go(this.count); // a frame is gone, or the backend
    }
    if (this.playing === mine) this.#stop();
  }

  #stop() {
    this.playing = null;
    this.playButton.textContent = words.play;
  }

  #say() {
    const step = this.frames[this.wanted];
    this.label.textContent = step === undefined ? words.finished : words.steps(step);
  }
}
