// node record.mjs http://127.0.0.1:26700[,URL...] VIN KILOMETRES: writes a maintenance record and waits for its commit.
import { send } from "./send.mjs";

const [nodes, vin, kilometres] = [process.argv[2].split(","), process.argv[3], Number(process.argv[4])];

process.exitCode = await send(nodes, {
  type: "maintenance.record",
  vin,
  services: ["ENGINE_OIL", "BRAKE_FLUID"], // GET /v1/codes lists all service codes
  parts: [{ number: "11428507683", quantity: 1, is_original: true, serial: null }],
  next_due: { odometer: kilometres + 30000, at: null },
  event_at: new Date(Date.now() - 1000).toISOString(),
  where: { site: "BER-1", vin_source: "obd", model_seen: "330I" },
  odometer: { value: kilometres, unit: "km", source: "cluster" },
});
