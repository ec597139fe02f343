/**
 * Closes the tabs that had a page to sign in at since a moment, and becomes a blank page. Until then it counts as one
 * itself: so it is known outside when that was done.
 */
chrome.runtime.connect({ name: "leaving" });
const since = Number(new URLSearchParams(location.search).get("since"));
const { signins = {} } = await chrome.storage.session.get("signins");
const tabs = Object.entries(signins).filter(([, at]) => at >= since);
await Promise.allSettled(tabs.map(([tab]) => chrome.tabs.remove(Number(tab))));
location.replace("about:blank");
