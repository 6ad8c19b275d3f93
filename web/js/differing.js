/**
 * What differs between the records that a page shows of a car and those of the chain, by the car's certificate. It is
 * loaded only where they do differ, or where the page does not show all of them: `bmw-verify.js` needs the car's state
 * alone to know that nothing differs.
 */
import { digestsOf } from "./certificate.js";
import { Differs } from "./differs.js";
import { answer } from "./release.js";
import { verdictOf } from "./verdict.js";

/** A page may be older than a record by the time that caches keep it. Above: the page leaves a record out. */
const PAGE_AGE_MAX_MS = 60_000;

/**
 * What the car's certificate proves, and the code of what the page lacks: empty, or `newer_records`. Throws
 * `Differs` for what is wrong whenever the page was made, and `InvalidCertificateFile` and `Unreachable`.
 *
 * @param {{vin: string, count: number, shown: {sequence: string, digest: string}[]}} page  what it states and shows
 * @param {number} proven  the number of the car's records at the head, 0 where it is not known
 */
export async function compare(page, root, proven) {
  const { vin } = page;
  const response = await answer(`/v1/vehicles/${encodeURIComponent(vin)}/certificate?redact=all`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const [verdict] = await verdictOf(bytes, root);
  if (verdict.kind !== "history" || verdict.vin !== vin) throw new Differs("other_car");
  const isNewer = isLacking(page, verdict.records, await digestsOf(bytes)) || proven > verdict.records.length;
  const { records, height, time_ms: timeMs } = verdict;
  return [{ count: records.length, height, timeMs }, isNewer ? "newer_records" : ""];
}

function isLacking({ count, shown }, records, digests) {
  const sequences = new Set();
  for (const { sequence, digest } of shown) {
    if (digest !== digests[sequence]) {
      throw new Differs(digests[sequence] !== undefined ? "changed" : "invented", { record: sequence });
    }
    sequences.add(Number(sequence));
  }
  const made = performance.timeOrigin - PAGE_AGE_MAX_MS;
  const isNew = ({ time_ms: timeMs }) => timeMs > made;
  const lacking = shown.length ? records.filter(({ sequence }) => !sequences.has(sequence)) : records.slice(count);
  const left = lacking.find((record) => !isNew(record));
  if (left !== undefined) throw new Differs("missing", { record: left.sequence });
  const isPossible = count <= records.length && count + records.filter(isNew).length >= records.length;
  if (!isPossible) throw new Differs("count", { count, proven: records.length });
  return lacking.length > 0 || count < records.length;
}
