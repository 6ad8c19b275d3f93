/**
 * `<bmw-live data-source>`: keeps the figures of a page as new as the server's, from its Server-Sent Events.
 *
 * It draws nothing of its own. An event names places and their values: `[data-live=<name>]` gets the text, the tone, the
 * address or the squares; a list is filled with copies of its own `<template>`, whose `[data-field]` are its places.
 *
 * `data-state` is `idle`, `live`, `reconnecting` or `stopped`, the last while the reader has paused it. With
 * `data-reload` the page has no places yet, and is loaded anew once there are figures.
 */

/** The server sends something at least every 15 seconds. */
const SILENT_MS = 40_000;
const AGAIN_MS = 2_000;
const AGAIN_MAX_MS = 60_000;
const SQUARES = { y: "yes", n: "miss", o: "out" };

class Live extends HTMLElement {
  #events;
  #timer;
  #tries = 0;
  #leave = () => this.#close();
  #back = () => this.dataset.state !== "stopped" && this.#open();

  connectedCallback() {
    this.dataset.state = "idle";
    const button = this.querySelector("[data-live-pause]");
    if (button) {
      button.hidden = false;
      button.onclick = () => (this.dataset.state === "stopped" ? this.#open() : this.#stop());
    }
    addEventListener("pagehide", this.#leave);
    addEventListener("pageshow", this.#back);
    this.#open();
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#leave);
    removeEventListener("pageshow", this.#back);
    this.#close();
  }

  #open() {
    this.#close();
    if (this.dataset.state !== "idle") this.dataset.state = "reconnecting";
    this.#events = new EventSource(this.dataset.source);
    this.#events.addEventListener("figures", (event) => this.#take(JSON.parse(event.data)));
    this.#events.addEventListener("beat", () => this.#heard());
    this.#events.addEventListener("closed", () => this.#again());
    this.#events.addEventListener("error", () => this.#again());
    this.#wait(SILENT_MS, () => this.#again());
  }

  #close() {
    clearTimeout(this.#timer);
    this.#events?.close();
    this.#events = undefined;
  }

  #stop() {
    this.#close();
    this.dataset.state = "stopped";
  }

  /** Connect anew, later each time. Every connection begins with all values. */
  #again() {
    this.#close();
    this.dataset.state = "reconnecting";
    this.#wait(Math.min(AGAIN_MS * 2 ** this.#tries++, AGAIN_MAX_MS), () => this.#open());
  }

  #wait(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }

  #heard() {
    this.#tries = 0;
    this.dataset.state = "live";
    this.#wait(SILENT_MS, () => this.#again());
  }

  #take(values) {
    if ("reload" in this.dataset) return location.reload();
    for (const [name, value] of Object.entries(values)) {
      if (name === "title") this.#title(value);
      for (const element of this.querySelectorAll(`[data-live="${CSS.escape(name)}"]`)) show(element, value);
    }
    this.#heard();
  }

  /** The title of the page ends with the name of the place, which stays. */
  #title(title) {
    document.title = `${title} · ${document.title.split(" · ").at(-1)}`;
  }
}

function show(element, value) {
  if (Array.isArray(value)) return fill(element, value);
  const { text, tone, href, strip } = typeof value === "string" ? { text: value } : value;
  if (text !== undefined && element.textContent !== text) element.textContent = text;
  if (tone !== undefined) element.dataset.tone = tone;
  if (href?.startsWith("/")) element.setAttribute("href", href);
  if (strip !== undefined) draw(element, strip);
}

/** Entries that are there stay, so that nobody loses the place where the focus is. */
function fill(list, items) {
  const template = list.querySelector(":scope > template");
  const entries = [...list.children].filter((each) => each !== template);
  items.forEach((item, place) => {
    const entry = entries[place] ?? list.appendChild(template.content.firstElementChild.cloneNode(true));
    for (const element of [entry, ...entry.querySelectorAll("[data-field]")]) {
      const value = item[element.dataset.field];
      if (value !== undefined) show(element, value);
    }
  });
  for (const entry of entries.slice(items.length)) entry.remove();
}

function draw(strip, letters) {
  while (strip.children.length > letters.length) strip.lastElementChild.remove();
  while (strip.children.length < letters.length) strip.append(document.createElement("i"));
  [...letters].forEach((letter, place) => (strip.children[place].className = SQUARES[letter]));
}

if (!customElements.get("bmw-live")) customElements.define("bmw-live", Live);
