import { ApiError } from "./api.js";
import { backoff } from "./backoff.js";

/** @typedef {{ done: Promise<void>, cancel: () => void }} Transfer `done` fails with an ApiError, or an AbortError when it was cancelled */
/** @typedef {(moved: number) => void} Progress bytes so far */

const NAME_BYTES = 200;
/** The server's (transom_wire/files.py), and slashes: by ranges where browsers' tables differ from year to year. */
const HIDDEN =
  /[\p{Cc}\p{Cs}\p{Co}\p{NChar}\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\u{110bd}\u{110cd}\u{13430}-\u{1343f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e00ff}\u{e01f0}-\u{e0fff}/\\]/gu;

/**
 * The name a file gets on the desktop: one that the server takes, and that no file there has yet.
 * @param {string} name
 * @param {ReadonlySet<string>} taken
 */
export function plainName(name, taken) {
  const clean = name
    .normalize("NFC")
    .replace(HIDDEN, "_")
    .trim()
    .replace(/^\.+/, "_");
  const dot = clean.lastIndexOf(".");
  const [stem, end] = dot > 0 && clean.length - dot < 20 ? [clean.slice(0, dot), clean.slice(dot)] : [clean, ""];
  for (let number = 1; ; number += 1) {
    const mark = number > 1 ? ` (${number})` : "";
    const found = shortened(stem || "file", NAME_BYTES - bytes(mark + end)).trimEnd() + mark + end;
    if (!taken.has(found)) return found;
  }
}

/** @param {string} text */
function bytes(text) {
  return new TextEncoder().encode(text).length;
}

/** @param {string} text @param {number} most bytes */
function shortened(text, most) {
  let short = text;
  while (bytes(short) > most) short = [...short].slice(0, -1).join("");
  return short;
}

/** So many names are tried for one file. */
const TRIES = 50;

/**
 * Send a file under a name that nothing on the desktop has: where one is taken after all, by a file beyond the list or by
 * another page's, under the next.
 * @param {(tried: ReadonlySet<string>) => string} named @param {(name: string) => Transfer} send fails with 412 for a name that is taken
 * @returns {Transfer}
 */
export function underFreeName(named, send) {
  const tried = new Set();
  let over = false;
  /** @type {Transfer | null} */
  let going = null;
  const done = (async () => {
    for (let left = TRIES; !over; left -= 1) {
      const name = named(tried);
      going = send(name);
      try {
        return await going.done;
      } catch (error) {
        if (/** @type {ApiError} */ (error).status !== 412 || left === 1) throw error;
      }
      tried.add(name);
    }
    throw new DOMException("cancelled", "AbortError");
  })();
  return { done, cancel: () => void ((over = true), going?.cancel()) };
}

/** A transfer that finds no place is begun so often again, some ten minutes long: those that have the places may be large. */
const WAITS = 50;
const WAIT_MS = { firstMs: 1000, mostMs: 15_000 };

/**
 * Wait before a transfer is begun again, unless it is cancelled.
 * @param {number} ms @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()));
  });
}

/**
 * A transfer that the server has no place for (429) waits as long as the server says, and longer each time, and goes on.
 * @param {() => Transfer} begin @param {() => void} [waits] is told before each wait @param {typeof pause} [wait]
 * @returns {Transfer}
 */
export function withPatience(begin, waits = () => {}, wait = pause) {
  const abort = new AbortController();
  /** @type {Transfer | null} */
  let going = null;
  const done = (async () => {
    for (let failures = 1; !abort.signal.aborted; failures += 1) {
      going = begin();
      try {
        return await going.done;
      } catch (error) {
        const { status, retryAfterS } = /** @type {ApiError} */ (error);
        if (status !== 429 || failures > WAITS) throw error;
        waits();
        await wait(Math.max((retryAfterS ?? 0) * 1000, backoff(failures, WAIT_MS, Math.random)), abort.signal);
      }
    }
    throw new DOMException("cancelled", "AbortError");
  })();
  return { done, cancel: () => void (abort.abort(), going?.cancel()) };
}

/** Send a file as a request's body, and in no other's place: fetch() cannot say how far it is. @param {string} url @param {Blob} file @param {Progress} progress @returns {Transfer} */
export function upload(url, file, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => (request.status < 300 ? resolve(undefined) : reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After"))));
    request.onerror = () => reject(new ApiError(0, { message: "The connection broke before all of it was there." }));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
  });
  request.open("PUT", url);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("If-None-Match", "*");
  request.send(file);
  return { done, cancel: () => request.abort() };
}

/** @param {number} status @param {string} text @param {string | null} retryAfter */
function refusal(status, text, retryAfter) {
  const seconds = Number(retryAfter) || null;
  try {
    return new ApiError(status, JSON.parse(text).error, seconds);
  } catch {
    return new ApiError(status, {}, seconds);
  }
}

/** Fetch a file and hand it to the browser to save. @param {string} url @param {string} name @param {Progress} progress @returns {Transfer} */
export function download(url, name, progress) {
  const abort = new AbortController();
  return { done: fetchAndSave(url, name, progress, abort.signal), cancel: () => abort.abort() };
}

/** @param {string} url @param {string} name @param {Progress} progress @param {AbortSignal} signal */
async function fetchAndSave(url, name, progress, signal) {
  const parts = [];
  let moved = 0;
  try {
    const response = await fetch(url, { credentials: "same-origin", cache: "no-store", signal });
    if (!response.ok) throw refusal(response.status, await response.text(), response.headers.get("Retry-After"));
    const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parts.push(read.value);
      progress((moved += read.value.length));
    }
  } catch (error) {
    if (error instanceof ApiError || signal.aborted) throw error;
    throw new ApiError(0, { message: "The connection broke before all of it was there." });
  }
  save(new Blob(parts), name);
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has its own hold on the file by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
