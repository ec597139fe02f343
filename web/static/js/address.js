/**
 * Load what the address says when the browser goes back or forth to another page. A session that was opened in the
 * dashboard's document shares it in the browser's history, so that the browser itself loads neither.
 */
export function keepToAddress() {
  const here = location.pathname;
  window.addEventListener("popstate", () => location.pathname !== here && location.reload());
}
