/**
 * The texts of the modules in the reader's language, made from the same catalogue as the pages (`web/assets.py`), and
 * how that language writes numbers, times and ages.
 */

/** The file of a release, by its path below `/static/<release>/`. */
export const released = (path) => new URL(`../${path}`, import.meta.url);

/** Those of the pages (`web/words.py`). */
const LOCALES = { en: "en-GB", de: "de-DE", zh: "zh-Hans-CN" };

export class Texts {
  #found;

  constructor(lang, found) {
    [this.lang, this.#found] = [lang, found];
  }

  /** The texts of the page's language, English where there are none. */
  static async load(lang = document.documentElement.lang) {
    const tag = Object.keys(LOCALES).find((each) => lang.startsWith(each)) ?? "en";
    const response = await fetch(released(`texts/verifier.${tag}.json`));
    if (!response.ok) throw new Error(`texts: HTTP ${response.status}`);
    return new Texts(LOCALES[tag], await response.json());
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
    const style = { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" };
    return `${new Intl.DateTimeFormat(this.lang, style).format(Number(ms))} UTC`;
  }

  day(ms) {
    return new Intl.DateTimeFormat(this.lang, { dateStyle: "medium", timeZone: "UTC" }).format(Number(ms));
  }

  /** How long ago, roughly: "this minute", "3 hours ago". */
  ago(ms) {
    const units = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]]; // prettier-ignore
    const [unit, size] = units.find(([, each]) => ms >= each) ?? units.at(-1);
    return new Intl.RelativeTimeFormat(this.lang, { numeric: "auto" }).format(-Math.floor(ms / size), unit);
  }
}
