// node events.mjs http://127.0.0.1:26700 [QUERY]: follows the event stream, and resumes after a disconnect.
import { setTimeout as sleep } from "node:timers/promises";

const [node, query] = [process.argv[2], process.argv[3] ?? ""];
let lastId = process.env.LAST_EVENT_ID ?? ""; // store it with your own data: it is your position in the stream

for (;;) {
  try {
    const headers = lastId ? { "Last-Event-ID": lastId } : {};
    const answer = await fetch(`${node}/v1/stream${query && "?" + query}`, { headers });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    let text = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) take(block);
    }
  } catch (error) {
    console.error("again in a second:", error.message);
  }
  await sleep(1000);
}

function take(block) {
  const field = (name) => block.split("\n").find((line) => line.startsWith(name + ": "))?.slice(name.length + 2);
  const [id, name, data] = [field("id"), field("event"), field("data")];
  if (data !== undefined) console.log(id ?? "-", name, data);
  if (id) lastId = id; // after the event is processed; a heartbeat may advance it too
}
