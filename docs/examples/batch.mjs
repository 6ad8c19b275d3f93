// node batch.mjs http://127.0.0.1:26700 COUNT VIN: odometer readings, signed one by one and submitted in one request.
import { createHash } from "node:crypto";
import { call, compose, keyOf } from "./chain.mjs";

const [node, count, vin] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
const { genesis_hash } = (await call(node, "/v1/status")).json;
const key = keyOf(createHash("sha256").update("bmw-dev/account/workshop-berlin").digest());
const made = [];
for (let i = 0; i < count; i++) {
  const odometer = { value: 20000 + i, unit: "km", source: "cluster" };
  const body = { type: "odometer.read", vin, odometer, event_at: new Date(Date.now() - 1000).toISOString(), context: "reading" };
  made.push(await compose(node, Buffer.from(genesis_hash, "hex"), key, body));
}
const answer = await call(node, "/v1/transactions/batch", { transactions: made.map((t) => t.bytes.toString("hex")) });
for (const result of answer.json.results)
  console.log(result.txid.slice(0, 16), result.status, result.problem ? result.problem.code : "");
