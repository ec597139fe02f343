import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const WEB = new URL("../", import.meta.url);

/** Every module that `path` needs before it can run. @param {string} path @param {Set<string>} [found] */
async function needed(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  const file = path.replace(/^\/static\/novnc\//, "node_modules/@novnc/novnc/").replace(/^\//, "");
  const text = await readFile(new URL(file, WEB), "utf8");
  for (const [, name] of text.matchAll(/^(?:import|export)\s(?:[^;]*?from\s+)?['"]([^'"]+)['"]/gm)) {
    await needed(new URL(name, `http://host${path}`).pathname, found);
  }
  return found;
}

test("the session page fetches all its modules at once, not one after the other", async () => {
  const page = await readFile(new URL("session.html", WEB), "utf8");
  const preloaded = [...page.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, path]) => path);
  const wanted = await needed("/static/js/session.js");
  wanted.delete("/static/js/session.js");
  assert.deepEqual(preloaded.sort(), [...wanted].sort());
});
