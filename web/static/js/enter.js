import { ApiError, get, post } from "./api.js";
import { byId } from "./elements.js";

const HOME = "/dashboard/remote-cli";

const form = byId("sign-in");
const field = /** @type {HTMLInputElement} */ (byId("key"));
const button = /** @type {HTMLButtonElement} */ (byId("enter"));
const message = byId("message");

const asked = new URLSearchParams(location.search);
const key = asked.get("key");
// The key is spent by this very visit; still it has no business in the address bar or the history.
history.replaceState(null, "", "/");

/** Where to go afterwards: only a page of this server. */
function destination() {
  const next = asked.get("next") ?? "";
  return /^\/(dashboard|session)\/[\w/-]+$/.test(next) ? next : HOME;
}

/** @param {string} spent */
async function signIn(spent) {
  button.disabled = true;
  message.textContent = "Signing in…";
  delete message.dataset["tone"];
  try {
    await post("/api/auth/sign-in", { key: spent });
    location.replace(destination());
  } catch (error) {
    message.textContent = why(/** @type {ApiError} */ (error));
    message.dataset["tone"] = "bad";
    button.disabled = false;
    field.focus();
  }
}

/** @param {ApiError} error */
function why(error) {
  if (error.status === 401 || error.status === 403) return "This key is not valid, or it was used before. Ask for a new one.";
  if (error.status === 429) return `Too many tries. Please wait ${error.retryAfterS ?? 30} seconds.`;
  return error.message;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  // A whole link may be pasted as well as the key in it.
  const pasted = field.value.trim();
  const found = /[?&]key=([^&\s]+)/.exec(pasted)?.[1];
  const spent = found ? decodeURIComponent(found) : pasted;
  if (spent) void signIn(spent);
});

// A cookie that came along only now (it does not on a visit from another site) is enough.
if (key) void signIn(key);
else get("/api/me").then(() => location.replace(destination()), () => field.focus());
