/**
 * The verifier of certificates in JavaScript: one file without dependencies, for browsers, Node.js 20.12 and newer.
 *
 * A certificate proves the history of a car, that there is no car with a VIN, or what became of an order, to somebody
 * who trusts nothing but a root. Verdicts and codes are those of `node/certificates` in Python: `tests/vectors/
 * certificates.json` has examples of both. Integers above 2^53 are BigInt, so that no digit is lost.
 *
 * @typedef {{genesisHash: Uint8Array, treeDepth: number, height: number, blockId: Uint8Array, timeMs: number,
 *   validators: Uint8Array}} Root  What the verifier trusts: see `rootOfCheckpoint`.
 * @typedef {{acceptOldRoot?: boolean, witnesses?: Uint8Array[], witnessesNeeded?: number, ageMaxMs?: number}} Options
 */

const DAY_MS = 86_400_000;
const ROOT_AGE_MAX_MS = 180 * DAY_MS;
const OLD_MS = 60 * DAY_MS;
/** How far a header may be ahead of this clock, which may be wrong by an hour. */
export const AHEAD_MAX_MS = 3_600_000;
const BRAND_CONFIRMED_MS = 30 * DAY_MS;
const BRAND_UNDECIDED_MS = 60 * DAY_MS;
const INFLATED_MAX = 4 * 1024 * 1024;
const CHECKPOINT_BYTES_MAX = 256 * 1024;
const DEPTH_MAX = 16;
const LINKS_MAX = 4_096;
const WITNESSES_MAX = 64;
const CHECKSUM_BYTES = 8;
const ZERO32 = new Uint8Array(32);
const EMPTY = new Uint8Array(0);
const FORMS = ["hidden", "redacted", "whole"];

/** What a certificate does not prove. `code` is stable, the text is for people. */
export class InvalidCertificateFile extends Error {
  constructor(code, text) {
    super(`${code}: ${text}`);
    this.name = "InvalidCertificateFile";
    this.code = code;
  }
}

export const malformed = (text) => new InvalidCertificateFile("certificate_malformed", text);

// --- bytes and integers ----------------------------------------------------------------------------------------------
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
export const hex = (bytes) => Array.from(bytes, (byte) => HEX[byte]).join("");
const utf8 = (text) => new TextEncoder().encode(text);
const ofUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const isBytes = (value) => value instanceof Uint8Array;
const isHash = (value) => isBytes(value) && value.length === 32;
const integer = (big) => (big >= Number.MIN_SAFE_INTEGER && big <= Number.MAX_SAFE_INTEGER ? Number(big) : big);
const sum = (numbers) => integer(numbers.reduce((total, each) => total + BigInt(each), 0n));
const days = (ms) => Math.floor(Math.max(0, ms) / DAY_MS);
const littleEndian = (bytes) => BigInt(`0x${hex(Uint8Array.from(bytes).reverse())}`);

function compare(a, b) {
  const at = a.findIndex((byte, place) => byte !== b[place]);
  return at < 0 ? a.length - b.length : at < b.length ? a[at] - b[at] : 1;
}
export const same = (a, b) => a.length === b.length && compare(a, b) === 0;

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

function bigEndian(value, size) {
  return Uint8Array.from({ length: size }, (_, at) => Number((BigInt(value) >> BigInt(8 * (size - 1 - at))) & 0xffn));
}

// --- SHA-256 (FIPS 180-4) --------------------------------------------------------------------------------------------
// Our own, because a verdict needs some hundred hashes of short inputs, and each of crypto.subtle.digest is a promise:
// as fast as this in Chromium, but 2 to 20 times slower in Node.js (scripts/certificates --measure).
// The constants are the first 32 bits of the fractions of roots of primes, as the standard defines them. None is nearer
// than 1 / 200 to an integer, so what engines differ in the last bits of a root changes none.
const PRIMES = Array.from({ length: 310 }, (_, n) => n + 2).filter((n, at, all) => all.slice(0, at).every((m) => n % m));
const fraction = (root) => (root % 1) * 2 ** 32;
const ROUNDS = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)) | 0);
const words = new Int32Array(64);

/** The SHA-256 hash of the parts, one after another. */
export function sha256(...parts) {
  const message = joined(...parts);
  const padded = new Uint8Array(((message.length + 72) >> 6) << 6);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, message.length / 2 ** 29);
  view.setUint32(padded.length - 4, message.length << 3);
  const state = Int32Array.from(START);
  for (let at = 0; at < padded.length; at += 64) {
    compress(state, view, at);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, place) => digest.setInt32(4 * place, word));
  return new Uint8Array(digest.buffer);
}

function compress(state, view, at) {
  const turned = (word, bits) => (word >>> bits) | (word << (32 - bits));
  for (let t = 0; t < 16; t++) words[t] = view.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const [x, y] = [words[t - 15], words[t - 2]];
    const small = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3);
    words[t] = words[t - 16] + small + words[t - 7] + (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[t] + words[t];
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, place) => (state[place] += word));
}

/** `SHA-256(tag || 0x00 || data)`. */
export const tagged = (tag, ...data) => sha256(utf8(`${tag}\0`), ...data);

// --- Ed25519, as libsodium verifies it -------------------------------------------------------------------------------
const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const ORDER_8_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
/** y of the points whose order divides 8: whoever names one as a key has "signed" everything. */
const SMALL_ORDER_Y = [0n, 1n, P - 1n, ORDER_8_Y, P - ORDER_8_Y];
const BASE_POINT = new Uint8Array(32).fill(0x66, 1).fill(0x58, 0, 1);
let hasEd25519;

function isPlainPoint(encoded) {
  const y = littleEndian(encoded) & (2n ** 255n - 1n);
  return y < P && !SMALL_ORDER_Y.includes(y);
}

/**
 * Whether libsodium accepts the signature. WebCrypto alone would not do: it accepts forged signatures by keys of small
 * order. Where it has no Ed25519, `noble.js` is loaded.
 */
