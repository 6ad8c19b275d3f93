// node record.mjs http://127.0.0.1:26700[,URL...] VIN KILOMETRES: writes a maintenance record and waits for its commit.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { call, compose, deliver, keyOf } from "./chain.mjs";

const [nodes, vin, kilometres] = [process.argv[2].split(","), process.argv[3], Number(process.argv[4])];
// Configured, not asked of a node: the genesis hash of the chain that this workshop writes to.
const genesisHash = Buffer.from(process.env.GENESIS_HASH ?? "", "hex");
if (genesisHash.length !== 32) throw new Error("set GENESIS_HASH to the genesis hash of your chain: 64 hex digits");
// By default a development key, which anybody can compute. Use 32 random bytes from a file that only you can read.
const key = keyOf(process.env.SEED_FILE
  ? readFileSync(process.env.SEED_FILE)
  : createHash("sha256").update("bmw-dev/account/workshop-berlin").digest());

const status = await call(nodes[0], "/v1/status");
if (status.json.genesis_hash !== genesisHash.toString("hex")) throw new Error("another chain");

const transaction = await compose(nodes[0], genesisHash, key, {
  type: "maintenance.record",
  vin,
  services: ["ENGINE_OIL", "BRAKE_FLUID"],
  parts: [{ number: "11428507683", quantity: 1, is_original: true, serial: null }],
  odometer: { value: kilometres, unit: "km", source: "cluster" },
  event_at: new Date(Date.now() - 1000).toISOString(),
  next_due: { odometer: kilometres + 30000, at: "" },
  attachments: [],
});
// Stored before it is sent: after a crash, send these bytes again.
writeFileSync(`outbox-${transaction.txid}.msgpack`, transaction.bytes, { mode: 0o600 });
console.log("txid     ", transaction.txid);

try {
  const done = await deliver(nodes, transaction);
  const shown = await call(nodes[0], `/v1/transactions/${transaction.txid}`);
  console.log("committed", "height", done.height, "index", done.index, "records", shown.json.records ?? "(not here yet)");
} catch (error) {
  if (!error.refused) throw error;
  console.log("refused  ", error.refused.status, error.refused.code);
  for (const guard of error.refused.unmet ?? []) console.log("         ", guard.code, "-", guard.text);
  process.exitCode = 1;
}
