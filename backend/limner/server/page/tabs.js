/** A tab list: arrows move between the tabs, as in every one. */

import { button } from "./dom.js";

export class Tabs {
  /**
   * @param {HTMLElement} place with role "tablist"
   * @param {HTMLElement} panel what the tabs are of
   * @param {(name: string) => void} chosen
   */
  constructor(place, panel, chosen) {
    Object.assign(this, { place, panel, chosen });
    place.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {{name: string, title: string}[]} rows */
  build(rows) {
    this.place.replaceChildren(
      ...rows.map(({ name, title }) => {
        const tab = button(title, () => this.chosen(name), {
          role: "tab",
          id: `tab-${this.place.id}-${name}`,
          "aria-controls": this.panel.id,
        });
        tab.dataset.name = name;
        return tab;
      }),
    );
  }

  /** @param {string} name */
  select(name) {
    for (const tab of this.place.children) {
      const isChosen = tab.dataset.name === name;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      if (isChosen) this.panel.setAttribute("aria-labelledby", tab.id);
    }
  }

  enable(isEnabled) {
    for (const tab of this.place.children) tab.disabled = !isEnabled;
  }

  #key(event) {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const tabs = [...this.place.children];
    const next = tabs[(tabs.indexOf(document.activeElement) + way + tabs.length) % tabs.length];
    next.focus();
    next.click();
  }
}
