/**
 * The conversation with the backend, over any number of connections. It mirrors
 * limner_wire/session.py: says hello, gives credit back for what was shown, knows which jobs are
 * watched and how far they were heard, and after a lost connection picks all of it up again.
 */

import { decode, encode } from "./wire.js";

const PROTOCOL = 1;
const SUBPROTOCOL = "limner.v1";
const CLIENT = "page/0.1";
const CREDIT = 2; // frames that may be under way and not shown
const CHUNK_BYTES = 256 * 1024; // of an upload
const BACK_OFF_MS = [250, 30000]; // before the first try again, and at most
const PING_MS = 15000;
const SILENCE_MS = 25000; // after a ping without any word, the connection is dead
const DURABLE = new Set(["state", "adjusted", "notice", "error", "done"]); // when they have a seq
const FRAMES = new Set(["strokes", "raster"]);
const LATEST_WINS = new Set(["waiting", "progress", ...FRAMES]); // to be acknowledged
const ENDED = new Set(["done", "error", "cancelled"]);

/** What the backend answered instead of what was asked. */
export class Refused extends Error {
  constructor({ code, message, hint = "" }) {
    super(message);
    Object.assign(this, { code, hint });
  }
}

export class Session {
  /**
   * @param {Object} options
   * @param {string} options.url of the websocket
   * @param {string[]} options.keys tickets to try, in order
   * @param {(key: string) => void} options.keep takes the key to come back with
   * @param {(message: Object, buffers: Object) => void} options.heard takes every message
   * @param {(problem?: Refused) => void} options.changed when `phase` has changed
   */
  constructor(options) {
    Object.assign(this, options);
    this.phase = "closed"; // "closed" | "greeting" | "ready" | "refused"
    this.watched = new Map(); // job -> {seq, ended}
    this.unconfirmed = new Map(); // job -> submit
    this.uploads = new Map(); // sha256 -> {mime, bytes, sent, done, failed}
    this.asked = []; // {job, answer, resolve, reject}
    this.owed = []; // acknowledgements of what was heard and not yet shown
    this.failures = 0;
    setInterval(() => this.#keepAlive(), PING_MS);
  }

  /** Whether anything can be said. */
  get isReady() {
    return this.phase === "ready";
  }

  /** Connect, now, if there is a key and no connection. */
  open() {
    clearTimeout(this.timer);
    if (this.phase !== "closed" || this.socket || !this.keys.length) return;
    this.socket = new WebSocket(this.url, SUBPROTOCOL);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.#hello();
    this.socket.onmessage = (event) => this.#receive(event.data);
    this.socket.onclose = () => this.#closed();
    this.changed();
  }

  /** Say something that is not repeated if the connection is lost. */
  say(message) {
    if (this.isReady) this.#send(message);
  }

  /** Ask for a job; asked again after a lost connection until it is confirmed. */
  submit(request) {
    this.unconfirmed.set(request.job, request);
    if (request.watch) this.watched.set(request.job, { seq: 0, ended: false });
    this.say({ t: "submit", ...request });
  }

  /** Hear of a job from its first event on. */
  watch(job) {
    this.watched.set(job, { seq: 0, ended: false });
    this.say({ t: "watch", job, since_seq: 0 });
  }

  /** Hear no more of a job; it goes on. */
  unwatch(job) {
    if (this.watched.delete(job)) this.say({ t: "unwatch", job });
  }

  /**
   * Ask for something that is answered once.
   * @param {Object} message
   * @param {string} answer the answer's "t"; "frame" for one of either kind
   * @returns {Promise<{message: Object, buffers: Object}>} rejected when refused or not connected
   */
  ask(message, answer) {
    return new Promise((resolve, reject) => {
      if (!this.isReady) return reject(new Error("not connected"));
      this.asked.push({ job: message.job, answer, resolve, reject });
      this.#send(message);
    });
  }

  /**
   * Send an input's bytes; goes on after a lost connection.
   * @param {Uint8Array} bytes @param {string} mime
   * @returns {Promise<string>} its id, for a submit's inputs
   */
  async upload(bytes, mime) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(hash, (b) => b.toString(16).padStart(2, "0")).join("");
    if (!this.uploads.has(sha256)) {
      const upload = { mime, bytes };
      upload.sent = new Promise((done, failed) => Object.assign(upload, { done, failed }));
      this.uploads.set(sha256, upload);
      if (this.isReady) this.#sendPart(sha256, 0);
    }
    await this.uploads.get(sha256).sent;
    return sha256;
  }

  /** All that was heard is on the artist's screen: more may come. */
  shown() {
    for (const { job, seq } of this.owed.splice(0)) this.say({ t: "ack", job, seq });
  }

