import { get, post, remove } from "./api.js";
import { byId, copyFrom, make } from "./elements.js";
import { moment } from "./format.js";

/** @import { Me, Token, User } from "../../types/model" */
/** @typedef {(error: unknown) => void} Complain */

/**
 * Tokens for everybody, users for the administrator: each asked for when its panel is opened.
 * @param {Me} me
 * @param {Complain} complain
 */
export function startSettings(me, complain) {
  onSubmit("new-token", "token-label", complain, async (label) => {
    const { token } = await post("/api/tokens", { label });
    showSecret(byId("token"), token, "Shown this once. Keep it like a password.");
    await showTokens(complain);
  });
  onOpen("tokens-panel", () => showTokens(complain).catch(complain));
  if (me.role !== "administrator") return;
  byId("users-panel").hidden = false;
  onSubmit("new-user", "user-name", complain, async (name) => {
    const { id } = await post("/api/users", { name });
    await showLink(id, name);
    await showUsers(me, complain);
  });
  onOpen("users-panel", () => showUsers(me, complain).catch(complain));
}

/** @param {string} id @param {() => unknown} show */
function onOpen(id, show) {
  const panel = /** @type {HTMLDetailsElement} */ (byId(id));
  panel.addEventListener("toggle", () => panel.open && show());
}

/**
 * @param {string} form @param {string} field @param {Complain} complain
 * @param {(value: string) => Promise<void>} act
 */
function onSubmit(form, field, complain, act) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (byId(field));
    act(input.value.trim()).then(() => (input.value = ""), complain);
  });
}

/** @param {Complain} complain */
async function showTokens(complain) {
  const tokens = /** @type {Token[]} */ (await get("/api/tokens"));
  const rows = tokens.map((token) => {
    const used = token.last_used_at ? `last used ${moment(token.last_used_at)}` : "never used";
    const drop = () => remove(`/api/tokens/${token.id}`).then(() => showTokens(complain), complain);
    return row(token.label, used, button("Delete", drop, "danger"));
  });
  byId("tokens").replaceChildren(...rows);
}

/** @param {Me} me @param {Complain} complain */
async function showUsers(me, complain) {
  const users = /** @type {User[]} */ (await get("/api/users"));
  const rows = users.map((user) => {
    const link = () => showLink(user.id, user.name).catch(complain);
    const drop = () => {
      if (!confirm(`Delete ${user.name}, with their sessions and saved credentials?`)) return;
      remove(`/api/users/${user.id}`).then(() => showUsers(me, complain), complain);
    };
    const own = user.id === me.id;
    return row(user.name, user.role, button("New link", link), own ? null : button("Delete", drop, "danger"));
  });
  byId("users").replaceChildren(...rows);
}

/** @param {string} user @param {string} name */
async function showLink(user, name) {
  const { url, key } = await post(`/api/users/${user}/key`, {});
  const link = new URL(url ?? `/?key=${encodeURIComponent(key)}`, location.origin).href;
  showSecret(byId("link"), link, `Signs ${name} in, once. Give it to nobody else.`);
}

/** @param {HTMLElement} output @param {string} secret @param {string} text */
function showSecret(output, secret, text) {
  const copy = make("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => void copyFrom(copy, secret));
  output.hidden = false;
  output.replaceChildren(make("code", {}, secret), copy, make("span", { class: "muted small" }, text));
}

/** @param {string} name @param {string} about @param {...(HTMLElement | null)} actions */
function row(name, about, ...actions) {
  return make(
    "li",
    { class: "row" },
    make("strong", {}, name),
    make("span", { class: "muted" }, about),
    make("span", { class: "actions" }, ...actions),
  );
}

/** @param {string} label @param {() => unknown} act @param {string} [look] */
function button(label, act, look = "") {
  return make("button", { type: "button", class: look, onclick: () => void act() }, label);
}
