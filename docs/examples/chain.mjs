// What a program needs to write to the chain, with Node.js alone (18 or newer). It encodes transactions itself, by
// schema.json, so that no node chooses what it signs.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
export const tagged = (tag, data) => sha256(Buffer.from(tag + "\0"), data);
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// --- keys and addresses ---------------------------------------------------------------------------------
/** The key pair and the address of a 32-byte seed. */
export function keyOf(seed) {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32);
  const address = tagged("bmw/address", publicKey).subarray(0, 20);
  return { privateKey, publicKey, address, text: bech32m(address) };
}

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** The text form of an address, bmw1... (BIP 350). */
export function bech32m(bytes) {
  const number = BigInt("0x" + bytes.toString("hex"));
  const data = Array.from({ length: 32 }, (_, i) => Number((number >> BigInt(5 * (31 - i))) & 31n));
  const prefix = [..."bmw"].map((c) => c.charCodeAt(0));
  const values = [...prefix.map((c) => c >> 5), 0, ...prefix.map((c) => c & 31), ...data, 0, 0, 0, 0, 0, 0];
  const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    generator.forEach((g, bit) => ((top >> bit) & 1 ? (check ^= g) : 0));
  }
  check ^= 0x2bc830a3;
  const checksum = [5, 4, 3, 2, 1, 0].map((i) => (check >>> (5 * i)) & 31);
  return "bmw1" + [...data, ...checksum].map((d) => ALPHABET[d]).join("");
}

/** The 20 bytes of an address. */
export function addressOf(text) {
  const number = [...text.slice(4, 36)].reduce((n, c) => (n << 5n) | BigInt(Math.max(0, ALPHABET.indexOf(c))), 0n);
  const bytes = Buffer.from(number.toString(16).padStart(40, "0"), "hex");
  if (bech32m(bytes) !== text) throw new Error(`${text}: not an address`);
  return bytes;
}

// --- MessagePack in its shortest form: the only one that is valid on the chain -----------------------------
function uint(value, size) {
  return Buffer.from(value.toString(16).padStart(2 * size, "0"), "hex");
}

/** `code` + i and a number of 2^i bytes: the shortest of the sizes from 2^least to 2^most that has room for it. */
function sized(code, value, least, most) {
  for (let i = least; i <= most; i++)
    if (value >> BigInt(8 << i) === 0n) return Buffer.concat([Buffer.of(code + i - least), uint(value, 1 << i)]);
  throw new Error(`${value} is too large`);
}

function packInteger(value) {
  if (value >= 0n) return value < 128n ? Buffer.of(Number(value)) : sized(0xcc, value, 0, 3);
  if (value >= -32n) return Buffer.of(256 + Number(value));
  const i = [0, 1, 2, 3].find((i) => value >= -(1n << BigInt((8 << i) - 1)));
  if (i === undefined) throw new Error(`${value} is too small`);
  return Buffer.concat([Buffer.of(0xd0 + i), uint(BigInt.asUintN(8 << i, value), 1 << i)]);
}

