/** Longest wait for an answer that was not asked to wait. */
const DEADLINE_MS = 10_000;

/** An answer that says no. `status` 0: there was no answer at all. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{ code?: string, message?: string, reason?: string }} [error]
   * @param {number | null} [retryAfterS]
   */
  constructor(status, error = {}, retryAfterS = null) {
    super(error.message ?? (status ? `The server answered ${status}.` : "The server cannot be reached."));
    this.status = status;
    this.code = error.code ?? "";
    this.reason = error.reason ?? null;
    this.retryAfterS = retryAfterS;
  }
}

let silent = false;

/** Another page takes the place of the one these modules are of: no answer is heard any more, and nothing more is asked. */
export function fallSilent() {
  silent = true;
}

/**
 * Ask the server.
 * @param {string} method
 * @param {string} path
 * @param {{ body?: object, headers?: Record<string, string>, deadlineMs?: number, signal?: AbortSignal,
 *   keepalive?: boolean }} [options]
 * @returns {Promise<{ status: number, body: any }>} `body` is null when there is none
 * @throws {ApiError}
 */
export function request(method, path, options = {}) {
  return new Promise((resolve, reject) => {
    if (!silent) ask(method, path, options).then((answer) => silent || resolve(answer), (error) => silent || reject(error));
  });
}

/** @type {typeof request} */
async function ask(method, path, options = {}) {
  const { body, headers = {}, deadlineMs = DEADLINE_MS, signal, keepalive = false } = options;
  const limits = [AbortSignal.timeout(deadlineMs), ...(signal ? [signal] : [])];
  try {
    const response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      keepalive,
      headers: body ? { "Content-Type": "application/json", ...headers } : headers,
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.any(limits),
    });
    const content = await readJson(response);
    if (response.ok) return { status: response.status, body: content };
    throw new ApiError(response.status, content?.error, Number(response.headers.get("Retry-After")) || null);
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError(0);
  }
}

/** @param {Response} response */
async function readJson(response) {
  if (!response.headers.get("Content-Type")?.includes("json")) return null;
  return response.json().catch(() => null);
}

/** The body of a GET. @param {string} path */
export async function get(path) {
  return (await request("GET", path)).body;
}

/** @param {string} path @param {object} body @param {Record<string, string>} [headers] */
export async function post(path, body, headers = {}) {
  return (await request("POST", path, { body, headers })).body;
}

/** @param {string} path */
export async function remove(path) {
  return (await request("DELETE", path)).body;
}

/** The WebSocket address of a path of this server. @param {string} path */
export function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Go and sign in, and come back here. */
export function goSignIn() {
  location.assign(`/?next=${encodeURIComponent(location.pathname)}`);
}
