/**
 * `<bmw-verify data-vin data-record-count>`: whether the records that a page shows of a car are those of the chain.
 *
 * The reader's browser asks for the car's state through this origin with its proof, and verifies it from the release's
 * root up to the head (`light.js`). What the page shows must give that state: each element with `data-record-sequence`
 * and `data-record-digest`, from the first to the last, its `history_head`; `data-record-count` its number of records;
 * and each with `data-state-key` and `data-state-digest` (SHA-256 of the value's canonical bytes) a proven value.
 * Where records do not agree, the car's certificate tells which (`differing.js`).
 *
 * `data-state` is `idle`, `working`, `done`, `refused` or `unreachable`; then `data-code` tells why it is not green,
 * `data-height` and `data-age-days` what was proven. The sentence is in the `role=status` that the page has drawn.
 */
import { ageAt, fromHex, hex, historyHead, recordsOf, same, sha256 } from "./certificate.js";
import { Differs } from "./differs.js";
import { LightClient } from "./light.js";
import { Unreachable, release } from "./release.js";

/** Whether a page shows as many records as the car has, and those that give its `history_head`. */
function isAll({ count, shown }, proven, head) {
  const sorted = [...shown].sort((a, b) => a.sequence - b.sequence);
  const isEach = sorted.every(({ sequence, digest }, n) => sequence === String(n) && /^[0-9a-f]{64}$/.test(digest));
  if (!isEach || count !== proven || sorted.length !== count) return false;
  return same(historyHead(sorted.map(({ digest }) => fromHex(digest, "a digest"))), head);
}

/** The state of a key at the head, null where the head is older than one seen before; and what to warn of, if anything. */
async function stateOf(key, root, options = {}) {
  const light = new LightClient(root, (path) => fetch(path), options);
  try {
    return [light, await light.state(key), options.acceptOldRoot ? "root_too_old" : ""];
  } catch (error) {
    if (error.code === "root_too_old") return stateOf(key, root, { acceptOldRoot: true });
    if (error.code === "behind_trust") return [light, null, error.code];
    throw error;
  }
}

class Verify extends HTMLElement {
  connectedCallback() {
    this.dataset.state = "idle";
    this.run();
  }

  /** Check, and show the result. */
  async run() {
    if (this.dataset.state === "working") return;
    this.dataset.state = "working";
    for (const name of ["code", "height", "ageDays"]) delete this.dataset[name];
    let texts;
    try {
      const released = await release("badge");
      texts = released.texts;
      this.#tell(texts.say("working"));
      this.#show(texts, ...(await this.#checked(released.root)));
    } catch (error) {
      this.#fail(texts, error);
    }
  }

  /** What was proven, and the code of what the reader is warned of, which may be empty. */
  async #checked(root) {
    const { vin, recordCount } = this.dataset;
    const [light, found, warning] = await stateOf(`vehicle/${vin}`, root);
    if (found?.value === null) throw new Differs("other_car");
    const [proven, head] = found ? recordsOf(found.value, `vehicle/${vin}`) : [0];
    const shown = Array.from(this.#marked("[data-record-sequence]"), ({ dataset }) => ({
      sequence: dataset.recordSequence, digest: dataset.recordDigest,
    })); // prettier-ignore
    const page = { vin, count: Number(recordCount), shown };
    let [verdict, code] = [{ ...found, count: page.count }, ""];
    if (!found || !isAll(page, proven, head)) {
      const { compare } = await import("./differing.js").catch((error) => {
        throw new Unreachable(String(error));
      });
      [verdict, code] = await compare(page, root, proven);
    }
    await this.#values(light);
    const { status, age_days: ageDays } = ageAt(verdict.timeMs, Date.now());
    return [{ ...verdict, ageDays }, code || warning || (status === "old" ? status : "")];
  }

  /** What else the page shows, each value by the digest of what was drawn. */
  async #values(light) {
    for (const { dataset } of this.#marked("[data-state-key]")) {
      const { value } = await light.state(dataset.stateKey);
      if (value === null || hex(sha256(value)) !== dataset.stateDigest) throw new Differs("value");
    }
  }

  #marked(selector) {
    return this.getRootNode().querySelectorAll(selector);
  }

  // --- the result --------------------------------------------------------------------------------------------------
  #show(texts, { count, height, timeMs, ageDays }, code) {
    const values = { time: texts.time(timeMs), ago: texts.ago(Math.max(0, Date.now() - timeMs)) };
    Object.assign(this.dataset, { state: "done", code, height, ageDays });
    this.#tell(texts.count(code || "good", count, values));
  }

  /** Errors are told apart by their names: `differing.js` is a file of its own, with classes of its own. */
  #fail(texts, error) {
    const isWrong = ["InvalidCertificateFile", "Differs"].includes(error.name);
    this.dataset.state = isWrong ? "refused" : "unreachable";
    this.dataset.code = isWrong ? (error.key ?? error.code) : error.name === "Unreachable" ? "unreachable" : "unsupported";
    if (!texts) return; // what the page has drawn stays
    if (!isWrong) return this.#tell(texts.say(this.dataset.code));
    const why = error.key ? texts.say(error.key, error.values) : texts.code("refusals", error.code);
    this.#tell(`${why} ${texts.say("do_not_rely")}`);
  }

  #tell(sentence) {
    let status = this.querySelector("[role=status]");
    if (status === null) {
      status = document.createElement("p");
      status.setAttribute("role", "status");
      this.append(status);
    }
    status.textContent = sentence;
  }
}

if (!customElements.get("bmw-verify")) customElements.define("bmw-verify", Verify);
