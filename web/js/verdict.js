/** Verdicts about certificates from a release's root, which may be older than a root should be. */
import { verify } from "./certificate.js";

/** The verdict by `check` (`verify` or `verifyCompact`), and whether the root is older than a root should be. */
export async function verdictOf(bytes, root, check = verify) {
  try {
    return [await check(bytes, root, Date.now()), false];
  } catch (error) {
    if (error.code !== "root_too_old") throw error;
    return [await check(bytes, root, Date.now(), { acceptOldRoot: true }), true];
  }
}
