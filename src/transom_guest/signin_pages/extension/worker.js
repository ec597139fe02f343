"use strict";
/**
 * Hears of the pages that are shown and are to sign in at, and tells the host beside the browser when any is; when the
 * host asks, it asks all pages that are shown, and says that none is.
 */
const HOST = "transom.signin_pages";
/** Milliseconds: until the first word of a browser that has just started, and until a host that ended is started again. */
const HELLO_MS = 1000;
const AGAIN_MS = 500;
/** Tabs that are remembered. */
const TABS = 64;

/** @type {Set<chrome.runtime.Port>} */
const pages = new Set();
/** @type {chrome.runtime.Port | null} */
let host = null;
/** @type {boolean | null} */
let said = null;
let marking = Promise.resolve();

function tell() {
  const shown = pages.size > 0;
  if (shown === said) return;
  const told = (host ??= connect());
  said = shown;
  told.postMessage({ shown });
}

/** It lives as long as the browser: it is asked at any time, and this worker lives as long as it. */
function connect() {
  const made = chrome.runtime.connectNative(HOST);
  made.onMessage.addListener(({ ask }) => void asked(made, ask));
  made.onDisconnect.addListener(() => {
    if (host !== made) return;
    host = said = null;
    setTimeout(tell, AGAIN_MS);
  });
  return made;
}

/** No answer is one as well. @param {chrome.runtime.Port} asker @param {string} question */
async function asked(asker, question) {
  if (pages.size > 0) return;
  const tabs = await chrome.tabs.query({ active: true });
  const clear = await Promise.all(tabs.map(({ id }) => isClear(id)));
  if (pages.size === 0 && clear.every(Boolean) && host === asker) asker.postMessage({ clear: question });
}

/** Once each frame of it says so. Where no extension may look, there is none of ours to say that it is not. @param {number | undefined} tabId */
async function isClear(tabId) {
  if (tabId === undefined) return true;
  try {
    const frames = await chrome.scripting.executeScript({
      target: { tabId, allFrames: true },
      injectImmediately: true,
      func: () => /** @type {any} */ (globalThis).signinPages?.clear?.() ?? true,
    });
    return frames.every(({ result }) => result !== false);
  } catch {
    return true;
  }
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
// Should this worker be stopped in spite of its host.
chrome.alarms.create("awake", { periodInMinutes: 0.5 });
chrome.alarms.onAlarm.addListener(tell);
