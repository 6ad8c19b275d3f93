/** The root that is part of a release, and verdicts from it. */
import { rootOfCheckpoint, verify } from "./certificate.js";
import { Unreachable } from "./light.js";
import { released } from "./texts.js";

/** The bytes of a file of this origin. Throws `Unreachable`. */
export async function file(path) {
  const response = await fetch(path).catch((error) => {
    throw new Unreachable(String(error));
  });
  if (!response.ok) throw new Unreachable(`${path}: HTTP ${response.status}`, response.status);
  return new Uint8Array(await response.arrayBuffer());
}

/** That of the genesis document that the pages were started with. */
export const releasedRoot = async () => rootOfCheckpoint(await file(released("root.json")));

/** The verdict by `check` (`verify` or `verifyCompact`), and whether the root is older than a root should be. */
export async function verdictOf(bytes, root, check = verify) {
  try {
    return [await check(bytes, root, Date.now()), false];
  } catch (error) {
    if (error.code !== "root_too_old") throw error;
    return [await check(bytes, root, Date.now(), { acceptOldRoot: true }), true];
  }
}
