/**
 * A file that is dropped on a page that takes none would take its place, and with it the desktop. It is refused, and
 * `say` is called while it is over the page: a browser tells of no drop that was refused.
 * @param {() => void} [say]
 */
export function refuseDrops(say = () => {}) {
  for (const kind of /** @type {const} */ (["dragover", "drop"])) {
    window.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "none";
      say();
    });
  }
}
