/** What a verdict says, as a list of names and values, its age first; and its records as a table. */
import { h } from "./h.js";

/** @returns {HTMLElement} */
export function factsOf(verdict, chain, texts) {
  const rows = [["fact_age", `${texts.ago(Math.max(0, Date.now() - verdict.time_ms))} · ${texts.time(verdict.time_ms)}`]];
  if (verdict.vehicle) rows.push(...carRows(verdict, texts));
  if (verdict.kind === "order") rows.push(...orderRows(verdict, texts));
  rows.push(...trustRows(verdict, chain, texts));
  const row = ([key, value]) => h("div", {}, h("dt", {}, texts.say(key)), h("dd", {}, value));
  return h("dl", { class: "facts" }, ...rows.map(row));
}

function carRows({ vehicle: car, records = [], counts, record_count: stated }, texts) {
  const item = (value) => h("li", {}, value);
  const list = (values) => (values.length ? h("ul", {}, ...values.map(item)) : texts.say("fact_none"));
  const coded = (table, codes) => list(codes.map((code) => texts.code(table, code)));
  const brands = car.brands.map(([code, state]) => `${texts.code("brands", code)} – ${texts.code("brand_states", state)}`);
  const grade = car.grade ? ` – ${car.grade}: ${texts.code("import_grades", car.grade)}` : "";
  const recalls = car.recalls.map((recall) => {
    const place = recall.lastIndexOf(" ");
    return `${recall.slice(0, place)} – ${texts.code("recall_classes", recall.slice(place + 1))}`;
  });
  const withheld = counts ? counts.redacted + counts.hidden : 0;
  const count = texts.number(stated ?? records.length);
  const marked = records.filter((record) => record.is_marked).map((record) => record.sequence);
  const fraud = marked.length ? texts.say("fact_fraud_some", { records: marked.join(", ") }) : texts.say("fact_fraud_none");
  return [
    ["fact_model", car.model],
    ["fact_existence", texts.code("existence", car.existence)],
    ["fact_flags", coded("stop_flags", car.flags)],
    ["fact_brands", list(brands)],
    ["fact_recalls", list(recalls)],
    ["fact_alerts", coded("alerts", car.alerts)],
    ["fact_odometer", texts.code("verdicts", car.verdict)],
    ["fact_accidents", texts.number(car.accidents)],
    ["fact_transfers", texts.number(car.transfers)],
    ...(counts ? [["fact_fraud", fraud]] : []),
    ["fact_origin", texts.code("vehicle_origins", car.origin) + grade],
    ["fact_records", withheld ? texts.say("not_in_full", { count, withheld: texts.number(withheld) }) : count],
  ];
}

function orderRows(order, texts) {
  const cause = order.cause ? [["fact_cause", texts.code("cancel_reasons", order.cause)]] : [];
  return [
    ["fact_order", order.order],
    ["fact_order_state", texts.code("order_states", order.order_status)],
    ...cause,
    ["fact_payments", texts.number(order.payments.length)],
  ];
}

function trustRows({ trust, height, block_id: block }, chain, texts) {
  const links = texts.number(trust.links);
  const root = { height: texts.number(trust.root_height), links };
  const power = { power: texts.number(trust.signed_power), total: texts.number(trust.total_power) };
  return [
    ["fact_signed", texts.say("fact_signed_by", power)],
    ["fact_root", texts.say(trust.root_height ? "fact_root_height" : "fact_root_genesis", root)],
    ["fact_block", h("span", { class: "mono" }, `${height} · ${block}`)],
    ["fact_chain", h("span", { class: "mono" }, chain)],
  ];
}

/** @returns {HTMLElement[]} */
export function recordsOf({ records = [] }, texts) {
  if (records.length === 0) return [];
  const head = ["#", ...["day", "record", "author"].map((name) => texts.say(`fact_column_${name}`))];
  const row = (record) => {
    const isHidden = record.form === "hidden";
    const name = isHidden ? texts.say("hidden_record") : texts.code("kinds", record.kind);
    const marked = record.is_marked ? [" ", h("span", { class: "badge bad" }, texts.say("fact_marked"))] : [];
    const day = isHidden ? "–" : texts.day(record.event_at_ms);
    const cells = [[`${record.sequence}`], [day], [name], [record.author_name || "–", ...marked]];
    return h("tr", {}, ...cells.map((cell) => h("td", {}, ...cell)));
  };
  const heads = head.map((text) => h("th", { scope: "col" }, text));
  return [
    h("h2", {}, texts.say("fact_timeline")),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": texts.say("fact_timeline") },
      h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...records.map(row)))),
  ]; // prettier-ignore
}
