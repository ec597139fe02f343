/** @typedef {{ visible: (visible: boolean) => void, wake: () => void, leave: () => void, back: () => void, room: () => void }} OnSurroundings */

/**
 * What the browser tells about the page around the picture: it is hidden or seen, left or come back to, the network
 * returned (`wake`), or the picture's room has another size or density (`room`).
 * @param {HTMLElement} stage
 * @param {OnSurroundings} on
 */
export function watchSurroundings(stage, on) {
  new ResizeObserver(() => on.room()).observe(stage);
  watchDensity((query) => matchMedia(query), () => devicePixelRatio, () => on.room());
  document.addEventListener("visibilitychange", () => {
    on.visible(!document.hidden);
    if (!document.hidden) on.wake();
  });
  window.addEventListener("online", () => on.wake());
  window.addEventListener("pagehide", () => on.leave());
  window.addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    on.back();
    on.wake();
  });
  if (document.hidden) on.visible(false);
}

/**
 * Hear of each change of this window's density: it came to another monitor, or is zoomed. A query fits one density, so each change asks anew.
 * @param {(query: string) => Pick<MediaQueryList, "addEventListener">} ask
 * @param {() => number} density
 * @param {() => void} changed
 */
export function watchDensity(ask, density, changed) {
  const again = () => {
    watchDensity(ask, density, changed);
    changed();
  };
  ask(`(resolution: ${density()}dppx)`).addEventListener("change", again, { once: true });
}