export async function isSignature(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  if (!isPlainPoint(key) || !isPlainPoint(r) || littleEndian(signature.subarray(32)) >= ORDER) return false;
  const imported = (bytes) => crypto.subtle.importKey("raw", bytes, "Ed25519", false, ["verify"]);
  hasEd25519 ??= imported(BASE_POINT).then(() => true, () => false); // prettier-ignore
  if (!(await hasEd25519)) return (await import("./noble.js")).isEquation(key, message, signature);
  return imported(key).then((known) => crypto.subtle.verify("Ed25519", known, signature, message)).catch(() => false);
}

// --- strict canonical MessagePack ------------------------------------------------------------------------------------
/** A strict reader: nil, booleans, integers, binary, text and arrays, each in its shortest form. */
class Reader {
  constructor(raw, what) {
    [this.raw, this.what, this.at] = [raw, what, 0];
    this.view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  }

  refused(text) {
    return malformed(`${this.what}: ${text}`);
  }

  take(count) {
    if (count > this.raw.length - this.at) throw this.refused("it ends early");
    this.at += count;
    return this.raw.subarray(this.at - count, this.at);
  }

  number(size, least) {
    this.take(size);
    const at = this.at - size;
    const found = size === 8 ? integer(this.view.getBigUint64(at)) : this.view[`getUint${8 * size}`](at);
    if (found < least) throw this.refused("a number is not in its shortest form");
    return found;
  }

  /** A number of 1, 2, 4 or 8 bytes, by the power of two, with the least value that needs so many. */
  count(power, least) {
    return this.number(1 << power, least[power]);
  }

  negative(size) {
    this.take(size);
    const at = this.at - size;
    const found = size === 8 ? integer(this.view.getBigInt64(at)) : this.view[`getInt${8 * size}`](at);
    const least = size === 1 ? -32 : -(2 ** (4 * size - 1));
    if (found >= least) throw this.refused("a number is not in its shortest form");
    return found;
  }

  text(count) {
    const encoded = this.take(count);
    try {
      return ofUtf8.decode(encoded);
    } catch {
      throw this.refused("a text is not UTF-8");
    }
  }

  list(count, depth) {
    if (count > this.raw.length - this.at) throw this.refused("it ends early");
    return Array.from({ length: count }, () => this.value(depth + 1));
  }

  value(depth = 0) {
    if (depth > DEPTH_MAX) throw this.refused("it is nested too deeply");
    const first = this.take(1)[0];
    if (first <= 0x7f) return first;
    if (first >= 0xe0) return first - 256;
    if (first >= 0x90 && first <= 0x9f) return this.list(first & 0x0f, depth);
    if (first >= 0xa0 && first <= 0xbf) return this.text(first & 0x1f);
    if (first === 0xc0) return null;
    if (first === 0xc2 || first === 0xc3) return first === 0xc3;
    const among = (low, high) => first >= low && first <= high;
    if (among(0xc4, 0xc6)) return this.take(this.count(first - 0xc4, [0, 2 ** 8, 2 ** 16]));
    if (among(0xcc, 0xcf)) return this.count(first - 0xcc, [2 ** 7, 2 ** 8, 2 ** 16, 2 ** 32]);
    if (among(0xd0, 0xd3)) return this.negative(1 << (first - 0xd0));
    if (among(0xd9, 0xdb)) return this.text(this.count(first - 0xd9, [2 ** 5, 2 ** 8, 2 ** 16]));
    if (among(0xdc, 0xdd)) return this.list(this.number(2 << (first - 0xdc), first === 0xdc ? 2 ** 4 : 2 ** 16), depth);
    throw this.refused(`the byte 0x${HEX[first]} begins nothing that a certificate has`);
  }
}

/** The value of a canonical encoding. */
export function decode(raw, what) {
  const reader = new Reader(raw, what);
  const found = reader.value();
  if (reader.at !== raw.length) throw reader.refused("something follows it");
  return found;
}

/** The canonical encoding of arrays, short binary, text and integers from 0: what signatures are made over. */
export function encode(value) {
  if (Array.isArray(value)) {
    const { length } = value;
    if (length > 0xffff) throw malformed("an array is longer than any that is signed");
    const head = length < 16 ? Uint8Array.of(0x90 + length) : Uint8Array.of(0xdc, length >> 8, length & 0xff);
    return joined(head, ...value.map(encode));
  }
  if (isBytes(value) && value.length < 256) return joined(Uint8Array.of(0xc4, value.length), value);
  if (typeof value === "string" && /^[\0-\x7f]{0,31}$/.test(value)) {
    return joined(Uint8Array.of(0xa0 + value.length), utf8(value));
  }
  if (isBytes(value) || typeof value === "string") throw malformed("a value is longer than any that is signed");
  if (value < 0x80) return Uint8Array.of(Number(value));
  const power = [0, 1, 2, 3].find((exponent) => BigInt(value) < 1n << BigInt(8 << exponent));
  return joined(Uint8Array.of(0xcc + power), bigEndian(value, 1 << power));
}

const KINDS = {
  b: isBytes, i: (value) => (typeof value === "number" || typeof value === "bigint") && value >= 0,
  s: (value) => typeof value === "string", l: Array.isArray, "?": () => true,
}; // prettier-ignore

/**
 * The elements of an array of a given shape, one letter each: `b` binary, `i` integer from 0, `s` text, `l` array, a
 * capital letter where it may be nil, `?` anything.
 */
export function shaped(value, shape, what) {
  if (!Array.isArray(value) || value.length !== shape.length) {
    throw malformed(`${what}: ${shape.length} elements expected`);
  }
  value.forEach((found, place) => {
    const small = shape[place].toLowerCase();
    if (!KINDS[small](found) && !(small !== shape[place] && found === null)) {
      throw malformed(`${what}: element ${place} is of another kind`);
    }
  });
  return value;
}

