// What a program needs to write to the chain, with Node.js alone (18 or newer).
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";

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

/** The text form of an address, bmw1... (BIP 350). */
export function bech32m(bytes) {
  const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
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
  return "bmw1" + [...data, ...[5, 4, 3, 2, 1, 0].map((i) => (check >>> (5 * i)) & 31)].map((d) => alphabet[d]).join("");
}

// --- MessagePack, the part used here ---------------------------------------------------------------------
const bin = (bytes) =>
  bytes.length < 256
    ? Buffer.concat([Buffer.from([0xc4, bytes.length]), bytes])
    : Buffer.concat([Buffer.from([0xc5, bytes.length >> 8, bytes.length & 255]), bytes]);

/** The signed bytes: [payload, [[address, public key, signature], ...]], ascending by address and public key. */
export function envelope(payload, signatures) {
  const order = (s) => s.address.toString("hex") + s.publicKey.toString("hex");
  const sorted = [...signatures].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const entries = sorted.map((s) => Buffer.concat([Buffer.of(0x93), bin(s.address), bin(s.publicKey), bin(s.signature)]));
  return Buffer.concat([Buffer.of(0x92), bin(payload), Buffer.of(0x90 + sorted.length), ...entries]);
}

/** Decodes a payload: arrays, strings, binaries, integers, booleans, nil. */
export function unpack(buffer) {
  let at = 0;
  const take = (n) => buffer.subarray(at, (at += n));
  const uint = (n) => BigInt("0x" + take(n).toString("hex"));
  const list = (n) => Array.from({ length: n }, value);
  function value() {
    const b = take(1)[0];
    if (b < 0x80) return BigInt(b);
    if (b >= 0x90 && b < 0xa0) return list(b & 15);
    if (b >= 0xa0 && b < 0xc0) return take(b & 31).toString();
    if (b === 0xc0) return null;
    if (b === 0xc2 || b === 0xc3) return b === 0xc3;
    if (b >= 0xc4 && b <= 0xc6) return Buffer.from(take(Number(uint(1 << (b - 0xc4)))));
    if (b >= 0xcc && b <= 0xcf) return uint(1 << (b - 0xcc));
    if (b >= 0xd0 && b <= 0xd3) return BigInt.asIntN(8 << (b - 0xd0), uint(1 << (b - 0xd0)));
    if (b >= 0xd9 && b <= 0xdb) return take(Number(uint(1 << (b - 0xd9)))).toString();
    if (b === 0xdc || b === 0xdd) return list(Number(uint(2 << (b - 0xdc))));
    if (b >= 0xe0) return BigInt(b - 256);
    throw new Error(`a byte 0x${b.toString(16)} has no place in a payload`);
  }
  const decoded = value();
  if (at !== buffer.length) throw new Error("bytes follow the payload");
  return decoded;
}

// --- making a transaction ---------------------------------------------------------------------------------
/** The signature of `key` for its own account over a payload, for the chain with this genesis hash. */
export function signature(key, genesisHash, payload) {
  const message = Buffer.concat([Buffer.from("bmw/tx\0"), genesisHash, payload]);
  return { address: key.address, publicKey: key.publicKey, signature: sign(null, message, key.privateKey) };
}

export const txidOf = (genesisHash, payload) => tagged("bmw/tx", Buffer.concat([genesisHash, payload])).toString("hex");

/** Has the node encode the transaction, checks sender, type, VIN and txid, and signs. Submits nothing. */
export async function compose(node, genesisHash, key, body, request = {}) {
  const asked = { sender: key.text, body, ...request };
  const encoded = await call(node, "/v1/transactions/encode", asked);
  if (encoded.status !== 200) throw new Error(`${encoded.json.code}: ${encoded.json.detail}`);
  const payload = Buffer.from(encoded.json.payload, "hex");
  const [sender, , expiresAt, [type, ...fields]] = unpack(payload);
  if (!sender.equals(key.address) || type !== body.type || (body.vin && fields[0] !== body.vin))
    throw new Error("the node encoded something else than it was asked to");
  const txid = txidOf(genesisHash, payload);
  if (txid !== encoded.json.txid) throw new Error("the node is of another chain");
  return { txid, expiresAtMs: Number(expiresAt), bytes: envelope(payload, [signature(key, genesisHash, payload)]) };
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

/**
 * Submits the same bytes until they are committed or can no longer be. `nodes` are tried in turn.
 * Returns the committed answer; throws an error with `refused` (the problem document) after a final refusal.
 */
export async function deliver(nodes, transaction) {
  for (let attempt = 0; ; attempt++) {
    const node = nodes[attempt % nodes.length];
    try {
      const answer = await call(node, "/v1/transactions?wait=commit&timeout_ms=10000", transaction.bytes);
      if (answer.status === 200) return answer.json;
      if (answer.status === 202) continue; // in the journal of that node: ask again, with the same bytes
      if (answer.status === 429 || answer.status === 503) {
        await sleep(answer.retryAfter * 1000);
        continue;
      }
      // 4xx. Refused by the first node asked, which never accepted it: no node has it. Else it may be committed later.
      const isNowhere = attempt === 0 && !answer.json.transaction?.accepted;
      if (isNowhere || (await hasExpired(node, transaction)))
        throw Object.assign(new Error(answer.json.detail), { refused: answer.json });
      await sleep(2000);
    } catch (error) {
      if (error.refused) throw error;
      await sleep(1000); // no answer: it may have arrived, so send the same bytes to the next node
    }
  }
}

/** Whether the head's time has passed the expiry and the transaction is not committed. */
async function hasExpired(node, transaction) {
  const head = (await call(node, "/v1/status")).json.head;
  if (Date.parse(head.time) <= transaction.expiresAtMs) return false;
  return (await call(node, `/v1/transactions/${transaction.txid}`)).json.status !== "committed";
}
