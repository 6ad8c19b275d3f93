// Asks web/js/certificate.js and light.js what a test wants to know: the same in Node.js and in a browser.
import { attachedTo, isPaper } from "../../../web/js/attached.js";
import * as certificate from "../../../web/js/certificate.js";
import { BrowserStore, LightClient, MemoryStore } from "../../../web/js/light.js";
import { Unreachable } from "../../../web/js/release.js";

const bytes = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

function rootOf({ genesis_hash, tree_depth, height, block_id, time_ms, validators }) {
  return {
    genesisHash: bytes(genesis_hash), treeDepth: tree_depth, height, blockId: bytes(block_id), timeMs: time_ms,
    validators: bytes(validators),
  }; // prettier-ignore
}

function optionsOf({ accept_old_root, witnesses, witnesses_needed, age_max_ms }) {
  const keys = witnesses?.map(bytes);
  return { acceptOldRoot: accept_old_root, witnesses: keys, witnessesNeeded: witnesses_needed, ageMaxMs: age_max_ms };
}

const verdictOf = (question) => {
  const rest = [rootOf(question.root), question.now_ms, optionsOf(question.options)];
  if (question.texts) return certificate.verifyCompact(certificate.fromTexts(question.texts), ...rest);
  if (question.compact !== undefined) return certificate.verifyCompact(bytes(question.compact), ...rest);
  return certificate.verify(bytes(question.file), ...rest);
};

let stores = 0;

/** The outcome of each visit of one reader, each by a client of its own: `[value, height, headers asked for]`, or a code. */
async function visits({ root, options, visits: given }) {
  const store = globalThis.indexedDB ? new BrowserStore(`reader ${stores++}`) : new MemoryStore();
  const outcomes = [];
  for (const { answers, key, now_ms: nowMs } of given) {
    const asked = [];
    const fetch = async (path) => {
      if (path.startsWith("/v1/headers/")) asked.push(Number(path.split("/").at(-1)));
      return new Response(JSON.stringify(answers[path] ?? null), { status: path in answers ? 200 : 404 });
    };
    const light = new LightClient(rootOf(root), fetch, { ...optionsOf(options), now: () => nowMs, store });
    try {
      const { value, height } = await light.state(key);
      outcomes.push([value && certificate.hex(value), height, asked]);
    } catch (error) {
      if (error instanceof Unreachable) outcomes.push("unreachable");
      else if (error instanceof certificate.InvalidCertificateFile) outcomes.push(error.code);
      else throw error;
    }
  }
  return outcomes;
}

const ASKED = {
  verdict: verdictOf,
  visits,
  attached: ({ paper }) => {
    const file = isPaper(bytes(paper)) ? attachedTo(bytes(paper)) : null;
    return file && certificate.hex(file);
  },
  digests: ({ file }) => certificate.digestsOf(bytes(file)),
  checkpoint: async ({ text, signers, needed }) => {
    const root = await certificate.rootOfCheckpoint(bytes(text), signers.map(bytes), needed);
    return { height: root.height, time_ms: root.timeMs, tree_depth: root.treeDepth };
  },
  signature: ({ key, message, signature }) => certificate.isSignature(bytes(key), bytes(message), bytes(signature)),
  milliseconds: (question) => median(question.times, () => verdictOf(question)),
  microseconds_of_a_hash: async ({ size, times }) => {
    const input = new Uint8Array(size);
    const hundred = (hash) => async () => {
      for (let n = 0; n < 100; n++) await hash(input);
    };
    return {
      own: 10 * (await median(times, hundred(certificate.sha256))),
      webcrypto: 10 * (await median(times, hundred((data) => crypto.subtle.digest("SHA-256", data)))),
    };
  },
}; // prettier-ignore

async function median(times, act) {
  const taken = [];
  for (let n = 0; n < times; n++) {
    const start = performance.now();
    await act();
    taken.push(performance.now() - start);
  }
  return taken.sort((a, b) => a - b)[times >> 1];
}

/** The answer as JSON: `{found}`, `{code}`, or `{fault}` for any exception but the verifier's own. */
export async function answer(question) {
  let told;
  try {
    told = { found: await ASKED[question.ask](question) };
  } catch (error) {
    const isOwn = error instanceof certificate.InvalidCertificateFile;
    told = isOwn ? { code: error.code } : { fault: `${error}\n${error.stack}` };
  }
  return JSON.stringify(told, (_, value) => (typeof value === "bigint" ? { integer: `${value}` } : value));
}

/** Makes this platform one whose WebCrypto has no Ed25519, as browsers before 2025. */
export function withoutEd25519() {
  const prototype = Object.getPrototypeOf(crypto.subtle);
  const { importKey } = prototype;
  prototype.importKey = function (format, key, algorithm, ...rest) {
    if (algorithm === "Ed25519") return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
    return importKey.call(this, format, key, algorithm, ...rest);
  };
}