// --- the file --------------------------------------------------------------------------------------------------------
/** What the bytes inflate to (RFC 1951), at most 4 MiB; null where they do not. */
async function inflated(deflated) {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  writer.write(deflated).catch(() => {}); // what is wrong is told to the reader below
  writer.close().catch(() => {});
  const [reader, parts] = [stream.readable.getReader(), []];
  try {
    for (let size = 0, part; !(part = await reader.read()).done; parts.push(part.value)) {
      size += part.value.length;
      if (size > INFLATED_MAX) {
        reader.cancel().catch(() => {});
        return null;
      }
    }
  } catch {
    return null;
  }
  return joined(...parts);
}

async function unpack(file) {
  const [magic, checksum, deflated] = [file.subarray(0, 5), file.subarray(5, 13), file.subarray(13)];
  if (!same(magic, utf8("BMWC1"))) throw malformed("this is no certificate file");
  if (!same(sha256(deflated).subarray(0, CHECKSUM_BYTES), checksum)) throw malformed("the file is damaged");
  // Node.js 20 ignores what follows the end. A stream that does not need its last byte had ended before it.
  const [raw, shorter] = await Promise.all([inflated(deflated), inflated(deflated.subarray(0, -1))]);
  if (raw === null || shorter !== null) {
    throw malformed(`the file does not inflate, is cut off or continued, or holds more than ${INFLATED_MAX} bytes`);
  }
  return raw;
}

// --- headers ---------------------------------------------------------------------------------------------------------
/** What a verdict needs of a header. Throws `certificate_malformed`. */
export function headerOf(raw) {
  const fields = shaped(decode(raw, "a header"), "iiibbbbbbbbb", "a header");
  const [, height, timeMs, parentId, , , stateRoot, validatorsHash, nextValidatorsHash] = fields;
  return { height, timeMs, parentId, stateRoot, validatorsHash, nextValidatorsHash };
}

/** A validator named twice would count twice, and so decide alone: addresses ascend. */
function validatorsOf(raw) {
  const found = decode(raw, "the validator set");
  if (!Array.isArray(found) || found.length === 0) throw malformed("a validator set has validators");
  const validators = found.map((each) => {
    const [address, key, power] = shaped(each, "bbi", "a validator");
    if (power < 1) throw malformed("a validator has power");
    return { address, key, power, name: `${hex(address)}/${hex(key)}` };
  });
  const isAscending = validators.every(({ address }, n) => n === 0 || compare(validators[n - 1].address, address) < 0);
  if (!isAscending) throw malformed("the validators are not in ascending order of their addresses");
  return validators;
}

const powerOf = (validators) => sum(validators.map((each) => each.power));

/** The validators whose precommits for the block are given: more than two thirds of the power. */
async function signedBy(header, blockId, round, signatures, validators, genesisHash) {
  if (signatures.length !== validators.length) {
    throw malformed(`height ${header.height}: ${signatures.length} signatures for ${validators.length} validators`);
  }
  const vote = joined(utf8("bmw/vote\0"), genesisHash, encode(["precommit", header.height, round, blockId]));
  const isGiven = signatures.map((signature) => !isBytes(signature) || signature.length > 0);
  const signed = validators.filter((_, place) => isGiven[place]);
  const verified = await Promise.all(
    signatures.filter((_, place) => isGiven[place])
      .map((signature, n) => isBytes(signature) && isSignature(signed[n].key, vote, signature)),
  ); // prettier-ignore
  if (verified.includes(false)) {
    const by = hex(signed[verified.indexOf(false)].address);
    throw new InvalidCertificateFile("signature_wrong", `height ${header.height}: the signature of ${by} is false`);
  }
  const [power, total] = [powerOf(signed), powerOf(validators)];
  if (3n * BigInt(power) <= 2n * BigInt(total)) {
    throw new InvalidCertificateFile(
      "quorum_missing", `height ${header.height}: power ${power} of ${total} is not more than two thirds`,
    ); // prettier-ignore
  }
  return signed;
}

/**
 * A header at or after the trusted point: `{header, blockId, nextSet, signedPower, totalPower}`. Throws `not_followed` for
 * one that the validators trusted there have not decided.
 *
 * @param link  the header's canonical bytes, the round and the signatures of its certificate, the validators of its
 *   height and of the next one as canonical bytes (null: `named`, and those of its own height)
 * @param {{blockId: Uint8Array, timeMs: number, height: number, set: Uint8Array}} trusted  `set`: decides the next height
 * @param {Uint8Array} [named]  the set that the link may leave out
 */
export async function follow(link, trusted, genesisHash, named = trusted.set) {
  const [raw, round, signatures, ownGiven, nextGiven] = shaped(link, "bilBB", "a link");
  const [header, ownSet] = [headerOf(raw), ownGiven ?? named];
  const nextSet = nextGiven ?? ownSet;
  const blockId = tagged("bmw/header", genesisHash, raw);
  const isNamed =
    same(tagged("bmw/validators", ownSet), header.validatorsHash) &&
    same(tagged("bmw/validators", nextSet), header.nextValidatorsHash);
  const isIt = same(blockId, trusted.blockId);
  const isLater = header.height > trusted.height && header.timeMs > trusted.timeMs;
  if (!((isIt || isLater) && isNamed)) {
    throw new InvalidCertificateFile(
      "not_followed", `height ${header.height} does not follow height ${trusted.height} with the sets given`,
    ); // prettier-ignore
  }
  const validators = validatorsOf(ownSet);
  const signed = await signedBy(header, blockId, round, signatures, validators, genesisHash);
  let isFollowed;
  if (header.height === sum([trusted.height, 1])) {
    isFollowed = same(header.parentId, trusted.blockId) && same(ownSet, trusted.set);
  } else {
    const known = new Map(validatorsOf(trusted.set).map((each) => [each.name, each.power]));
    const both = sum(signed.map((each) => known.get(each.name) ?? 0));
    isFollowed = isIt || 3n * BigInt(both) > BigInt(sum([...known.values()]));
  }
  if (!isFollowed) {
    const text = `height ${header.height}: too few of the validators trusted at ${trusted.height} signed it`;
    throw new InvalidCertificateFile("not_followed", text);
  }
  return { header, blockId, nextSet, signedPower: powerOf(signed), totalPower: powerOf(validators) };
}

