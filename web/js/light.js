/**
 * A light client in JavaScript: values of the chain's state, each with a proof that leads to a header which the chain's
 * validators have decided. The node that answers need not be trusted. The rules are those of `wallet/light.py`.
 *
 * The newest verified header is kept in IndexedDB and is the root of the next visit: a server can then show neither an
 * older state nor another branch to a reader who was here before.
 *
 * @typedef {import("./certificate.js").Root} Root
 * @typedef {{header: Uint8Array, set: Uint8Array}} Kept  The newest verified header, and the set that decides the next.
 */
import {
  AHEAD_MAX_MS, InvalidCertificateFile, checkItem, checkRootAge, decode, encode, follow, fromHex, headerOf, hex,
  malformed, same, shaped, tagged,
} from "./certificate.js"; // prettier-ignore
import { Unreachable, answer } from "./release.js";

/** Headers that are asked for between root and head. Above: refused; a newer root is needed. */
const FETCHES_MAX = 4_096;
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

const conflict = (text) => new InvalidCertificateFile("conflict", text);

/** Where the newest header of a chain is kept, in a browser. */
export class BrowserStore {
  #name;

  constructor(name) {
    this.#name = name;
  }

  /** @returns {Promise<Kept | undefined>} */
  read() {
    return this.#within("readonly", (all, resolve) => {
      all.get(this.#name).onsuccess = ({ target }) => resolve(target.result);
    });
  }

  /** Put what `choose` makes of the kept value, in one transaction over all windows. It throws, or gives null: no change. */
  update(choose) {
    return this.#within("readwrite", (all, resolve, reject) => {
      all.get(this.#name).onsuccess = ({ target }) => {
        try {
          const chosen = choose(target.result);
          if (chosen !== null) all.put(chosen, this.#name);
          all.transaction.oncomplete = () => resolve();
        } catch (error) {
          reject(error);
        }
      };
    });
  }

  async #within(mode, act) {
    const database = await new Promise((resolve, reject) => {
      const opening = indexedDB.open("bmw-light", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("newest");
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = opening.onblocked = () => reject(new StorageFailed(String(opening.error)));
    });
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction("newest", mode);
        transaction.onerror = transaction.onabort = () => reject(new StorageFailed(String(transaction.error)));
        act(transaction.objectStore("newest"), resolve, reject);
      });
    } finally {
      database.close();
    }
  }
}

/** The browser keeps nothing for this page, as in some private windows. */
class StorageFailed extends Error {}

/** The same in memory: where there is no IndexedDB, and where the browser refuses it. */
export class MemoryStore {
  #kept;

  async read() {
    return this.#kept;
  }

  async update(choose) {
    this.#kept = choose(this.#kept) ?? this.#kept;
  }
}

export class LightClient {
  #root;
  #fetch;
  #now;
  #store;
  #acceptOldRoot;
  #trust;
  #turn = Promise.resolve();

