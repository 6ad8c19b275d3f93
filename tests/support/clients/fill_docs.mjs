// Opens /docs of a node in jsdom and presses both buttons of every form: node fill_docs.mjs URL JSDOM
import { setTimeout as sleep } from "node:timers/promises";

const [url, jsdom] = process.argv.slice(2);
const { JSDOM } = await import(jsdom);
const { window } = await JSDOM.fromURL(url + "/docs", {
  runScripts: "dangerously",
  beforeParse(window) {
    window.fetch = (path, init) => fetch(new URL(path, url), init);
  },
});
const until = async (condition) => {
  while (!condition()) await sleep(10);
};
await until(() => window.document.querySelector("#calls details"));
const results = {};
for (const form of window.document.querySelectorAll("#types details")) {
  const output = form.querySelector("pre");
  results[form.id] = { fields: [...form.querySelectorAll("[name]")].map((input) => input.name) };
  for (const button of form.querySelectorAll("button")) {
    button.click();
    await until(() => output.textContent && output.textContent !== "...");
    results[form.id][button.textContent] = output.textContent;
  }
}
console.log(JSON.stringify(results));
window.close();
