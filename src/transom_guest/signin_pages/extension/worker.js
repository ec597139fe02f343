"use strict";
/** Hears of the pages that are shown and are to sign in at, and tells the host beside the browser when any is. */
const HOST = "transom.signin_pages";
/** Milliseconds: until the first word of a browser that has just started, and while a host is kept for the next page. */
const HELLO_MS = 1000;
const KEPT_MS = 5000;
const AGAIN_MS = 500;
/** Tabs that are remembered. */
const TABS = 64;

/** @type {Set<chrome.runtime.Port>} */
const pages = new Set();
/** @type {chrome.runtime.Port | null} */
let host = null;
/** @type {boolean | null} */
let said = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let letting;
let marking = Promise.resolve();

function tell() {
  const shown = pages.size > 0;
  if (shown === said) return;
  clearTimeout(letting);
  const told = (host ??= connect());
  said = shown;
  told.postMessage({ shown });
  if (!shown) letting = setTimeout(letGo, KEPT_MS);
}

function connect() {
  const made = chrome.runtime.connectNative(HOST);
  made.onDisconnect.addListener(() => {
    if (host !== made) return;
    host = said = null;
    setTimeout(() => pages.size && tell(), AGAIN_MS);
  });
  return made;
}

function letGo() {
  host?.disconnect();
  host = said = null;
}

/** Which tabs had such a page, and when: ours are closed once a sign-in is over. @param {number} tab */
async function mark(tab) {
  const { signins = {} } = await chrome.storage.session.get("signins");
  signins[tab] = Date.now();
  const kept = Object.entries(signins).sort(([, a], [, b]) => b - a).slice(0, TABS);
  await chrome.storage.session.set({ signins: Object.fromEntries(kept) });
}

chrome.runtime.onConnect.addListener((port) => {
  pages.add(port);
  const tab = port.name === "leaving" ? undefined : port.sender?.tab?.id;
  if (tab !== undefined) marking = marking.then(() => mark(tab)).catch(() => {});
  port.onDisconnect.addListener(() => {
    pages.delete(port);
    if (tab !== undefined) marking = marking.then(() => mark(tab)).catch(() => {});
    tell();
  });
  tell();
});

/** Says that pages are looked at from now on, once the browser's first picture is not held up by it. */
function hello() {
  setTimeout(tell, HELLO_MS);
}
chrome.runtime.onInstalled.addListener(hello);
chrome.runtime.onStartup.addListener(hello);
