"use strict";
/**
 * In each frame of each page: says for as long as it is shown and is one to sign in at, by a port that is open so
 * long; the browser closes that of a page that goes, or dies. Fields count once they take room on the page.
 */
(() => {
  const FIELDS = ["[type=password]", '[autocomplete~="one-time-code"]', '[autocomplete~="current-password"]']
    .map((each) => `input${each}`)
    .join();
  const AGAIN_MS = 100;
  const PAINT_MS = 1000;
  /** @type {Set<Element>} */
  const shown = new Set();
  /** @type {chrome.runtime.Port | null} */
  let port = null;

  /** By its URL, where it is the whole page: buttons of identity providers are frames on all kinds of pages. */
  const isListed = () => window === window.top && signinPages.matches(signinPatterns, location.href);

  const isSignin = () => document.visibilityState === "visible" && (shown.size > 0 || isListed());

  function tell() {
    const asks = isSignin();
    if (asks && !port) open();
    else if (!asks && port) {
      port.disconnect();
      port = null;
    }
  }

  function open() {
    try {
      port = chrome.runtime.connect();
    } catch {
      return; // the extension is gone
    }
    port.onDisconnect.addListener(() => {
      port = null;
      setTimeout(tell, AGAIN_MS);
    });
  }

  /** @param {IntersectionObserverEntry[]} entries */
  function note(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) shown.add(target);
      else shown.delete(target);
    }
    tell();
  }

  const room = new IntersectionObserver(note, { rootMargin: "1000000px" });

  /** The next picture of this page has been made; one that makes none has this long. */
  const painted = () =>
    new Promise((done) => {
      setTimeout(done, PAINT_MS);
      requestAnimationFrame(() => requestAnimationFrame(done));
    });

  /** Whether what is shown from now on is none: asked from outside, and so in its turn behind all that this page was told. */
  signinPages.clear = async () => {
    if (document.visibilityState === "visible" && window === window.top) await painted();
    note(room.takeRecords());
    return !isSignin();
  };

  /** @param {Node} node */
  function look(node) {
    if (!(node instanceof Element)) return;
    if (node.matches(FIELDS)) room.observe(node);
    for (const field of node.querySelectorAll(FIELDS)) room.observe(field);
  }

  new MutationObserver((changes) => {
    for (const { target, addedNodes, type } of changes) {
      if (type === "attributes") look(target);
      else addedNodes.forEach(look);
    }
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["type", "autocomplete"] });
  if (document.documentElement) look(document.documentElement);

  // What is in a shadow tree is seen once it has the focus: before, nothing is typed into it.
  document.addEventListener(
    "focusin",
    ({ target }) => {
      let deep = target instanceof HTMLElement ? target : null;
      for (let root = deep && chrome.dom.openOrClosedShadowRoot(deep); root; root = deep && chrome.dom.openOrClosedShadowRoot(deep)) {
        deep = root.activeElement instanceof HTMLElement ? root.activeElement : null;
      }
      if (deep) look(deep);
    },
    true,
  );
  document.addEventListener("visibilitychange", tell);
  window.addEventListener("pagehide", () => {
    // Who comes back to it finds it as it was: its port is closed by then, and no word of that came.
    port?.disconnect();
    port = null;
  });
  window.addEventListener("pageshow", tell);
  window.navigation?.addEventListener("currententrychange", tell);
  tell();
})();