/**
 * The point that the last link leads to. Links lead there from the genesis block: those below the root's height are
 * passed over, and tell no more than the set that the next one may leave out.
 */
async function followAll(links, root) {
  let trusted = { blockId: root.blockId, timeMs: root.timeMs, height: root.height, set: root.validators };
  let [point, named] = [null, root.validators];
  for (const link of links) {
    const [raw, , , ownSet, nextSet] = shaped(link, "bilBB", "a link");
    if (headerOf(raw).height < root.height) {
      named = nextSet ?? ownSet ?? named;
    } else {
      point = await follow(link, trusted, root.genesisHash, named);
      const { height, timeMs } = point.header;
      trusted = { blockId: point.blockId, timeMs, height, set: point.nextSet };
      named = point.nextSet;
    }
  }
  if (point === null) {
    throw new InvalidCertificateFile("not_followed", `it is of a height below the root's, ${root.height}`);
  }
  return point;
}

/** The number of the reader's witnesses that signed the point. */
async function countWitnesses(signed, point, genesisHash, wanted) {
  const { height, stateRoot } = point.header;
  const found = new Set();
  if (signed.length > WITNESSES_MAX) throw malformed(`at most ${WITNESSES_MAX} witnesses sign a certificate`);
  for (const entry of signed) {
    const [key, mode, timeMs, signature] = shaped(entry, "bsib", "a witness");
    const view = encode([mode, height, point.blockId, stateRoot, timeMs]);
    const message = joined(utf8("bmw/witness\0"), genesisHash, view);
    if (found.has(hex(key)) || !(await isSignature(key, message, signature))) {
      throw new InvalidCertificateFile("signature_wrong", `the witness ${hex(key)} did not sign this`);
    }
    found.add(hex(key));
  }
  return new Set(wanted.map(hex).filter((key) => found.has(key))).size;
}

// --- state -----------------------------------------------------------------------------------------------------------
const bucketOf = (slot, depth) => new DataView(slot.buffer, slot.byteOffset).getUint32(0) >>> (32 - depth);

/** The entries of a bucket, each 64 bytes; null unless they are ascending, and of the bucket of this number. */
function entriesOf(entries, number, depth) {
  if (entries.length % 64 !== 0) return null;
  const each = Array.from({ length: entries.length / 64 }, (_, at) => entries.subarray(64 * at, 64 * at + 64));
  const isSound = each.every((entry, at) => {
    const isAscending = at === 0 || compare(each[at - 1].subarray(0, 32), entry.subarray(0, 32)) < 0;
    return isAscending && bucketOf(entry, depth) === number;
  });
  return isSound ? each : null;
}

/** The root above a bucket. Two empty nodes make an empty one. */
function rootAbove(node, number, siblings) {
  for (const sibling of siblings) {
    const pair = number & 1 ? [sibling, node] : [node, sibling];
    node = pair.every((half) => same(half, ZERO32)) ? ZERO32 : sha256(...pair);
    number >>>= 1;
  }
  return node;
}

/** Throws `proof_wrong` unless the proof shows under the state root that the key has the value, or is absent (null). */
export function checkItem(key, value, proof, root, depth) {
  const [entries, siblings, large] = shaped(proof, "blL", "a proof");
  const slot = tagged("bmw/slot", utf8(key));
  const number = bucketOf(slot, depth);
  const each = entriesOf(entries, number, depth);
  const isSound = each !== null && siblings.length === depth && siblings.every(isHash);
  const node = isSound ? bucketHash(entries, each, slot, large) : null;
  const shown = each?.find((entry) => same(entry.subarray(0, 32), slot))?.subarray(32) ?? EMPTY;
  if (node === null || !same(shown, value === null ? EMPTY : sha256(value))) {
    throw new InvalidCertificateFile("proof_wrong", `the proof of ${key} does not show what is given`);
  }
  if (!same(rootAbove(node, number, siblings), root)) {
    throw new InvalidCertificateFile("proof_wrong", `the proof of ${key} does not lead to the state root`);
  }
}

/** The hash of a bucket; of one with more than 256 entries only where those given decide about the slot. */
function bucketHash(entries, each, slot, large) {
  if (large === null) return each.length > 256 ? null : each.length ? sha256(Uint8Array.of(0), entries) : ZERO32;
  const [count, index, paths] = shaped(large, "iil", "a large bucket");
  const isFit = count > 256 && count < 2 ** 32 && [1, 2].includes(each.length) && paths.length === each.length;
  if (!isFit || index > count - each.length) return null;
  const roots = each.map((entry, n) => rootOfPath(entry, index + n, count, paths[n]));
  if (roots.includes(null) || !same(roots[0], roots.at(-1))) return null;
  const [first, last] = [each[0], each.at(-1)].map((entry) => compare(slot, entry.subarray(0, 32)));
  const isOutside = (index === 0 && first < 0) || (index + each.length === count && last > 0);
  const isDecided = first === 0 || last === 0 || isOutside || (first > 0 && last < 0);
  return isDecided ? sha256(Uint8Array.of(2), bigEndian(count, 4), roots[0]) : null;
}

/** The Merkle root of RFC 9162 that a path leads to, or null. */
function rootOfPath(entry, index, count, path) {
  let [node, first, last] = [sha256(Uint8Array.of(0), entry), index, count - 1];
  for (const sibling of Array.isArray(path) ? path : [null]) {
    if (last === 0 || !isHash(sibling)) return null;
    if (first & 1 || first === last) {
      node = sha256(Uint8Array.of(1), sibling, node);
      while (!(first & 1) && first) [first, last] = [first >>> 1, last >>> 1];
    } else {
      node = sha256(Uint8Array.of(1), node, sibling);
    }
    [first, last] = [first >>> 1, last >>> 1];
  }
  return last === 0 ? node : null;
}

