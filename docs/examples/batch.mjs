// node batch.mjs http://127.0.0.1:26700 COUNT VIN: odometer readings, signed one by one and submitted in one request.
import { call, compose } from "./chain.mjs";
import { GENESIS_HASH, KEY } from "./send.mjs";

const [node, count, vin] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
const made = Array.from({ length: count }, (_, i) => {
  const odometer = { value: 20000 + i, unit: "km", source: "cluster" };
  const event_at = new Date(Date.now() - 1000).toISOString();
  const where = { site: "BER-1", vin_source: "obd", model_seen: "330I" };
  return compose(GENESIS_HASH, KEY, { type: "odometer.read", vin, odometer, event_at, where, context: "reading" });
});
const answer = await call(node, "/v1/transactions/batch", { transactions: made.map((t) => t.bytes.toString("hex")) });
for (const result of answer.json.results)
  console.log(result.txid.slice(0, 16), result.status, result.problem ? result.problem.code : "");
