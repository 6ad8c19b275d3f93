/**
 * `<bmw-verify data-vin data-record-count>`: whether the records that a page shows of a car are those of the chain.
 *
 * The reader's browser fetches the car's certificate through this origin, verifies it from the release's root, follows
 * the head (`light.js`), and compares with the page: `data-record-count`, each element with `data-record-sequence` and
 * `data-record-digest`, and each with `data-state-key` and `data-state-digest` (SHA-256 of the value's canonical bytes).
 *
 * `data-state` is `idle`, `working`, `done`, `refused` or `unreachable`; then `data-code` tells why it is not green,
 * `data-height` and `data-age-days` what was proven. The sentence is in the `role=status` that the page has drawn.
 */
import { InvalidCertificateFile, carOf, digestsOf, hex, sha256 } from "../certificate.js";
import { LightClient } from "../light.js";
import { Unreachable, file, release, verdictOf } from "../release.js";

/** A page may be older than a record by the time that caches keep it. Above: the page leaves a record out. */
const PAGE_AGE_MAX_MS = 60_000;
const WARNINGS = ["old", "root_too_old", "newer_records", "behind_trust"];

/** What differs between page and chain: its text's key, and that text's values. */
class Differs extends Error {
  constructor(key, values = {}) {
    super(key);
    [this.key, this.values] = [key, values];
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

  async #checked(root) {
    const { vin } = this.dataset;
    const bytes = await file(`/v1/vehicles/${encodeURIComponent(vin)}/certificate?redact=all`);
    const [verdict, isRootOld] = await verdictOf(bytes, root);
    if (verdict.kind !== "history" || verdict.vin !== vin) throw new Differs("other_car");
    const light = new LightClient(root, (path) => fetch(path), { acceptOldRoot: isRootOld });
    const code = await this.#newest(light, vin, verdict);
    const lacking = this.#compare(verdict, await digestsOf(bytes));
    await this.#values(light);
    const reasons = [code, lacking, isRootOld && "root_too_old", verdict.status === "old" && "old"];
    return [verdict, reasons.find((reason) => WARNINGS.includes(reason)) ?? ""];
  }

  /** The certificate is of the head: a server may have kept an older one. */
  async #newest(light, vin, verdict) {
    const key = `vehicle/${vin}`;
    try {
      const { value } = await light.state(key);
      if (value === null) throw new Differs("other_car");
      return carOf(value, key).record_count > verdict.records.length ? "newer_records" : "";
    } catch (error) {
      if (error.code !== "behind_trust") throw error;
      return "behind_trust";
    }
  }

  /** The page's records against the proven ones. Throws `Differs` for what is wrong whenever the page was made. */
  #compare({ records }, digests) {
    const shown = new Map();
    for (const { dataset } of this.#marked("[data-record-sequence]")) {
      if (dataset.recordDigest !== digests[dataset.recordSequence]) {
        const isThere = digests[dataset.recordSequence] !== undefined;
        throw new Differs(isThere ? "changed" : "invented", { record: dataset.recordSequence });
      }
      shown.set(Number(dataset.recordSequence), dataset.recordDigest);
    }
    const stated = Number(this.dataset.recordCount);
    const made = performance.timeOrigin - PAGE_AGE_MAX_MS;
    const isNew = ({ time_ms: timeMs }) => timeMs > made;
    const lacking = shown.size ? records.filter(({ sequence }) => !shown.has(sequence)) : records.slice(stated);
    const left = lacking.find((record) => !isNew(record));
    if (left !== undefined) throw new Differs("missing", { record: left.sequence });
    const isPossible = stated <= records.length && stated + records.filter(isNew).length >= records.length;
    if (!isPossible) {
      throw new Differs("count", { count: stated, proven: records.length });
    }
    return lacking.length > 0 || stated < records.length ? "newer_records" : "";
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
  #show(texts, verdict, code) {
    const values = { time: texts.time(verdict.time_ms), ago: texts.ago(Math.max(0, Date.now() - verdict.time_ms)) };
    Object.assign(this.dataset, { state: "done", code, height: verdict.height, ageDays: verdict.age_days });
    this.#tell(texts.count(code || "good", verdict.records.length, values));
  }

  #fail(texts, error) {
    const isWrong = error instanceof InvalidCertificateFile || error instanceof Differs;
    this.dataset.state = isWrong ? "refused" : "unreachable";
    this.dataset.code = error.code ?? error.key ?? (error instanceof Unreachable ? "unreachable" : "unsupported");
    if (!texts) return; // what the page has drawn stays
    if (!isWrong) return this.#tell(texts.say(this.dataset.code));
    const why = error instanceof Differs ? texts.say(error.key, error.values) : texts.code("refusals", error.code);
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
