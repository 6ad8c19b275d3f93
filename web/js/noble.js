/**
 * The arithmetic of Ed25519 for browsers whose WebCrypto has none, from the vendored library. `isSignature` of
 * `certificate.js` loads this, and has refused before what this does not look at: points of small order, large scalars.
 */
import { Point } from "../vendor/noble-ed25519.js";

const ORDER = Point.CURVE().n;

const littleEndian = (bytes) => Uint8Array.from(bytes).reverse().reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);

/** Whether the equation of a signature holds, without the cofactor: `verify` of the library accepts more than libsodium. */
export async function isEquation(key, message, signature) {
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  const hashed = await crypto.subtle.digest("SHA-512", new Uint8Array([...r, ...key, ...message]));
  try {
    const times = Point.fromBytes(key).multiply(littleEndian(new Uint8Array(hashed)) % ORDER, false);
    // As bytes: a point that is given in another encoding is another one.
    const found = Point.BASE.multiply(s, false).subtract(times).toBytes();
    return found.every((byte, place) => byte === r[place]);
  } catch {
    return false; // not a point of the curve
  }
}