/** The proven values by state key; null for a key that is absent. */
function itemsOf(items, stateRoot, depth) {
  const state = new Map();
  let before = null;
  for (const item of items) {
    const [key, value, proof] = shaped(item, "sBl", "an item");
    if (before !== null && compare(utf8(key), utf8(before)) <= 0) {
      throw malformed("the items are not in ascending order of their keys");
    }
    checkItem(key, value, proof, stateRoot, depth);
    state.set(key, value);
    before = key;
  }
  return state;
}

// --- what it is about ------------------------------------------------------------------------------------------------
const [RECORD_COUNT, HISTORY_HEAD] = [30, 32];
/** Places of the fields of `vehicle/<vin>` that a verdict is made of, their kinds, and the number of all elements. */
const VEHICLE = {
  model: 2, existence: 11, origin: 12, grade: 13, holder: 17, flags: 20, brands: 21, recalls: 22, alerts: 24, loss: 26,
  verdict: 29, record_count: RECORD_COUNT, history_head: HISTORY_HEAD, accident_count: 34, transfer_count: 35,
}; // prettier-ignore
const VEHICLE_SHAPE = "ssssbllllLsibii";
const VEHICLE_ELEMENTS = 39;
/** The same of `order/<id>`. */
const ORDER_PLACES = { vin: 3, seller: 5, buyer: 8, status: 17, cause: 18, payments: 29 };
const ORDER_SHAPE = "sbbssl";
const ORDER_ELEMENTS = 53;

function versioned(raw, key, elements) {
  const found = decode(raw, key);
  if (!Array.isArray(found) || found.length !== elements || found[0] !== 1) {
    throw malformed(`${key} is of a version that this verifier does not know`);
  }
  return found;
}

function fieldsOf(raw, key, places, shape, elements) {
  const value = versioned(raw, key, elements);
  const names = Object.keys(places);
  const chosen = names.map((name) => value[places[name]]);
  const values = shaped(chosen, shape, key);
  return Object.fromEntries(names.map((name, place) => [name, values[place]]));
}

const carOf = (raw, key) => fieldsOf(raw, key, VEHICLE, VEHICLE_SHAPE, VEHICLE_ELEMENTS);

/** The number of a car's records, and the `history_head` that they give. Throws `certificate_malformed`. */
export function recordsOf(raw, key) {
  const car = versioned(raw, key, VEHICLE_ELEMENTS);
  return shaped([car[RECORD_COUNT], car[HISTORY_HEAD]], "ib", key);
}

function given(state, key) {
  const raw = state.get(key) ?? null;
  if (raw === null) throw new InvalidCertificateFile("history_incomplete", `${key} is not given, or is absent`);
  return raw;
}

/** The authors that were revoked for fraud; their records from `sinceMs` on are marked. */
function marksOf(state) {
  if (!state.has("frauds/all")) {
    throw new InvalidCertificateFile("history_incomplete", "the list of authors revoked for fraud is not given");
  }
  const raw = state.get("frauds/all");
  const [, entries] = raw === null ? [1, []] : shaped(versioned(raw, "frauds/all", 2), "il", "frauds/all");
  return entries.map((entry) => {
    const [author, , sinceMs] = shaped(entry, "bsi", "a revoked author");
    return { author: hex(author), sinceMs };
  });
}

/** The digest of a record, and what of it is given. */
function recordOf(record, sequence, marks) {
  const what = `record ${sequence}`;
  const form = Array.isArray(record) ? record[0] : null;
  if (form === 0) return [shaped(record, "ib", what)[1], { sequence, form: "hidden" }];
  if (form !== 1 && form !== 2) throw malformed(`${what}: it is given in no known form`);
  const [, faceBytes, rest] = shaped(record, "ibb", what);
  const face = shaped(decode(faceBytes, what), "iibiibssi", what);
  const [version, number, txid, height, timeMs, authorBytes, authorName, kind, eventAtMs] = face;
  if (version !== 1 || number !== sequence) {
    throw new InvalidCertificateFile("history_incomplete", `${what} is missing, or another is given in its place`);
  }
  const [author, newest] = [hex(authorBytes), eventAtMs > timeMs ? eventAtMs : timeMs];
  const entry = {
    sequence, form: FORMS[form], kind, txid: hex(txid), height, time_ms: timeMs, event_at_ms: eventAtMs,
    author, author_name: authorName,
    is_marked: marks.some((mark) => mark.author === author && newest >= mark.sinceMs),
  }; // prettier-ignore
  if (form === 1) return [tagged("bmw/record-body", faceBytes, rest), entry];
  const [contentVersion, salt, body, outcome] = shaped(decode(rest, what), "ibbl", what);
  if (contentVersion !== 1 || salt.length !== 16) {
    throw malformed(`${what}: its content is of a version that this verifier does not know`);
  }
  const digest = tagged("bmw/record-body", faceBytes, tagged("bmw/record-content", rest));
  return [digest, { ...entry, body: hex(body), outcome }];
}

/** What the records with these digests, from the first on, make of the field `history_head` of their car. */
export const historyHead = (digests) =>
  digests.reduce((head, digest, sequence) => tagged("bmw/record", head, bigEndian(sequence, 8), digest), ZERO32);

/** The state of a brand or a total loss at a time. */
function stateOf(state, sinceMs, disputedUntilMs, nowMs) {
  if (state !== "pending") return state;
  if (!disputedUntilMs) return nowMs >= sum([sinceMs, BRAND_CONFIRMED_MS]) ? "confirmed" : "pending";
  const latest = sum([sinceMs, BRAND_UNDECIDED_MS]);
  return nowMs >= (disputedUntilMs < latest ? disputedUntilMs : latest) ? "undecided" : "pending";
}

