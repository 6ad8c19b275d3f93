// node send.mjs http://127.0.0.1:26700[,URL...] < body.json: checks, signs and submits a transaction of any type.
import { createHash } from "node:crypto";
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { call, compose, deliver, keyOf } from "./chain.mjs";

// Configured, not asked of a node: the genesis hash of the chain that this program writes to.
export const GENESIS_HASH = Buffer.from(process.env.GENESIS_HASH ?? "", "hex");
if (GENESIS_HASH.length !== 32) throw new Error("set GENESIS_HASH to the genesis hash of your chain: 64 hex digits");
// By default a development key, which anybody can compute. Use 32 random bytes from a file that only you can read.
export const KEY = keyOf(process.env.SEED_FILE
  ? readFileSync(process.env.SEED_FILE)
  : createHash("sha256").update("bmw-dev/account/" + (process.env.ACCOUNT ?? "workshop-berlin")).digest());

/** Prints what happens to a transaction. It stops before it signs if the transaction would not be valid now. */
export async function send(nodes, body) {
  const show = (unmet) => unmet.forEach((guard) => console.log("         ", guard.code, "-", guard.text));
  const expires_at = new Date(Date.now() + 30 * 60_000).toISOString();
  const checked = await call(nodes[0], "/v1/transactions/check", { sender: KEY.text, expires_at, body });
  const unmet = (checked.json.unmet ?? []).filter((guard) => guard.code !== "signature_missing");
  if (checked.status !== 200 || unmet.length) {
    console.log("not signed:", checked.json.detail ?? "not valid now");
    show(unmet);
    return 1;
  }
  const transaction = compose(GENESIS_HASH, KEY, body);
  // Stored before it is sent: after a crash, send these bytes again.
  writeFileSync(`outbox-${transaction.txid}.msgpack`, transaction.bytes, { mode: 0o600 });
  console.log("txid     ", transaction.txid);
  try {
    const done = await deliver(nodes, transaction, (answer) => {
      console.log(answer.code ?? answer.status, "- sent again until", new Date(transaction.expiresAtMs).toISOString());
      show(answer.unmet ?? []);
    });
    console.log("committed", "height", done.height, "index", done.index);
    return 0;
  } catch (error) {
    if (!error.refused) throw error;
    console.log("refused  ", error.message);
    show(error.refused.unmet ?? []);
    return 1;
  }
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href)
  process.exitCode = await send(process.argv[2].split(","), JSON.parse(readFileSync(0)));
