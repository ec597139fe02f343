import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, fallSilent, get } from "../static/js/api.js";

test("a page that another took the place of hears no answer, and asks nothing more", async () => {
  const asked = [];
  globalThis.fetch = async (path) => {
    asked.push(path);
    if (path === "/no") throw new TypeError("no network");
    return new Response('"yes"', { headers: { "Content-Type": "application/json" } });
  };
  assert.equal(await get("/yes"), "yes");
  await assert.rejects(get("/no"), ApiError);
  const heard = [];
  for (const path of ["/yes", "/no"]) get(path).then(() => heard.push(path), () => heard.push(path));
  fallSilent();
  get("/more").then(() => heard.push("more"), () => heard.push("more"));
  await new Promise((later) => setTimeout(later, 20));
  assert.deepEqual([heard, asked], [[], ["/yes", "/no", "/yes", "/no"]]);
});