const distinct = (texts) => [...new Set(texts)].sort();

/** What somebody who buys the car should know first, as it counts at a time. */
function summaryOf(car, nowMs) {
  const flags = car.flags.map((flag) => shaped(flag, "sbsbii?i", "a flag"));
  const brands = car.brands.map((brand) => shaped(brand, "ssiiil", "a brand"));
  const alerts = car.alerts.map((alert) => shaped(alert, "ssiiiibi", "an alert"));
  const recalls = car.recalls.map((recall) => shaped(recall, "bssi", "a recall"));
  const loss = car.loss === null ? null : shaped(car.loss, "ssiiibl?", "a loss");
  const isLost = loss !== null && stateOf(loss[1], loss[2], loss[4], nowMs) === "confirmed";
  return {
    model: car.model, holder: hex(car.holder), origin: car.origin, grade: car.grade,
    existence: isLost && !["scrapped", "voided"].includes(car.existence) ? "total_loss" : car.existence,
    verdict: car.verdict,
    flags: distinct(flags.filter((flag) => flag[5] === 0 || nowMs < flag[5]).map((flag) => flag[0])),
    brands: brands.map((brand) => [brand[0], stateOf(brand[1], brand[2], brand[4], nowMs)]),
    alerts: distinct(alerts.filter((alert) => alert[1] !== "closed").map((alert) => alert[0])),
    recalls: recalls.map((recall) => `${recall[1]} ${recall[2]}`),
    accidents: car.accident_count, transfers: car.transfer_count,
  }; // prettier-ignore
}

/** The VIN, 17 capital letters without I, O and Q, and digits. */
function vinOf(text) {
  if (!/^[A-HJ-NPR-Z0-9]{17}$/.test(text)) throw malformed(`${JSON.stringify(text)} is no VIN`);
  return text;
}

function historyOf(state, history, nowMs) {
  const [vin, records] = shaped(history, "sl", "the history");
  const [key, marks] = [`vehicle/${vinOf(vin)}`, marksOf(state)];
  const car = carOf(given(state, key), key);
  const both = records.map((record, sequence) => recordOf(record, sequence, marks));
  const shown = both.map(([, entry]) => entry);
  if (shown.length !== car.record_count) {
    const text = `${shown.length} records are given, the car has ${car.record_count}`;
    throw new InvalidCertificateFile("history_incomplete", text);
  }
  if (!same(historyHead(both.map(([digest]) => digest)), car.history_head)) {
    throw new InvalidCertificateFile("history_changed", "the records are not those of the car's proven state");
  }
  const counts = Object.fromEntries(FORMS.map((form) => [form, shown.filter((entry) => entry.form === form).length]));
  const withheld = counts.redacted + counts.hidden;
  const sentence =
    `The history of ${vin} is complete for what was submitted to this chain: ${shown.length} records` +
    (withheld ? `, ${withheld} of them not shown in full.` : ".");
  return { vin, vehicle: summaryOf(car, nowMs), records: shown, counts, sentence };
}

function absenceOf(state, history) {
  const [[key, value] = ["", undefined]] = state;
  if (state.size !== 1 || value !== null || !key.startsWith("vehicle/") || history !== null) {
    throw malformed("a certificate of absence proves one VIN, and nothing of it");
  }
  const vin = vinOf(key.slice("vehicle/".length));
  return { vin, sentence: `No car with the VIN ${vin} was born on this chain.` };
}

function orderOf(state, history) {
  const keys = [...state.keys()].filter((key) => key.startsWith("order/"));
  if (keys.length !== 1 || history !== null) throw malformed("a certificate of an order proves one order");
  const order = fieldsOf(given(state, keys[0]), keys[0], ORDER_PLACES, ORDER_SHAPE, ORDER_ELEMENTS);
  if (!order.payments.every(isBytes)) throw malformed(`${keys[0]}: a payment is named by bytes`);
  const payments = order.payments.map(hex);
  const lacking = payments.find((payment) => !state.get(`payment/${payment}`));
  if (lacking !== undefined) {
    throw new InvalidCertificateFile("history_incomplete", `the payment ${lacking} is not given`);
  }
  const ident = keys[0].slice("order/".length);
  return {
    order: ident, vin: order.vin, seller: hex(order.seller), buyer: hex(order.buyer), order_status: order.status,
    cause: order.cause, payments,
    sentence: `The order ${ident} is ${order.status}, with ${payments.length} payments.`,
  }; // prettier-ignore
}

const SUBJECTS = new Map([["history", historyOf], ["absence", absenceOf], ["order", orderOf]]); // prettier-ignore

// --- the certificate -------------------------------------------------------------------------------------------------
/**
 * The verdict about a certificate file, as plain values: `sentence` and `status` (`good`, or `old` above 60 days) for
 * people, what was proven, and how it is trusted.
 *
 * Throws `InvalidCertificateFile` with one of the codes `certificate_malformed`, `wrong_chain`, `root_too_old`,
 * `not_followed`, `quorum_missing`, `signature_wrong`, `proof_wrong`, `history_incomplete`, `history_changed`,
 * `witness_missing`, `too_old_for_purpose`. Needs a secure context, as WebCrypto does.
 *
 * @param {Uint8Array} bytes  the file
 * @param {Root} root
 * @param {number} nowMs  milliseconds since 1970
 * @param {Options} [options]  `witnesses`: keys of the reader's own list, of which `witnessesNeeded` must have signed;
 *   `ageMaxMs`: 0, or the age above which the certificate serves no purpose
 */
