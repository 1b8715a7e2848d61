/** Pictures that the artist gives: dropped, pasted or chosen, one for each role of a method. */

import { button, el } from "./dom.js";
import { before, openRoles } from "./roles.js";
import { words } from "./words.js";

const SENT_AS_THEY_ARE = ["image/png", "image/jpeg", "image/webp"];
const SVG = "image/svg+xml";
const TAKES_STROKES = "init"; // the role in which an SVG stays strokes; elsewhere it is a picture
const SIZED = ["picture", "over", "init"]; // the roles whose picture is as large as the canvas

/**
 * @typedef {Object} Input
 * @property {Uint8Array} bytes
 * @property {string} mime
 * @property {string} name for people
 * @property {[number, number]} size in pixels
 * @property {HTMLImageElement} image
 * @property {OffscreenCanvas} [mask] what of it is white, once it was sent as a mask
 */

export class Inputs {
  /**
   * @param {HTMLElement} place
   * @param {{changed: () => void, problem: (text: string) => void}} on
   */
  constructor(place, on) {
    Object.assign(this, { place, on });
    this.given = new Map(); // role -> Input; kept for other methods too
    this.roles = this.needs = [];
    this.taking = Promise.resolve(); // one picture after the other, so that each finds its place
    this.limits = { bytes: 0, side: 0, area: 0 }; // in bytes and pixels
    this.isEnabled = true;
    document.addEventListener("paste", (event) => this.#pasted(event));
  }

  /** @param {string[]} roles of the method @param {string[]} needs what it can't do without */
  build(roles, needs) {
    Object.assign(this, { roles, needs });
    this.#show();
  }

  /** @returns {[string, Input][]} what this method can use */
  get used() {
    return openRoles(this.roles, this.given)
      .filter((role) => this.given.has(role))
      .map((role) => [role, this.given.get(role)]);
  }

  /** @returns {string|undefined} the role that the method can't do without, and has no picture */
  get missing() {
    return this.needs.find((role) => !this.given.has(role));
  }

  /** @returns {string|undefined} where a picture goes that fell on no zone */
  get next() {
    const free = openRoles(this.roles, this.given).find((role) => !this.given.has(role));
    return this.missing ?? free ?? this.roles[0];
  }

  /** @returns {[number, number]|null} the size of what is edited, drawn over or begun from */
  get size() {
    const [, input] = this.used.find(([role]) => SIZED.includes(role)) ?? [];
    return input?.size ?? null;
  }

  /** Take a file. @param {string} role @param {Blob} file @param {string} [name] */
  async take(role, file, name = file.name ?? "") {
    try {
      this.given.set(role, await this.read(role, file, name));
    } catch {
      return this.on.problem(words.notPicture(name || words.role(role)));
    }
    this.#changed();
  }

  /** Give what was given before. @param {string} role @param {Input} input */
  put(role, input) {
    this.given.set(role, input);
    this.#changed();
  }

  /** Take files that fell on no zone. @param {FileList} files */
  takeAny(files) {
    this.aim(false);
    if (!files.length || !this.roles.length || !this.isEnabled) return;
    if (files.length > 1) this.on.problem(words.tooMany);
    const [file] = files;
    this.taking = this.taking.then(() => this.take(this.next, file));
  }

  /** Show where a picture would go that is held over the page. @param {boolean} isHeld */
  aim(isHeld) {
    for (const zone of this.place.children) {
      zone.classList.toggle("next", isHeld && this.isEnabled && zone.dataset.role === this.next);
    }
  }

  enable(isEnabled) {
    this.isEnabled = isEnabled;
    for (const node of this.place.querySelectorAll("button")) node.disabled = !isEnabled;
  }

  #changed() {
    this.#show();
    this.on.changed();
  }

