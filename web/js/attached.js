/** The certificate in a file that a reader has: a certificate file, or a PDF of this software, which has one attached. */

export const PAPER_BYTES_MAX = 16 * 1024 * 1024;
/** How fpdf2 writes an attachment that it does not compress. */
const ATTACHED = /\/Length (\d{1,8})\n(?:(?!endobj)[^]){0,400}?\/Type \/EmbeddedFile\n>>\nstream\n/g;

/** Whether the bytes are those of a PDF. */
export const isPaper = (bytes) => letters(bytes.subarray(0, 5)) === "%PDF-";

/** A letter for each byte. */
const letters = (bytes) => new TextDecoder("windows-1252").decode(bytes);

/** The certificate file that is attached to a PDF; null where there is none, or another program has written the PDF. */
export function attachedTo(paper) {
  for (const found of letters(paper).matchAll(ATTACHED)) {
    const start = found.index + found[0].length;
    const file = paper.subarray(start, start + Number(found[1]));
    if (letters(file.subarray(0, 5)) === "BMWC1") return file;
  }
  return null;
}
