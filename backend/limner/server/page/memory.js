/** What the page remembers: settings for long, keys and the drawing on the easel for this tab. */

/**
 * @param {Storage} storage
 * @param {string} name
 * @returns {{read: (otherwise: any) => any, write: (value: any) => void}}
 */
function slot(storage, name) {
  const key = `limner.${name}`;
  return {
    read(otherwise) {
      try {
        return JSON.parse(storage.getItem(key)) ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    write(value) {
      try {
        storage.setItem(key, JSON.stringify(value));
      } catch {
        // full or forbidden: the page works without
      }
    },
  };
}

const MOST_PROMPTS = 50;
const prompts = slot(localStorage, "prompts");

export const memory = {
  key: slot(sessionStorage, "key"), // to come back with
  job: slot(sessionStorage, "job"), // on the easel
  attached: slot(sessionStorage, "attached"), // the job that the form belongs to
  method: slot(localStorage, "method"),
  /** @param {string} family the method of it that was used last */
  lastOf: (family) => slot(localStorage, `method.${family}`),
  model: slot(localStorage, "model"),
  canvas: slot(localStorage, "canvas"),
  /** @param {string} method */
  settings: (method) => slot(localStorage, `settings.${method}`),
  /** @returns {string[]} the newest first */
  prompts: () => prompts.read([]),
  /** @param {string} prompt */
  addPrompt(prompt) {
    if (prompt)
      prompts.write(
        [prompt, ...prompts.read([]).filter((p) => p !== prompt)].slice(0, MOST_PROMPTS),
      );
  },
};