  #hello() {
    this.owed = [];
    this.heardAt = performance.now();
    this.pingedAt = 0;
    this.#become("greeting");
    this.#send({
      t: "hello",
      protocol: [PROTOCOL],
      client: CLIENT,
      ticket: this.keys[0],
      credit: CREDIT,
    });
  }

  #receive(data) {
    this.heardAt = performance.now();
    let frame;
    try {
      frame = decode(data);
    } catch (problem) {
      console.error("The backend broke the protocol", problem);
      return this.socket.close();
    }
    this.#take(frame.message, frame.buffers);
  }

  #take(message, buffers) {
    if (LATEST_WINS.has(message.t) && message.seq) this.owed.push(message);
    if (message.t === "welcome") this.#welcomed(message);
    if (message.t === "blob_ok") return this.#continueUpload(message);
    if (message.t === "error" && this.phase === "greeting") return this.#turnedAway(message);
    const wasAnswer = this.#answer(message, buffers);
    if (message.job) this.unconfirmed.delete(message.job);
    if (DURABLE.has(message.t) && message.seq && !this.#isNew(message)) return;
    if (!wasAnswer || message.seq) this.heard(message, buffers);
  }

  #isNew({ t, job, seq, state = "done" }) {
    const watched = this.watched.get(job);
    if (!watched) return false;
    if (seq <= watched.seq) return false;
    watched.seq = seq;
    if (t === "done" || t === "state") watched.ended = ENDED.has(state);
    return true;
  }

  /** Hand a message to whoever asked for it; an error without a job ends the uploads. One that a
   * job goes on after answers nobody: it is of a change, and those wait for no answer. */
  #answer(message, buffers) {
    const isRefusal = message.t === "error" && !message.seq && !message.retryable;
    const kind = FRAMES.has(message.t) ? "frame" : message.t;
    const isLive = kind === "frame" && message.seq; // a recorded frame has no seq
    const fits = ({ job, answer }) =>
      job === message.job && (isRefusal || (answer === kind && !isLive));
    const place = this.asked.findIndex(fits);
    if (place >= 0) {
      const [{ resolve, reject }] = this.asked.splice(place, 1);
      if (isRefusal) reject(new Refused(message));
      else resolve({ message, buffers });
      return true;
    }
    if (!isRefusal || message.job || !this.uploads.size) return false;
    for (const { failed } of this.uploads.values()) failed(new Refused(message));
    this.uploads.clear();
    return true;
  }

  #welcomed({ session }) {
    if (this.phase !== "greeting") return; // only what there is has changed
    this.failures = 0;
    this.keys = [session];
    this.keep(session);
    this.#become("ready");
    for (const sha256 of this.uploads.keys()) this.#sendPart(sha256, 0);
    for (const request of this.unconfirmed.values()) this.#send({ t: "submit", ...request });
    for (const [job, { seq, ended }] of this.watched) {
      if (!ended && !this.unconfirmed.has(job)) this.#send({ t: "watch", job, since_seq: seq });
    }
  }

  /** A hello was refused: with the next key it may be granted. */
  #turnedAway(message) {
    if (message.retryable) return this.socket.close();
    this.keys.shift();
    if (this.keys.length) return this.socket.close();
    this.#become("refused", new Refused(message));
    this.socket.close();
  }

  #closed() {
    this.socket = null;
    for (const { reject } of this.asked.splice(0)) reject(new Error("not connected"));
    if (this.phase === "refused") return;
    const [least, most] = BACK_OFF_MS;
    const wait = Math.min(most, least * 2 ** this.failures++) * (0.5 + Math.random() / 2);

    this.timer = setTimeout(() => this.open(), wait);
    this.#become("closed");
  }

  /** A hidden page's timers come rarely: silence counts from a ping, not from the last word. */
  #keepAlive() {
    if (!this.isReady) return; // a welcome may take its time: it waits for the first worker
    const now = performance.now();
    if (this.pingedAt <= this.heardAt) {
      this.pingedAt = now;
      this.#send({ t: "ping" });
    } else if (now - this.pingedAt > SILENCE_MS) {
      this.socket.onclose = null; // a dead connection may take minutes to say that it is closed
      this.socket.close();
      this.#closed();
    }
  }

  #continueUpload({ sha256, have, complete }) {
    const upload = this.uploads.get(sha256);
    if (!upload) return;
    if (!complete) return this.#sendPart(sha256, have);
    this.uploads.delete(sha256);
    upload.done();
  }

  #sendPart(sha256, at) {
    const { mime, bytes } = this.uploads.get(sha256);
    const header = { t: "blob", sha256, mime, size: bytes.length, at };
    this.socket.send(encode(header, "data", bytes.subarray(at, at + CHUNK_BYTES)));
  }

  #send(message) {
    this.socket.send(JSON.stringify(message));
  }

  #become(phase, problem) {
    this.phase = phase;
    this.changed(problem);
  }
}
