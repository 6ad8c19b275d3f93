// node vector.mjs [transactions.json]: checks chain.mjs against the vector of PROTOCOL.md, and against those of every
// transaction type in tests/vectors/transactions.json, without a network.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { addressOf, encodePayload, envelope, keyOf, signature, tagged, txidOf } from "./chain.mjs";

const vector = JSON.parse(readFileSync(new URL("vector.json", import.meta.url)));
const hex = (text) => Buffer.from(text, "hex");
const key = keyOf(createHash("sha256").update("bmw-dev/account/workshop-berlin").digest());
const payload = encodePayload(vector.request);
const signed = signature(key, hex(vector.genesis_hash), payload);
const bytes = envelope(payload, [signed]);

assert.equal(payload.toString("hex"), vector.payload);
assert.equal(key.publicKey.toString("hex"), vector.public_key);
assert.equal(key.text, vector.request.sender);
assert.equal(txidOf(hex(vector.genesis_hash), payload), vector.txid);
assert.equal(signed.signature.toString("hex"), vector.signature);
assert.equal(bytes.toString("hex"), vector.signed);
assert.equal(tagged("bmw/wire", Buffer.concat([hex(vector.genesis_hash), bytes])).toString("hex"), vector.wire_id);
console.log("the vector holds:", vector.txid);

if (process.argv[2]) {
  // A salt has 64 bits, more than a number of JSON.parse: it is read as a string first.
  const text = readFileSync(process.argv[2], "utf8").replace(/("salt": )(\d+)/g, '$1"$2"');
  const { genesis_hash, transactions } = JSON.parse(text);
  for (const { sender, salt, expires_at_ms, body, ...expected } of transactions) {
    const expires_at = new Date(expires_at_ms).toISOString();
    const payload = encodePayload({ sender, salt: BigInt(salt), expires_at, body });
    const signatures = expected.signatures.map((s) => ({
      address: addressOf(s.address), publicKey: hex(s.public_key), signature: hex(s.signature),
    }));
    assert.equal(payload.toString("hex"), expected.payload, expected.name);
    assert.equal(txidOf(hex(genesis_hash), payload), expected.txid, expected.name);
    assert.equal(envelope(payload, signatures).toString("hex"), expected.signed, expected.name);
  }
  const types = new Set(transactions.map((transaction) => transaction.type));
  console.log("the vectors hold:", transactions.length, "transactions of", types.size, "types");
}