  /**
   * @param {Root} root
   * @param {(path: string) => Promise<Response>} fetch  asks the node for a path such as `/v1/status`
   * @param {{now?: () => number, store?: BrowserStore | MemoryStore, acceptOldRoot?: boolean}} [options]
   */
  constructor(root, fetch, { now = Date.now, store, acceptOldRoot = false } = {}) {
    [this.#root, this.#fetch, this.#now, this.#acceptOldRoot] = [root, fetch, now, acceptOldRoot];
    this.#store = store ?? (globalThis.indexedDB ? new BrowserStore(hex(root.genesisHash)) : new MemoryStore());
    this.#trust = { blockId: root.blockId, timeMs: root.timeMs, height: root.height, set: root.validators };
  }

  /**
   * The value of a state key at the node's head, null for a proven absence.
   *
   * Throws `Unreachable`, or `InvalidCertificateFile` with the codes of `follow` and `checkItem`, `root_too_old`,
   * `conflict` (another block than one that was verified) or `behind_trust` (a head below the newest verified height).
   *
   * @returns {Promise<{value: Uint8Array | null, height: number, timeMs: number, blockId: string}>}
   */
  state(key) {
    const found = this.#turn.then(() => this.#state(key)); // one after another: each moves the trusted point
    this.#turn = found.catch(() => {});
    return found;
  }

  async #state(key) {
    await this.#load();
    checkRootAge(this.#trust, this.#now(), { acceptOldRoot: this.#acceptOldRoot });
    const answer = await this.#json(`/v1/state/${encodeURIComponent(key)}?proof=true`);
    const block = blockIn(answer);
    await this.#accept(block);
    const value = answer.value === null ? null : fromHex(answer.value, "the value");
    checkItem(key, value, proofIn(answer.proof), block.header.stateRoot, this.#root.treeDepth);
    return { value, height: block.header.height, timeMs: block.header.timeMs, blockId: hex(this.#idOf(block)) };
  }

  // --- the newest verified point ---------------------------------------------------------------------------------
  async #load() {
    const kept = this.#pointOf(await this.#stored((store) => store.read()));
    if (kept === null || kept.height < this.#trust.height) return;
    if (kept.height === this.#trust.height && !same(kept.blockId, this.#trust.blockId)) throw conflicting(kept);
    this.#trust = kept;
  }

  /** The point of what was kept; null for nothing, and for what no light client has written. */
  #pointOf(kept) {
    try {
      const [header, set] = [headerOf(kept.header), kept.set];
      if (!same(tagged("bmw/validators", set), header.nextValidatorsHash)) return null;
      return { blockId: this.#idOf({ raw: kept.header }), timeMs: header.timeMs, height: header.height, set };
    } catch {
      return null;
    }
  }

  async #keep(point, header) {
    const entry = { header, set: point.set };
    await this.#stored((store) =>
      store.update((before) => {
        const kept = this.#pointOf(before);
        if (kept?.height === point.height && !same(kept.blockId, point.blockId)) throw conflicting(kept);
        return kept !== null && kept.height >= point.height ? null : entry;
      }),
    );
  }

  async #stored(act) {
    try {
      return await act(this.#store);
    } catch (error) {
      if (!(error instanceof StorageFailed)) throw error;
      this.#store = new MemoryStore();
      return act(this.#store);
    }
  }

  #idOf(block) {
    return tagged("bmw/header", this.#root.genesisHash, block.raw);
  }

  // --- following ---------------------------------------------------------------------------------------------------
  async #accept(target) {
    const { height, timeMs } = target.header;
    if (timeMs > this.#now() + AHEAD_MAX_MS) throw refused(`height ${height} is ahead of this clock`);
    if (height < this.#trust.height) {
      const text = `the node is at height ${height}, and ${this.#trust.height} was verified before`;
      throw new InvalidCertificateFile("behind_trust", text);
    }
    if (height === this.#trust.height) {
      if (!same(this.#idOf(target), this.#trust.blockId)) throw conflicting(this.#trust);
      return;
    }
    const point = await this.#advance(target);
    await this.#keep(point, target.raw);
    this.#trust = point;
  }

  /** The point at `target`. Where the sets differ too much, headers in between are verified first (bisection). */
  async #advance(target) {
    const sets = new Map([[hex(tagged("bmw/validators", this.#trust.set)), this.#trust.set]]);
    const waiting = [target];
    let point = this.#trust;
    for (let fetched = 0; waiting.length > 0; ) {
      const { raw, header, round, signatures } = waiting.at(-1);
      if (header.height === point.height + 1 && !same(header.parentId, point.blockId)) throw conflicting(point);
      const own = await this.#set(sets, header.validatorsHash, header.height);
      const next = await this.#set(sets, header.nextValidatorsHash, header.height + 1);
      try {
        const { blockId } = await follow([raw, round, signatures, own, next], point, this.#root.genesisHash);
        point = { blockId, timeMs: header.timeMs, height: header.height, set: next };
        waiting.pop();
        continue;
      } catch (error) {
        const isBetween = header.height > point.height + 1 && fetched++ < FETCHES_MAX;
        if (error.code !== "not_followed" || !isBetween) throw error;
      }
      waiting.push(await this.#header(Math.floor((point.height + header.height) / 2)));
    }
    return point;
  }

  async #header(height) {
    const block = blockIn(await this.#json(`/v1/headers/${height}`));
    if (block.header.height !== height) throw refused(`asked for height ${height}, the node gives another`);
    return block;
  }

  /** The set with this hash, which decides the height. What the node says is believed only as far as its hash goes. */
  async #set(sets, hash, height) {
    for (const path of [`/v1/validators?height=${height}`, "/v1/validators"]) {
      if (sets.has(hex(hash))) break;
      try {
        const set = setIn(await this.#json(path));
        sets.set(hex(tagged("bmw/validators", set)), set);
      } catch (error) {
        if (error.status !== 404) throw error; // a node that has pruned the height
      }
    }
    const found = sets.get(hex(hash));
    if (!found) throw refused(`height ${height}: the node does not give the validators that the header names`);
    return found;
  }

  async #json(path) {
    const response = await answer(path, this.#fetch);
    const document = await response.json().catch(() => null);
    if (document === null || typeof document !== "object") throw new Unreachable(`${path}: no JSON`);
    return document;
  }
}

const refused = (text) => new InvalidCertificateFile("not_followed", text);
const conflicting = ({ height, blockId }) =>
  conflict(`height ${height} was verified with block id ${hex(blockId)}, the node shows another: this is a fork`);

// --- what a node answers ---------------------------------------------------------------------------------------------
/** Header and certificate of an answer: `{raw, header, round, signatures}`. */
function blockIn(answer) {
  const [raw, certificate] = ["header", "commit"].map((name) => fromHex(answer[name]?.raw, `the answer's ${name}`));
  const header = headerOf(raw);
  const [, round, , signatures] = shaped(decode(certificate, "a certificate"), "iibl", "a certificate");
  if (!Number.isSafeInteger(header.height)) throw malformed("no chain has that height");
  return { raw, header, round, signatures };
}

/** A proof as `checkItem` takes it. */
function proofIn(told) {
  const list = (value) => (Array.isArray(value) ? value : []);
  const hashes = (value) => list(value).map((each) => fromHex(each, "a sibling"));
  const large = told?.large;
  const bucket = large ? [large.count, large.index, list(large.paths).map((each) => hashes(each?.path))] : null;
  return [fromHex(told?.entries, "the proof"), hashes(told?.siblings), bucket];
}

/** A validator set in its canonical encoding. */
function setIn(answer) {
  const entries = Array.isArray(answer.validators) ? answer.validators : [];
  return encode(
    entries.map((each) => {
      if (!Number.isSafeInteger(each?.power) || each.power < 0) throw malformed("a validator has power");
      return [addressIn(each.address), fromHex(each.consensus_key, "a validator's key"), each.power];
    }),
  );
}

/** The 20 bytes of an address. Its checksum does not matter here: the set's hash decides. */
function addressIn(text) {
  const digits = /^bmw1[a-z0-9]{38}$/.test(text) ? Array.from(text.slice(4, 36), (each) => BECH32.indexOf(each)) : [-1];
  if (digits.includes(-1)) throw malformed("this is no address");
  const number = digits.reduce((high, digit) => (high << 5n) | BigInt(digit), 0n);
  return fromHex(number.toString(16).padStart(40, "0"), "an address");
}