/** Encodes null, booleans, integers, strings, Buffers and arrays. */
export function pack(value) {
  if (value === null) return Buffer.of(0xc0);
  if (typeof value === "boolean") return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return packInteger(BigInt(value));
  if (typeof value === "string") {
    const text = Buffer.from(value);
    const head = text.length < 32 ? Buffer.of(0xa0 + text.length) : sized(0xd9, BigInt(text.length), 0, 2);
    return Buffer.concat([head, text]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([sized(0xc4, BigInt(value.length), 0, 2), value]);
  if (!Array.isArray(value)) throw new Error(`${value} has no encoding`);
  const head = value.length < 16 ? Buffer.of(0x90 + value.length) : sized(0xdc, BigInt(value.length), 1, 2);
  return Buffer.concat([head, ...value.map(pack)]);
}

// --- from JSON to what is encoded, by the schema -----------------------------------------------------------
const SCHEMA = JSON.parse(readFileSync(new URL("../schema.json", import.meta.url)));

/** A struct's JSON as the array that is encoded. */
function arrayOf(struct, json, path) {
  const known = struct.fields.map((field) => field.name);
  const unknown = Object.keys(json).find((name) => !known.includes(name) && !(struct.tag && name === "type"));
  if (unknown) throw new Error(`${path}.${unknown}: unknown field; known are ${known.join(", ")}`);
  const values = struct.fields.map((field) => {
    const given = json[field.name];
    if (given === undefined && field.required) throw new Error(`${path}.${field.name}: missing`);
    const absent = field.default ?? (field.kind === "list" ? [] : null);
    return valueOf(field, given === undefined ? absent : given, `${path}.${field.name}`);
  });
  return struct.tag ? [struct.tag, ...values] : values;
}

function valueOf(field, json, path) {
  switch (field.kind) {
    case "address": return addressOf(json);
    case "bytes":
      if (typeof json !== "string" || !/^([0-9a-f]{2})*$/.test(json)) throw new Error(`${path}: lower-case hex expected`);
      return Buffer.from(json, "hex");
    case "time":
      if (field.optional && !json) return 0;
      if (!/T.*(Z|[+-]\d\d:\d\d)$/.test(json)) throw new Error(`${path}: an RFC 3339 time expected`);
      return Date.parse(json);
    case "money":
      if (!/^[0-9]{1,16}$/.test(json.amount)) throw new Error(`${path}.amount: digits of minor units expected`);
      return [BigInt(json.amount), json.currency];
    case "list": return json.map((entry, i) => valueOf(field.item, entry, `${path}[${i}]`));
    case "option": return json === null ? null : valueOf(field.item, json, path);
    case "struct": return arrayOf(SCHEMA.structs[field.struct], json, path);
    case "union":
      if (!field.structs.includes(json.type)) throw new Error(`${path}.type: ${field.structs.join(" or ")} expected`);
      return arrayOf(SCHEMA.types[json.type] ?? SCHEMA.structs[json.type], json, path);
    default: { // boolean, integer, text, code, code_of, choice
      const types = { boolean: ["boolean"], integer: ["number", "bigint"] }[field.kind] ?? ["string"];
      if (!types.includes(typeof json)) throw new Error(`${path}: a ${types[0]} expected`);
      return json;
    }
  }
}

/** The payload: {sender, salt, expires_at, body} in the JSON form of the interface, as bytes. */
export const encodePayload = (request) => pack(arrayOf(SCHEMA.structs.Payload, request, "payload"));

// --- making a transaction ---------------------------------------------------------------------------------
/** The signed bytes: [payload, [[address, public key, signature], ...]], ascending by address and public key. */
export function envelope(payload, signatures) {
  const order = (s) => s.address.toString("hex") + s.publicKey.toString("hex");
  const sorted = [...signatures].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return pack([payload, sorted.map((s) => [s.address, s.publicKey, s.signature])]);
}

/** The signature of `key` for its own account over a payload, for the chain with this genesis hash. */
export function signature(key, genesisHash, payload) {
  const message = Buffer.concat([Buffer.from("bmw/tx\0"), genesisHash, payload]);
  return { address: key.address, publicKey: key.publicKey, signature: sign(null, message, key.privateKey) };
}

export const txidOf = (genesisHash, payload) => tagged("bmw/tx", Buffer.concat([genesisHash, payload])).toString("hex");

/** Encodes and signs a transaction, without any node. It is valid for `lifetimeMs` by this computer's clock. */
export function compose(genesisHash, key, body, lifetimeMs = 30 * 60_000) {
  const expiresAtMs = Date.now() + lifetimeMs;
  const salt = randomBytes(8).readBigUInt64BE();
  const payload = encodePayload({ sender: key.text, salt, expires_at: new Date(expiresAtMs).toISOString(), body });
  const bytes = envelope(payload, [signature(key, genesisHash, payload)]);
  return { txid: txidOf(genesisHash, payload), expiresAtMs, bytes };
}

// --- talking to nodes ---------------------------------------------------------------------------------------
/** One request. `body` is JSON, or raw bytes. */
export async function call(node, path, body) {
  const isRaw = Buffer.isBuffer(body);
  const init = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": isRaw ? "application/msgpack" : "application/json" },
    body: isRaw ? body : JSON.stringify(body),
  };
  const answer = await fetch(node + path, { ...init, signal: AbortSignal.timeout(20_000) });
  const retryAfter = Number(answer.headers.get("Retry-After") ?? 1);
  return { status: answer.status, json: await answer.json(), retryAfter };
}

const NEVER_VALID = [400, 401, 413]; // malformed, a wrong signature, too large: no node can commit these bytes

/**
 * Submits the same bytes until they are committed, as a node says, or never can be. `nodes` are tried in turn; `report`
 * gets every other answer. Returns the committed answer. Otherwise throws an error with `refused` (the answer): sign anew
 * only then.
 */
export async function deliver(nodes, transaction, report = () => {}) {
  for (let attempt = 0; ; attempt++) {
    let answer;
    try {
      const path = "/v1/transactions?wait=commit&timeout_ms=10000";
      answer = await call(nodes[attempt % nodes.length], path, transaction.bytes);
    } catch {
      await sleep(1000); // no answer: it may have arrived, so send the same bytes to the next node
      continue;
    }
    const { status, final } = answer.json.transaction ?? answer.json; // a problem document is about a transaction
    if (answer.status === 200 && status === "committed") return answer.json;
    // Until it expires any node may still commit it, also if this one rejects it or claims that it is over.
    const isOver = Date.now() > transaction.expiresAtMs && (final === true || status === "expired");
    if (isOver || (!answer.json.transaction?.status && NEVER_VALID.includes(answer.status)))
      throw Object.assign(new Error(answer.json.detail ?? status), { refused: answer.json });
    report(answer.json);
    await sleep(Math.min(30, Math.max(1, answer.retryAfter || 1)) * 1000);
  }
}
