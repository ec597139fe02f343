"use strict";
/** Whether a URL is that of a page to sign in at. Pure. */
globalThis.signinPages = {
  /**
   * A pattern is HOST or HOST/PATH: HOST is one, `*.` and one, or `*`; PATH occurs in the URL's at whole segments.
   * One with `!` before it is of pages that are none by their URL, whatever the others say.
   * @param {readonly string[]} patterns @param {string} url
   */
  matches(patterns, url) {
    let found;
    try {
      found = new URL(url);
    } catch {
      return false;
    }
    if (!/^https?:$/.test(found.protocol)) return false;
    const path = `${found.pathname.toLowerCase().replace(/\/+$/, "")}/`;
    const fits = (/** @type {string} */ pattern) => {
      const cut = pattern.indexOf("/");
      const host = cut < 0 ? pattern : pattern.slice(0, cut);
      return isHost(host, found.hostname) && (cut < 0 || path.includes(`${pattern.slice(cut)}/`));
    };
    return patterns.some(fits) && !patterns.some((pattern) => pattern.startsWith("!") && fits(pattern.slice(1)));
  },
};

/** @param {string} wanted @param {string} host */
function isHost(wanted, host) {
  if (wanted === "*") return true;
  return wanted.startsWith("*.") ? host.endsWith(wanted.slice(1)) || host === wanted.slice(2) : host === wanted;
}
