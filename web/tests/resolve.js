const NOVNC = new URL("../node_modules/@novnc/novnc/", import.meta.url);
const STATIC = new URL("../static/", import.meta.url);

/** @param {string} name @param {object} context @param {Function} next */
export function resolve(name, context, next) {
  if (name.startsWith("/static/novnc/")) return next(new URL(name.slice("/static/novnc/".length), NOVNC).href, context);
  if (name.startsWith("/static/")) return next(new URL(name.slice("/static/".length), STATIC).href, context);
  return next(name, context);
}