export async function verify(bytes, root, nowMs, options = {}) {
  const raw = await unpack(bytes);
  const elements = shaped(decode(raw, "the certificate"), "sisblllLlL", "the certificate");
  const [name, version, kind, genesis, links, last, items, history, signed, note] = elements;
  if (name !== "bmw-certificate" || version !== 1 || !SUBJECTS.has(kind) || links.length > LINKS_MAX) {
    throw malformed("it is of another version, or of a kind that is not known");
  }
  if (!same(genesis, root.genesisHash)) {
    throw new InvalidCertificateFile("wrong_chain", `it is of the chain ${hex(genesis)}`);
  }
  checkRootAge(root, nowMs, options);
  const point = await followAll([...links, last], root);
  const { height, timeMs, stateRoot } = point.header;
  const state = itemsOf(items, stateRoot, root.treeDepth);
  const subject = SUBJECTS.get(kind)(state, history, timeMs);
  const known = await countWitnesses(signed, point, genesis, options.witnesses ?? []);
  if (note !== null) await checkNote(note, genesis, raw);
  if (known < (options.witnessesNeeded ?? 0)) {
    throw new InvalidCertificateFile("witness_missing", `${known} of the reader's witnesses signed it`);
  }
  const age = checkedAge(timeMs, nowMs, options);
  const sentence = `${subject.sentence} This was so at height ${height}, ${age.age_days} days ago.`;
  return {
    ...subject, ...age, kind, sentence, height, time_ms: timeMs, block_id: hex(point.blockId),
    trust: trustIn(point, root, nowMs, links.length, known),
  }; // prettier-ignore
}

/**
 * The digests of the records in a certificate of a history, in hex. Nothing is verified here: `verify` has accepted the
 * same bytes before.
 */
export async function digestsOf(bytes) {
  const [, records] = decode(await unpack(bytes), "the certificate")[7];
  return records.map((record, sequence) => hex(recordOf(record, sequence, [])[0]));
}

/** The note is the last element of the certificate, and signs all bytes before it. */
async function checkNote(note, genesis, raw) {
  const [key, issuedMs, signature] = shaped(note, "bib", "the note");
  const reader = new Reader(raw, "the certificate");
  reader.take(1);
  for (let place = 0; place < 9; place++) reader.value();
  const message = tagged("bmw/certificate-note", genesis, bigEndian(issuedMs, 8), raw.subarray(0, reader.at));
  if (!(await isSignature(key, message, signature))) {
    throw new InvalidCertificateFile("signature_wrong", "the note's signature is false");
  }
}

function trustIn(point, root, nowMs, links, witnesses) {
  return {
    root_height: root.height, root_age_days: days(nowMs - root.timeMs), links, signed_power: point.signedPower,
    total_power: point.totalPower, witnesses,
  }; // prettier-ignore
}

/** Throws `root_too_old`. */
export function checkRootAge(root, nowMs, options) {
  if (nowMs - root.timeMs > ROOT_AGE_MAX_MS && !options.acceptOldRoot) {
    throw new InvalidCertificateFile("root_too_old", `the root is ${days(nowMs - root.timeMs)} days old`);
  }
}

/** How old what was so at `timeMs` is: `status` is `old` above 60 days. */
export function ageAt(timeMs, nowMs) {
  const ageMs = Math.max(0, nowMs - timeMs);
  return { status: ageMs > OLD_MS ? "old" : "good", age_days: days(ageMs) };
}

function checkedAge(timeMs, nowMs, { ageMaxMs = 0 }) {
  if (timeMs > nowMs + AHEAD_MAX_MS) {
    throw new InvalidCertificateFile("not_followed", "its time is ahead of this clock");
  }
  const age = ageAt(timeMs, nowMs);
  if (ageMaxMs && nowMs - timeMs > ageMaxMs) {
    throw new InvalidCertificateFile("too_old_for_purpose", `it is ${age.age_days} days old`);
  }
  return age;
}

// --- the compact form, for codes on paper ----------------------------------------------------------------------------
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/** The bytes of the codes' texts (RFC 9285), in any order. Throws `certificate_malformed`. */
export function fromTexts(texts) {
  const parts = new Map();
  const wanted = new Set();
  for (const text of texts) {
    const found = /^BMW1(?:\/([1-4])\/([2-4]))?:/.exec(text);
    if (found === null) throw malformed("this is no code of a certificate");
    wanted.add(Number(found[2] ?? 1));
    parts.set(Number(found[1] ?? 1), text.slice(found[0].length));
  }
  const [count = 1] = wanted;
  const numbers = [...parts.keys()].sort();
  if (wanted.size > 1 || numbers.length !== count || numbers.at(-1) !== count) {
    throw malformed(`${parts.size} of ${count} codes are given`);
  }
  return fromBase45(numbers.map((number) => parts.get(number)).join(""));
}

function fromBase45(text) {
  const found = [];
  for (let at = 0; at < text.length; at += 3) {
    const digits = Array.from(text.slice(at, at + 3), (letter) => ALPHABET.indexOf(letter));
    const value = digits.reduceRight((higher, digit) => 45 * higher + digit, 0);
    const size = digits.length - 1;
    if (digits.includes(-1) || size < 1 || value >= 1 << (8 * size)) throw malformed("the code is damaged");
    found.push(...bigEndian(value, size));
  }
  return Uint8Array.from(found);
}

/**
 * The verdict about a compact certificate, as `verify` gives it: the car's state, the number of its records and the
 * head of its history, against which records from anywhere are checked.
 */
