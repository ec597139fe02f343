import { byId, make } from "./elements.js";
import { STAGE_NAMES, inOrder, isOver, span } from "./format.js";

/** @import { Session } from "../../types/model" */

/** What was shown last, so that an unchanged list is not built again. */
let shown = "";

/** The stages of a session with their times: on the cover while it starts, and at the side. @param {Session} session */
export function showProgress(session) {
  const now = JSON.stringify([session.timeline, isOver(session)]);
  if (now === shown) return;
  shown = now;
  byId("stages").replaceChildren(...stages(session));
  byId("timeline").replaceChildren(...stages(session));
}

/** @param {Session} session */
function stages(session) {
  const order = inOrder(session.timeline);
  const current = isOver(session) ? null : order.find((stage) => session.timeline[stage] === undefined);
  return order.map((stage) => {
    const at = session.timeline[stage];
    const state = at !== undefined ? "done" : stage === current ? "current" : "later";
    return make(
      "li",
      { "data-state": state, ...(state === "current" ? { "aria-current": "step" } : {}) },
      make("span", { class: "mark", "aria-hidden": "true" }),
      make("span", { class: "what" }, STAGE_NAMES[stage]),
      make("span", { class: "when" }, at === undefined ? "" : span(at)),
    );
  });
}
