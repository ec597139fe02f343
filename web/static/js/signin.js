import { byId, make, setText } from "./elements.js";
import { isOver, moment, safeUrl, signinWords } from "./format.js";

/** @import { Saved, Session } from "../../types/model" */

/** The sign-in's panel. Everything in it comes from the machine: it goes in as text only. @param {Session} session */
export function showSignin(session) {
  const { signin } = session;
  byId("signin").hidden = !signin;
  if (!signin) return;
  byId("signin").dataset["stage"] = signin.stage;
  setText(byId("signin-stage"), signinWords(signin));
  setText(byId("signin-message"), signin.message);
  const waiting = signin.stage === "waiting" && !isOver(session);
  showCode(waiting ? signin.user_code : null);
  showUrl(waiting ? signin.url : null);
  showSaved(signin.saved);
  byId("again").hidden = isOver(session) || !["failed", "cancelled"].includes(signin.stage);
  byId("cancel").hidden = isOver(session) || !["pending", "starting", "waiting"].includes(signin.stage);
}

/** @param {string | null} code */
function showCode(code) {
  byId("signin-code").hidden = !code;
  setText(byId("user-code"), code ?? "");
}

/** @param {string | null} url */
function showUrl(url) {
  byId("signin-url").hidden = !url;
  const link = /** @type {HTMLAnchorElement} */ (byId("url"));
  const safe = safeUrl(url);
  if (safe) link.href = safe;
  else link.removeAttribute("href");
  setText(link, url ?? "");
}

/** @param {Saved | null} saved */
function showSaved(saved) {
  byId("signin-saved").hidden = !saved;
  if (!saved) return;
  byId("saved-names").replaceChildren(...saved.names.map((name) => make("li", {}, make("code", {}, name))));
  const until = saved.expires_at === null ? "No end of validity is known." : `Valid until ${moment(saved.expires_at)}.`;
  setText(byId("saved-until"), until);
}
