/** Pictures that the artist gives: dropped, pasted or chosen, one for each role of a method. */

import { button, el } from "./dom.js";
import { words } from "./words.js";

const SENT_AS_THEY_ARE = ["image/png", "image/jpeg", "image/webp"];
const SVG = "image/svg+xml";
const TAKES_STROKES = "init"; // the role in which an SVG stays strokes; elsewhere it is a picture
const SIZED = ["over", "init"]; // the roles whose picture is as large as the canvas

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
    this.roles = [];
    this.limits = { bytes: 0, side: 0, area: 0 }; // in bytes and pixels
    this.isEnabled = true;
    document.addEventListener("paste", (event) => this.#pasted(event));
  }

  /** @param {string[]} roles of the method */
  build(roles) {
    this.roles = roles;
    this.place.replaceChildren(...roles.map((role) => this.#zone(role)));
  }

  /** @returns {[string, Input][]} what this method can use */
  get used() {
    return this.roles
      .filter((role) => this.given.has(role))
      .map((role) => [role, this.given.get(role)]);
  }

  /** @returns {[number, number]|null} the size of what is drawn over or begun from */
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
    if (files.length && this.roles.length && this.isEnabled) this.take(this.roles[0], files[0]);
  }

  enable(isEnabled) {
    this.isEnabled = isEnabled;
    for (const node of this.place.querySelectorAll("button")) node.disabled = !isEnabled;
  }

  #changed() {
    this.build(this.roles);
    this.on.changed();
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
    const scale = Math.min(1, side / Math.max(...size), Math.sqrt(area / (size[0] * size[1])));
    const isStrokes = file.type === SVG && role === TAKES_STROKES;
    const fits = SENT_AS_THEY_ARE.includes(file.type) && file.size <= bytes && scale === 1;
    const sent =
      isStrokes || fits
        ? file
        : await repainted(
            image,
            size.map((s) => Math.floor(s * scale)),
          );
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
    const pick = button("", () => file.click(), { className: "pick", title: words.roleHelp(role) });
    pick.append(
      input
        ? el("img", { src: input.image.src, alt: "" })
        : el("span", { className: "plus", "aria-hidden": "true" }, "+"),
      el("span", { className: "label" }, words.role(role)),
      el("span", { className: "hint" }, input ? input.name : words.dropHere),
    );
    const zone = el("div", { className: input ? "zone given" : "zone" }, pick, file);
    zone.dataset.role = role;
    if (input) zone.append(this.#removeButton(role));
    this.#acceptDrops(zone, role);
    return zone;
  }

  #removeButton(role) {
    const remove = () => {
      URL.revokeObjectURL(this.given.get(role).image.src);
      this.given.delete(role);
      this.#changed();
      this.place.querySelector(`[data-role=${role}] .pick`).focus();
    };
    return button("×", remove, {
      className: "remove",
      "aria-label": `${words.remove}: ${words.role(role)}`,
    });
  }

  #acceptDrops(zone, role) {
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
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

  /** A pasted picture goes to the zone that has the focus, else to the first. */
  #pasted(event) {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (!file || !this.roles.length || !this.isEnabled) return;
    event.preventDefault();
    this.take(document.activeElement.closest?.(".zone")?.dataset.role ?? this.roles[0], file);
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
