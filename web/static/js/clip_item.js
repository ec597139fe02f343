/** @import { ClipItem } from "../../types/model" */

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Width times height; some bytes of PNG can ask a browser for gigabytes once unpacked. */
const MOST_PIXELS = 40_000_000;

/** @param {string} text @returns {ClipItem} */
export function textItem(text) {
  return { type: "text/plain", data: new TextEncoder().encode(text) };
}

/**
 * The text of a paste, or its picture.
 * @param {DataTransfer | null} data
 * @returns {Promise<ClipItem | null>}
 */
export async function itemOf(data) {
  const text = data?.getData("text/plain");
  if (text) return textItem(text);
  const file = [...(data?.items ?? [])].find(({ kind, type }) => kind === "file" && type === "image/png")?.getAsFile();
  return file ? { type: "image/png", data: new Uint8Array(await file.arrayBuffer()) } : null;
}

/** True for a PNG of a size that may be unpacked. @param {Uint8Array} data */
export function isSoundPng(data) {
  if (data.length < 33 || PNG.some((byte, at) => data[at] !== byte)) return false;
  const view = new DataView(data.buffer, data.byteOffset);
  const pixels = view.getUint32(16) * view.getUint32(20);
  return view.getUint32(12) === 0x49484452 && pixels > 0 && pixels <= MOST_PIXELS;
}
