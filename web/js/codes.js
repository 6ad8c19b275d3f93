/** The texts of the codes in a picture. */

/** Bytes of a picture that the server decodes; a larger one is made smaller first. */
const PICTURE_BYTES_MAX = 4 * 1024 * 1024;
const SIDE_MAX = 3_000;

/**
 * By the browser where it can, else by `POST /decode` of this origin, which keeps nothing. Throws where neither works.
 *
 * @param {File} file
 * @returns {Promise<string[]>}
 */
export async function codesIn(file) {
  const own = await ofBrowser(file).catch(() => []);
  if (own.length > 0) return own;
  const body = file.size > PICTURE_BYTES_MAX ? await smaller(file) : file;
  const response = await fetch("/decode", { method: "POST", body });
  if (response.status === 422) return [];
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return (await response.json()).texts;
}

async function ofBrowser(file) {
  if (!("BarcodeDetector" in globalThis)) return [];
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const found = await detector.detect(await createImageBitmap(file));
  return found.map((code) => code.rawValue);
}

async function smaller(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, SIDE_MAX / Math.max(picture.width, picture.height));
  const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}
