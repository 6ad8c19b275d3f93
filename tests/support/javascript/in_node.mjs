// Reads a question on each line of standard input, writes an answer on each line of standard output.
import { createInterface } from "node:readline";
import { answer, withoutEd25519 } from "./answers.mjs";

if (process.argv.includes("--without-ed25519")) withoutEd25519();
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await answer(JSON.parse(line))}\n`);
}
