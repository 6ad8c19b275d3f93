/**
 * `<bmw-check>`: the verifier of the page /verify. A reader drops or chooses a certificate file, a PDF with one attached,
 * or pictures of codes, or pastes the text of codes. Everything but the reading of a picture happens in the browser, and
 * without a network once the page is loaded.
 *
 * `data-state` is `idle`, `working`, `done` or `refused`; `data-code` is empty, or says why it is not green.
 */
import { PAPER_BYTES_MAX, attachedTo, isPaper } from "./attached.js";
import {
  InvalidCertificateFile, fromTexts, hex, isSignature, malformed, rootOfCheckpoint, verifyCompact,
} from "./certificate.js"; // prettier-ignore
import { codesIn } from "./codes.js";
import { factsOf, recordsOf } from "./facts.js";
import { h } from "./h.js";
import { release } from "./release.js";
import { verdictOf } from "./verdict.js";

/** What the reader is told instead of a verdict. `key`: of its text. */
class Told extends Error {
  constructor(key, values = {}) {
    super(key);
    [this.key, this.values] = [key, values];
  }
}

class Check extends HTMLElement {
  #texts;
  #root;
  #released;
  #codes = new Set();

  async connectedCallback() {
    try {
      ({ texts: this.#texts, root: this.#released } = await release("verifier"));
      await this.#warmUp();
    } catch {
      return; // the page says how to verify without it
    }
    this.#root = this.#released;
    const [file, own, drop, form] = ["file", "own", "drop", "form"].map((name) => this.#part(name));
    file.addEventListener("change", () => this.#take([...file.files]).then(() => (file.value = "")));
    own.addEventListener("change", () => this.#choose(own.files[0]).then(() => (own.value = "")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#judge(() => this.#ofTexts(this.#part("text").value.split(/\r?\n/)));
    });
    for (const name of ["dragover", "dragenter"]) drop.addEventListener(name, (event) => this.#over(event, drop, true));
    drop.addEventListener("dragleave", (event) => this.#over(event, drop, false));
    drop.addEventListener("drop", (event) => {
      this.#over(event, drop, false);
      this.#take([...event.dataTransfer.files]);
    });
    this.dataset.state = "idle";
    this.#take([...file.files]); // chosen before this module was there
  }

  /** Loads the vendored Ed25519 now where the browser has none: later there may be no network. */
  #warmUp() {
    const base = new Uint8Array(32).fill(0x66, 1).fill(0x58, 0, 1);
    return isSignature(base, base, new Uint8Array([...base, ...new Uint8Array(32)]));
  }

  #part(name) {
    return this.querySelector(`[data-part=${name}]`);
  }

  #over(event, drop, isOver) {
    event.preventDefault();
    drop.classList.toggle("over", isOver);
  }

  // --- what is given -----------------------------------------------------------------------------------------------
  #take(files) {
    if (files.length === 0) return Promise.resolve();
    return this.#judge(async () => {
      for (const file of files.slice(0, -1)) {
        await this.#ofFile(file).catch((error) => {
          if (error.key !== "more_codes") throw error;
        });
      }
      return this.#ofFile(files.at(-1));
    });
  }

  async #ofFile(file) {
    if (file.size > PAPER_BYTES_MAX) throw new Told("too_large");
    if (file.type.startsWith("image/")) return this.#ofTexts(await this.#codesIn(file));
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (isPaper(bytes)) {
      const attached = attachedTo(bytes);
      if (attached === null) throw new Told("no_attachment");
      return verdictOf(attached, this.#root);
    }
    const start = new TextDecoder("windows-1252").decode(bytes.subarray(0, 5));
    if (/^BMW1[:/]/.test(start)) return this.#ofTexts(new TextDecoder().decode(bytes).split(/\r?\n/));
    return verdictOf(bytes, this.#root);
  }

  async #codesIn(file) {
    const texts = await codesIn(file).catch(() => null);
    if (texts === null) throw new Told("decode_failed");
    if (texts.length === 0) throw new Told("no_code_found");
    return texts;
  }

  /** Codes of several pictures are collected until all are there. */
  #ofTexts(lines) {
    for (const line of lines) if (line.trim()) this.#codes.add(line.replace(/^\s+/, ""));
    const texts = [...this.#codes];
    const numbered = texts.map((text) => /^BMW1\/[1-4]\/([2-4]):/.exec(text));
    if (texts.length > 0 && numbered.every(Boolean) && texts.length < Number(numbered[0][1])) {
      throw new Told("more_codes", { found: texts.length, count: numbered[0][1] });
    }
    this.#codes.clear();
    return verdictOf(fromTexts(texts), this.#root, verifyCompact);
  }

  // --- the root ----------------------------------------------------------------------------------------------------
  async #choose(file) {
    if (!file) return;
    const shown = this.#part("root");
    try {
      if (file.size > PAPER_BYTES_MAX) throw malformed("no checkpoint is that large");
      this.#root = await rootOfCheckpoint(new Uint8Array(await file.arrayBuffer()));
      const { height, timeMs } = this.#root;
      const text = this.#texts.say("root_own", { height: this.#texts.number(height), time: this.#texts.day(timeMs) });
      shown.replaceChildren(h("span", {}, text), h("span", { class: "mono" }, hex(this.#root.genesisHash)));
    } catch {
      this.#root = this.#released;
      shown.replaceChildren(h("span", { class: "error-text" }, this.#texts.say("root_malformed")));
    }
  }

  // --- the result --------------------------------------------------------------------------------------------------
  async #judge(find) {
    this.dataset.state = "working";
    delete this.dataset.code;
    this.#show("", this.#texts.say("reading"));
    try {
      this.#good(...(await find()));
    } catch (error) {
      if (error instanceof Told) this.#told(error);
      else this.#bad(error);
    }
  }

  #good(verdict, isRootOld) {
    const texts = this.#texts;
    const code = (isRootOld && "root_too_old") || (verdict.status === "old" && "old") || "";
    const values = { vin: verdict.vin, time: texts.time(verdict.time_ms) };
    const count = verdict.records?.length ?? verdict.record_count ?? 0;
    const key = `result_${verdict.kind}`;
    const isCounted = verdict.kind === "history" || verdict.kind === "compact";
    const sentence = isCounted ? texts.count(key, count, values) : texts.say(key, values);
    Object.assign(this.dataset, { state: "done", code, height: verdict.height, ageDays: verdict.age_days });
    this.#show(code ? "warn" : "good", code ? `${sentence} ${texts.say(`result_${code}`)}` : sentence);
    const chain = hex(this.#root.genesisHash);
    this.#part("facts").replaceChildren(factsOf(verdict, chain, texts), ...recordsOf(verdict, texts));
  }

  #bad(error) {
    const code = error instanceof InvalidCertificateFile ? error.code : "unsupported";
    Object.assign(this.dataset, { state: "refused", code });
    const isOwn = code !== "unsupported";
    const text = isOwn ? this.#texts.code("refusals", code) : this.#texts.say(code);
    this.#show("bad", isOwn ? `${text} ${this.#texts.say("result_refused")}` : text);
  }

  #told({ key, values }) {
    Object.assign(this.dataset, { state: "idle", code: key });
    this.#show("warn", this.#texts.say(key, values));
  }

  #show(tone, sentence) {
    const result = this.#part("result");
    result.className = `box ${tone}`;
    result.textContent = sentence;
    this.#part("facts").replaceChildren();
    if (tone) result.scrollIntoView({ block: "nearest" });
  }
}

if (!customElements.get("bmw-check")) customElements.define("bmw-check", Check);