export async function verifyCompact(bytes, root, nowMs, options = {}) {
  const elements = shaped(decode(bytes, "the code"), "ibiiibibbblbsbibl", "the code");
  const [version, chain, height, round, timeMs, parentId, proposer, txRoot, lastCommit, rules] = elements;
  const [signatures, bitmap, vin, leaf, place, others, siblings] = elements.slice(10);
  if (version !== 1) throw malformed("the code is of another version");
  if (!same(chain, root.genesisHash.subarray(0, 8))) {
    throw new InvalidCertificateFile("wrong_chain", `it is of a chain that begins ${hex(chain)}`);
  }
  checkRootAge(root, nowMs, options);
  const validators = validatorsOf(root.validators);
  if (proposer >= validators.length) throw malformed("the code names a proposer that is no validator");
  const setHash = tagged("bmw/validators", root.validators);
  const key = `vehicle/${vinOf(vin)}`;
  const header = encode([
    1, height, timeMs, parentId, validators[proposer].address, txRoot,
    compactRoot(key, leaf, place, others, siblings, root.treeDepth), setHash, setHash, rules, sha256(), lastCommit,
  ]); // prettier-ignore
  const link = [header, round, byValidator(signatures, bitmap, validators.length), null, null];
  const trusted = { blockId: root.blockId, timeMs: root.timeMs, height: root.height, set: root.validators };
  const point = await follow(link, trusted, root.genesisHash);
  const age = checkedAge(timeMs, nowMs, options);
  const car = carOf(leaf, key);
  return {
    ...age, kind: "compact", vin, height, time_ms: timeMs, block_id: hex(point.blockId),
    vehicle: summaryOf(car, timeMs), record_count: car.record_count, history_head: hex(car.history_head),
    trust: trustIn(point, root, nowMs, 0, 0),
    sentence: `The state of ${vin} and the head of its ${car.record_count} records are proven; which of its authors ` +
      "were revoked for fraud only the whole certificate shows. " +
      `This was so at height ${height}, ${age.age_days} days ago.`,
  }; // prettier-ignore
}

/** The signature of each validator, empty for one that is not given. */
function byValidator(signatures, bitmap, count) {
  const isSet = (n) => n >> 3 < bitmap.length && (bitmap[n >> 3] >> (n % 8)) & 1;
  const places = Array.from({ length: count }, (_, n) => n).filter(isSet);
  const isFit = bitmap.length === Math.ceil(count / 8) && places.length === signatures.length;
  if (!isFit || bitmap.at(-1) >> (((count - 1) % 8) + 1)) {
    throw malformed("the code's signatures and its validators do not belong together");
  }
  const all = Array(count).fill(EMPTY);
  places.forEach((n, at) => (all[n] = signatures[at]));
  return all;
}

/** The state root that follows from a value, the other entries of its bucket and the siblings. */
function compactRoot(key, leaf, place, others, siblings, depth) {
  const slot = tagged("bmw/slot", utf8(key));
  const number = bucketOf(slot, depth);
  const at = 64 * Number(place);
  const entries = joined(others.subarray(0, at), slot, sha256(leaf), others.subarray(at));
  const each = at <= others.length ? entriesOf(entries, number, depth) : null;
  if (each === null || each.length > 256 || siblings.length !== depth || !siblings.every(isHash)) {
    throw new InvalidCertificateFile("proof_wrong", "the code's proof is not one of this chain's tree");
  }
  return rootAbove(sha256(Uint8Array.of(0), entries), number, siblings);
}

// --- trust roots -----------------------------------------------------------------------------------------------------
/**
 * The root of a checkpoint document (UTF-8 JSON). Throws `certificate_malformed` for one that cannot be read, has a
 * false signature, or is signed by fewer than `needed` of the keys `signers`.
 *
 * @returns {Promise<Root>}
 */
export async function rootOfCheckpoint(bytes, signers = [], needed = 0) {
  const document = bytes.length <= CHECKPOINT_BYTES_MAX ? parsed(bytes) : null;
  if (document === null || typeof document !== "object" || document.format !== "bmw-checkpoint/1") {
    throw malformed("this is no checkpoint");
  }
  const names = ["genesis_hash", "block_id", "validators"];
  const [genesisHash, blockId, validators] = names.map((name) => fromHex(document[name], `the checkpoint's ${name}`));
  for (const name of ["tree_depth", "height", "time_ms"]) {
    const isFit = Number.isInteger(document[name]) && document[name] >= 0;
    if (!isFit) throw malformed(`the checkpoint's ${name} is no number`);
  }
  const { tree_depth: treeDepth, height, time_ms: timeMs } = document;
  if (!isHash(genesisHash) || !isHash(blockId) || treeDepth < 1 || treeDepth > 28) {
    throw malformed("the checkpoint has a hash or a depth that no chain has");
  }
  validatorsOf(validators);
  const fields = encode([treeDepth, height, blockId, timeMs]);
  const message = tagged("bmw/checkpoint", genesisHash, fields, tagged("bmw/validators", validators));
  const found = new Set();
  for (const entry of signaturesOf(document)) {
    const [key, signature] = ["key", "signature"].map((name) => fromHex(entry?.[name], `the checkpoint's ${name}`));
    if (!(await isSignature(key, message, signature))) {
      throw malformed(`the checkpoint's signature by ${hex(key)} is false`);
    }
    found.add(hex(key));
  }
  const known = new Set(signers.map(hex).filter((key) => found.has(key))).size;
  if (known < needed) {
    throw malformed(`${known} of the keys that the reader names signed the checkpoint, not ${needed}`);
  }
  return { genesisHash, treeDepth, height, blockId, timeMs, validators };
}

/** The value of a JSON text, with null for every number that is not a plain integer up to 2^53; null for no JSON. */
function parsed(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    JSON.parse(text);
    const isPlain = (token) => /^-?\d+$/.test(token) && BigInt(token) <= 2n ** 53n;
    const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
    return JSON.parse(text.replace(tokens, (token) => (token[0] === '"' || isPlain(token) ? token : "null")));
  } catch {
    return null;
  }
}

function signaturesOf(document) {
  const found = document.signatures;
  if (Array.isArray(found)) return found;
  const isNothing = !found || (typeof found === "object" && Object.keys(found).length === 0);
  if (!isNothing) throw malformed("the checkpoint's signatures are a list");
  return [];
}

/** The bytes of lower-case hex. Throws `certificate_malformed`. `name`: what it is, for the error. */
export function fromHex(value, name) {
  if (typeof value !== "string" || !/^(?:[0-9a-f]{2})*$/.test(value)) throw malformed(`${name} is not in lower-case hex`);
  return Uint8Array.from(value.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