  #show() {
    const roles = openRoles(this.roles, this.given);
    this.place.replaceChildren(...roles.map((role) => this.#zone(role)));
    this.enable(this.isEnabled);
  }

  /**
   * What the backend can read, within its limits: other pictures are painted anew as PNG.
   * @param {string} role @param {Blob} file @param {string} name @returns {Promise<Input>}
   */
  async read(role, file, name) {
    const image = new Image();
    image.src = URL.createObjectURL(file);
    await image.decode();
    const size = [image.naturalWidth, image.naturalHeight];
    if (!size[0] || !size[1]) throw new Error("a picture without a size");
    const { bytes, side, area } = this.limits;
    let scale = Math.min(1, side / Math.max(...size), Math.sqrt(area / (size[0] * size[1])));
    const isStrokes = file.type === SVG && role === TAKES_STROKES;
    const fits = SENT_AS_THEY_ARE.includes(file.type) && file.size <= bytes && scale === 1;
    let sent = isStrokes || fits ? file : null;
    for (; !sent || (!isStrokes && sent.size > bytes); scale /= 2) {
      sent = await repainted(
        image,
        size.map((s) => Math.floor(s * scale)),
      );
    }
    return { bytes: new Uint8Array(await sent.arrayBuffer()), mime: sent.type, name, size, image };
  }

  #zone(role) {
    const input = this.given.get(role);
    const file = el("input", {
      type: "file",
      accept: "image/*",
      hidden: true,
      onchange: () => {
        if (file.files.length) this.take(role, file.files[0]);
      },
    });
    const isNeeded = this.needs.includes(role);
    const empty = isNeeded ? words.dropNeeded : words.dropHere;
    const pick = button("", () => file.click(), { className: "pick", title: words.roleHelp(role) });
    pick.append(
      input
        ? el("img", { src: input.image.src, alt: "" })
        : el("span", { className: "plus", "aria-hidden": "true" }, "+"),
      el("span", { className: "label" }, words.role(role)),
      el("span", { className: "hint" }, input?.name ?? empty),
    );
    const zone = el("div", { className: "zone" }, pick, file);
    zone.classList.toggle("needed", isNeeded);
    zone.classList.toggle("given", Boolean(input));
    zone.dataset.role = role;
    if (input) zone.append(this.#removeButton(role));
    this.#acceptDrops(zone, role);
    return zone;
  }

  #removeButton(role) {
    const remove = () => {
      URL.revokeObjectURL(this.given.get(role).image.src);
      this.#takeOut(role);
      this.#changed();
      this.place.querySelector(`[data-role=${role}] .pick`).focus();
    };
    return button("×", remove, {
      className: "remove",
      "aria-label": `${words.remove}: ${words.role(role)}`,
    });
  }

  /** Take a picture out; those that follow it move up. */
  #takeOut(role) {
    this.given.delete(role);
    const next = this.roles.find((other) => before(other) === role);
    if (!this.given.has(next)) return;
    this.given.set(role, this.given.get(next));
    this.#takeOut(next);
  }

  #acceptDrops(zone, role) {
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.aim(false);
      zone.classList.add("over");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      zone.classList.remove("over");
      const { files } = event.dataTransfer;
      if (files.length > 1) this.on.problem(words.tooMany);
      if (files.length && this.isEnabled) this.take(role, files[0]);
    });
  }

  /** A pasted picture goes to the zone that has the focus, else as one that fell on no zone. */
  #pasted(event) {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (!file || !this.roles.length || !this.isEnabled) return;
    event.preventDefault();
    const role = document.activeElement.closest?.(".zone")?.dataset.role;
    if (role) this.take(role, file);
    else this.takeAny([file]);
  }
}

/**
 * White where a mask is white, transparent where it is black or transparent.
 * @param {HTMLImageElement} image
 * @returns {OffscreenCanvas}
 */
export function maskOf(image) {
  const layer = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
  layer.drawImage(image, 0, 0);
  const pixels = layer.getImageData(0, 0, layer.canvas.width, layer.canvas.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const grey = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data[i + 3] = (data[i + 3] * grey) / 255;
  }
  layer.putImageData(pixels, 0, 0);
  return layer.canvas;
}

function repainted(image, [wide, high]) {
  const layer = new OffscreenCanvas(Math.max(1, wide), Math.max(1, high));
  layer.getContext("2d").drawImage(image, 0, 0, layer.width, layer.height);
  return layer.convertToBlob({ type: "image/png" });
}
