/**
 * What a release brings along for its modules: the trust root, and the texts in the reader's language, which are made from
 * the same catalogue as the pages (`web/module_files.py`).
 */
import { fromHex } from "./certificate.js";

/** The server gives no usable answer. `status`: of HTTP, 0 where there is no answer. */
export class Unreachable extends Error {
  constructor(text, status = 0) {
    super(text);
    this.name = "Unreachable";
    this.status = status;
  }
}

/** Those of the pages (`web/words.py`). */
const LOCALES = { en: "en-GB", de: "de-DE", zh: "zh-Hans-CN" };

/** What this origin answers. Throws `Unreachable`, also for an answer that says so. */
export async function answer(path, ask = (where) => fetch(where)) {
  const response = await ask(path).catch((error) => {
    throw new Unreachable(String(error));
  });
  if (!response.ok) throw new Unreachable(`${path}: HTTP ${response.status}`, response.status);
  return response;
}

/**
 * The texts of `name` in the page's language, English where there are none, and the root: that of the genesis document
 * which the pages were started with.
 *
 * @returns {Promise<{texts: Texts, root: import("./certificate.js").Root}>}
 */
export async function release(name, lang = document.documentElement.lang) {
  const tag = Object.keys(LOCALES).find((each) => lang.startsWith(each)) ?? "en";
  const found = await (await answer(new URL(`../texts/${name}.${tag}.json`, import.meta.url))).json();
  return { texts: new Texts(LOCALES[tag], found), root: rootOf(found.root) };
}

/** The root in a release's own file, which is as trustworthy as this module: nothing of it is checked again. */
function rootOf({ tree_depth: treeDepth, height, time_ms: timeMs, ...hashes }) {
  const names = ["genesis_hash", "block_id", "validators"];
  const [genesisHash, blockId, validators] = names.map((name) => fromHex(hashes[name], name));
  return { genesisHash, treeDepth, height, blockId, timeMs, validators };
}

export class Texts {
  #found;

  constructor(lang, found) {
    [this.lang, this.#found] = [lang, found];
  }

  /** A text, with the values in its places. */
  say(key, values = {}) {
    const text = this.#found.texts[key];
    if (text === undefined) throw new Error(`there is no text ${key}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  /** One text for 1, another for any other count: `key_one` and `key`. */
  count(key, count, values = {}) {
    return this.say(count === 1 ? `${key}_one` : key, { count: this.number(count), ...values });
  }

  /** The text of a code, or the code itself with spaces. */
  code(table, code) {
    return this.#found.codes[table]?.[code] ?? String(code).replaceAll("_", " ");
  }

  number(value) {
    return new Intl.NumberFormat(this.lang).format(value);
  }

  /** In UTC, as the pages write times. */
  time(ms) {
    return `${this.day(ms, { timeStyle: "short" })} UTC`;
  }

  day(ms, style = {}) {
    return new Intl.DateTimeFormat(this.lang, { dateStyle: "medium", timeZone: "UTC", ...style }).format(Number(ms));
  }

  /** How long ago, roughly: "this minute", "3 hours ago". */
  ago(ms) {
    const units = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]]; // prettier-ignore
    const [unit, size] = units.find(([, each]) => ms >= each) ?? units.at(-1);
    return new Intl.RelativeTimeFormat(this.lang, { numeric: "auto" }).format(-Math.floor(ms / size), unit);
  }
}
