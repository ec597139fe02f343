import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { runInThisContext } from "node:vm";

const file = new URL("../../src/transom_guest/signin_pages/extension/rules.js", import.meta.url);
runInThisContext(readFileSync(file, "utf8"));
const patterns = ["accounts.example.com", "*.okta.example", "*/oauth/authorize", "claude.example/login"];

for (const url of [
  "https://accounts.example.com/",
  "https://accounts.example.com/v3/anything?x#y",
  "http://okta.example/",
  "https://team.okta.example/app",
  "https://anywhere.example/oauth/authorize?client_id=1",
  "https://anywhere.example/login/OAuth/Authorize/",
  "https://claude.example/login",
  "https://claude.example/login/code",
]) {
  test(`a page to sign in at: ${url}`, () => assert.ok(globalThis.signinPages.matches(patterns, url)));
}

for (const url of [
  "https://example.com/?next=accounts.example.com",
  "https://accounts.example.com.evil.example/",
  "https://notokta.example/",
  "https://anywhere.example/docs?oauth/authorize",
  "https://claude.example/logins",
  "https://other.example/login",
  "data:text/html,<p>/oauth/authorize",
  "about:blank",
  "nonsense",
]) {
  test(`none: ${url}`, () => assert.ok(!globalThis.signinPages.matches(patterns, url)));
}

test("what an operator excepts is none by its URL, and all else is as before", () => {
  const own = [...patterns, "!*/oauth/authorize", "!help.okta.example", "!claude.example/login/faq"];
  const is = (/** @type {string} */ url) => globalThis.signinPages.matches(own, url);
  for (const url of ["https://a.example/oauth/authorize", "https://help.okta.example/x", "https://claude.example/login/faq/1"]) {
    assert.ok(!is(url), url);
  }
  for (const url of ["https://team.okta.example/app", "https://claude.example/login", "https://accounts.example.com/"]) {
    assert.ok(is(url), url);
  }
  assert.ok(!globalThis.signinPages.matches(["!a.example"], "https://b.example/"), "an exception alone lists nothing");
});
