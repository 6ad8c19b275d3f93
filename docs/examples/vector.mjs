// node vector.mjs: checks chain.mjs against the vector of PROTOCOL.md, without a network.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { envelope, keyOf, signature, tagged, txidOf, unpack } from "./chain.mjs";

const vector = JSON.parse(readFileSync(new URL("vector.json", import.meta.url)));
const hex = (text) => Buffer.from(text, "hex");
const key = keyOf(createHash("sha256").update("bmw-dev/account/workshop-berlin").digest());
const payload = hex(vector.payload);
const signed = signature(key, hex(vector.genesis_hash), payload);
const bytes = envelope(payload, [signed]);

assert.equal(key.publicKey.toString("hex"), vector.public_key);
assert.equal(key.text, vector.request.sender);
assert.equal(txidOf(hex(vector.genesis_hash), payload), vector.txid);
assert.equal(signed.signature.toString("hex"), vector.signature);
assert.equal(bytes.toString("hex"), vector.signed);
assert.equal(tagged("bmw/wire", Buffer.concat([hex(vector.genesis_hash), bytes])).toString("hex"), vector.wire_id);
assert.equal(unpack(payload)[3][1], vector.request.body.vin);
console.log("the vector holds:", vector.txid);
