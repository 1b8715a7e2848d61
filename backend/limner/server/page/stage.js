/**
 * The stage: one drawing on its paper, sharp at any zoom, to be moved and zoomed by hand; and one
 * that lies in space, to be turned.
 */

import { cover, paint } from "./drawing.js";
import { turned } from "./strokes.js";

const ROOM_PX = 28; // around the paper when it fits
const ZOOM = [0.05, 64];
const KEY_ZOOM = 1.25;
const KEY_PAN_PX = 48;
const KEY_TURN = 15; // degrees
const DRAG_TURN = 0.5; // degrees a CSS pixel

/**
 * What the stage shows.
 * @typedef {Object} Scene
 * @property {[number, number]} size of the paper in pixels
 * @property {CanvasImageSource} [under] a picture on the paper, below the strokes
 * @property {CanvasImageSource} [mask] strokes show only where its alpha is
 * @property {import("./strokes.js").Drawing} [drawing]
 */

export class Stage {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} soon asks for `draw` in the next animation frame
   * @param {(scale: number) => void} zoomed
   */
  constructor(canvas, soon, zoomed) {
    Object.assign(this, { canvas, soon, zoomed });
    this.azimuth = this.elevation = 0; // degrees round a drawing that lies in space
    this.context = canvas.getContext("2d");
    this.view = { scale: 1, x: 0, y: 0 }; // CSS pixels of a paper pixel; where its corner lies
    this.isFitted = true;
    this.pointers = new Map();
    this.scene = { size: [224, 224] };
    new ResizeObserver(() => this.#resized()).observe(canvas);
    this.#listen();
  }

  /** What `draw` is to paint; paper of another size is fitted anew. @param {Scene} scene */
  show(scene) {
    const isOther = scene.size.join() !== this.scene.size.join();
    this.scene = scene;
    if (isOther) this.fit();
  }

  /** The whole paper, as large as there is room. */
  fit() {
    const [wide, high] = this.scene.size;
    const { clientWidth, clientHeight } = this.canvas;
    const room = Math.min(ROOM_PX, clientWidth * 0.04);
    const scale = Math.min((clientWidth - 2 * room) / wide, (clientHeight - 2 * room) / high);
    this.#look(
      Math.max(scale, ZOOM[0]),
      (clientWidth - wide * scale) / 2,
      (clientHeight - high * scale) / 2,
    );
    this.#fitted(true);
  }

  /**
   * @param {number} factor
   * @param {number} [x] of the point that stays, in CSS pixels
   * @param {number} [y]
   */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const { view } = this;
    const scale = Math.min(Math.max(view.scale * factor, ZOOM[0]), ZOOM[1]);
    const by = scale / view.scale;
    this.#look(scale, x - (x - view.x) * by, y - (y - view.y) * by);
    this.#fitted(false);
  }

  /** @param {number} dx in CSS pixels @param {number} dy */
  pan(dx, dy) {
    this.#look(this.view.scale, this.view.x + dx, this.view.y + dy);
    this.#fitted(false);
  }

  /**
   * Go round a drawing in space; a flat one stays as it is.
   * @param {number} azimuth more degrees @param {number} elevation
   */
  turn(azimuth, elevation) {
    const round = (this.azimuth + azimuth + 540) % 360;
    this.azimuth = (round < 0 ? round + 360 : round) - 180;
    this.elevation = Math.min(Math.max(this.elevation + elevation, -90), 90);
    this.soon();
  }

  /** Back to the front view. */
  front() {
    this.azimuth = this.elevation = 0;
    this.soon();
  }

  /** @returns {boolean} whether the drawing can be turned */
  get isDeep() {
    return Boolean(this.scene.drawing?.isDeep);
  }

  /** @returns {boolean} whether it is seen from the front */
  get isFront() {
    return !this.azimuth && !this.elevation;
  }

  /** @param {string} key @returns {boolean} whether it meant something here */
  key(key) {
    const meant = {
      "+": () => this.zoom(KEY_ZOOM),
      "=": () => this.zoom(KEY_ZOOM),
      "-": () => this.zoom(1 / KEY_ZOOM),
      0: () => this.#home(),
    }[key];
    meant?.();
    return Boolean(meant);
  }

  /** Paint what there is now; called in an animation frame. */
  draw() {
    const { context, view, scene, canvas } = this;
    const ratio = canvas.width / Math.max(1, canvas.clientWidth);
    const [wide, high] = scene.size;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(
      ratio * view.scale,
      0,
      0,
      ratio * view.scale,
      ratio * view.x,
      ratio * view.y,
    );
    this.#paper(wide, high, ratio);
    context.save();
    context.beginPath();
    context.rect(0, 0, wide, high);
    context.clip();
    if (scene.under) cover(context, scene.under, wide, high);
    if (scene.drawing && scene.mask) this.#masked();
    else if (scene.drawing) paint(context, this.#seen());
    context.restore();
  }

  /** The drawing from where we stand. */
  #seen() {
    const { drawing } = this.scene;
    return this.isDeep && !this.isFront ? turned(drawing, this.azimuth, this.elevation) : drawing;
  }

  #home() {
    this.front();
    this.fit();
  }

  #paper(wide, high, ratio) {
    const { context } = this;
    context.save();
    context.shadowColor = "rgb(0 0 0 / 0.22)";
    context.shadowBlur = 18 * ratio;
    context.shadowOffsetY = 3 * ratio;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, wide, high);
    context.restore();
  }

  /** Strokes on a layer of their own, cut out by the mask. */
  #masked() {
    const { scene, context, canvas } = this;
    const layer = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    layer.setTransform(context.getTransform());
    paint(layer, this.#seen());
    layer.globalCompositeOperation = "destination-in";
    cover(layer, scene.mask, ...scene.size);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(layer.canvas, 0, 0);
  }

  #look(scale, x, y) {
    this.view = { scale, x, y };
    this.zoomed(scale);
    this.soon();
  }

  #fitted(isFitted) {
    this.isFitted = isFitted;
    this.canvas.classList.toggle("fitted", isFitted); // a finger then scrolls the page
  }

  #resized() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    if (this.isFitted) this.fit();
    this.draw(); // at once: a resized canvas is blank until then
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.#home());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    });
    canvas.addEventListener("pointermove", (event) => this.#pointerMoved(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    canvas.addEventListener("keydown", (event) => this.#arrow(event));
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode ? 33 : 1); // some mice count lines
    this.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015)), event.offsetX, event.offsetY);
  }

  /** One pointer turns what is deep, and moves the paper else, or with Shift; two also zoom it. */
  #pointerMoved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.offsetX, event.offsetY];
    this.pointers.set(event.pointerId, now);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) {
      const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      if (!dx && !dy) return;
      if (this.isDeep && !event.shiftKey) this.turn(-dx * DRAG_TURN, dy * DRAG_TURN);
      else this.pan(dx, dy);
      return;
    }
    const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
    this.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  #arrow(event) {
    const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
      event.key
    ];
    if (!way) return;
    event.preventDefault();
    if (this.isDeep && !event.shiftKey) this.turn(-way[0] * KEY_TURN, way[1] * KEY_TURN);
    else this.pan(way[0] * KEY_PAN_PX, way[1] * KEY_PAN_PX);
  }
}
