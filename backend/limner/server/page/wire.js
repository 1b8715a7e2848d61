/**
 * The codec: JSON text for control; for data, a binary frame of
 * u32le header length | JSON header, padded with spaces to 8 bytes | blob
 * whose "bufs" says what lies in the blob.
 */

const KINDS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  f32: Float32Array,
};

/**
 * A message that arrived, and the buffers of a binary one by name.
 * @param {string|ArrayBuffer} data
 * @returns {{message: Object, buffers: Object<string, ArrayBufferView>}}
 * @throws {Error} if it breaks the protocol
 */
export function decode(data) {
  if (typeof data === "string") return { message: JSON.parse(data), buffers: {} };
  const start = 4 + new DataView(data).getUint32(0, true);
  const message = JSON.parse(
    new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(data, 4, start - 4)),
  );
  const buffers = {};
  for (const { k, dt, o, n } of message.bufs ?? []) {
    if (start + o + n > data.byteLength) throw new RangeError(`buffer ${k} ends beyond its frame`);
    // a copy: what lies in the blob need not be aligned
    buffers[k] = new KINDS[dt](data.slice(start + o, start + o + n));
  }
  return { message, buffers };
}

/**
 * A binary frame with one buffer of bytes.
 * @param {Object} header @param {string} name @param {Uint8Array} bytes
 * @returns {Uint8Array}
 */
export function encode(header, name, bytes) {
  const bufs = [{ k: name, dt: "u8", sh: [bytes.length], o: 0, n: bytes.length }];
  const head = new TextEncoder().encode(JSON.stringify({ ...header, bufs }));
  const padded = head.length + ((8 - ((head.length + 4) % 8)) % 8);
  const frame = new Uint8Array(4 + padded + bytes.length).fill(0x20);
  new DataView(frame.buffer).setUint32(0, padded, true);
  frame.set(head, 4);
  frame.set(bytes, 4 + padded);
  return frame;
}
