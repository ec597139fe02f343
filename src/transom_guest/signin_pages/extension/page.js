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
  /** @type {Set<Element>} */
  const shown = new Set();
  /** @type {chrome.runtime.Port | null} */
  let port = null;

  /** By its URL, where it is the whole page: buttons of identity providers are frames on all kinds of pages. */
  const isListed = () => window === window.top && signinPages.matches(signinPatterns, location.href);

  function tell() {
    const asks = document.visibilityState === "visible" && (shown.size > 0 || isListed());
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

  const room = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) shown.add(target);
        else shown.delete(target);
      }
      tell();
    },
    { rootMargin: "1000000px" },
  );

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
