// Uses the types that openapi-typescript generates, against a real node: node use.js URL SIGNED_HEX TXID VIN
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Body = components["schemas"]["Body"];

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const [url, signed, txid, vin] = process.argv.slice(2) as [string, string, string, string];
const client = createClient<paths>({ baseUrl: url });

const submitted = await client.POST("/v1/transactions", {
  params: { query: { wait: "commit" } },
  body: { transaction: signed },
});
expect(submitted.data?.status === "committed", "it is committed");
const height: number = submitted.data.height;

const { data } = await client.GET("/v1/transactions/{txid}", { params: { path: { txid } } });
expect(data?.status === "committed", "its status says so"); // narrows the union by its discriminator
const time: string | null = data.time;
const body: Body | undefined = data.transaction?.body;
expect(body?.type === "vehicle.register", "the body is told by its type");
const powertrain: "bev" | "phev" | "hev" | "petrol" | "diesel" | "fcev" = body.powertrain;
expect(body.vin === vin && powertrain === "petrol" && time !== null && height === data.height, "the fields are there");

const vehicle = await client.GET("/v1/vehicles/{vin}", { params: { path: { vin } } });
const until: string | null | undefined = vehicle.data?.market.until;
expect(until === null, "a car that is not listed has no deadline");
// @ts-expect-error: a time is no number
const wrong: number = data.time;
expect(wrong !== undefined, "used");

const codes = await client.GET("/v1/codes", {});
const services: string[] | undefined = codes.data?.codes["services"];
expect(services?.includes("ENGINE_OIL") === true, "the service codes are listed");
const text: string | undefined = codes.data?.guards["vehicle_unknown"]?.de;
expect(typeof text === "string", "a guard has a German text");

const checked = await client.POST("/v1/transactions/check", {
  body: { sender: data.transaction!.sender, body },
});
expect(checked.data?.ok === false, "it exists already");
expect(checked.data.unmet.some((guard) => guard.code === "vehicle_exists"), "and the guard says so");

const unknown = await client.GET("/v1/transactions/{txid}", { params: { path: { txid: "00".repeat(32) } } });
expect(unknown.error?.code === "transaction_unknown", "a problem has its code");
console.log("the types hold");
