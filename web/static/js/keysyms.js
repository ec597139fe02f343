import keysyms from "/static/novnc/core/input/keysymdef.js";

/** Longest text of one `t` message. */
export const TEXT_LIMIT = 1000;

/** @param {unknown} keysym @returns {keysym is number} what the guest takes for a key */
export function isKeysym(keysym) {
  return typeof keysym === "number" && Number.isInteger(keysym) && keysym > 0 && keysym <= 0x0110_ffff;
}

/**
 * The keysyms that type a text, one for each code point; line ends become Return, tabs Tab.
 * @param {string} text
 */
export function keysymsOf(text) {
  return [...text.replace(/\r\n?/g, "\n")].map((character) => {
    if (character === "\n") return 0xff0d;
    if (character === "\t") return 0xff09;
    return keysyms.lookup(character.codePointAt(0) ?? 0);
  });
}

/**
 * Cut a text into pieces that fit one message each, never inside a code point.
 * @param {string} text
 */
export function pieces(text) {
  const characters = [...text.replace(/\r\n?/g, "\n")];
  const found = [];
  for (let at = 0; at < characters.length; at += TEXT_LIMIT) {
    found.push(characters.slice(at, at + TEXT_LIMIT).join(""));
  }
  return found;
}

/**
 * True for a key event that an input method is still working on: its result comes as committed text.
 * @param {{ isComposing?: boolean, key?: string, keyCode?: number }} event
 */
export function isComposing(event) {
  return Boolean(event.isComposing) || event.key === "Process" || event.key === "Dead" || event.keyCode === 229;
}

/**
 * The text of a key that has no keysym of its own: an emoji, or a dead key and a letter that do not combine.
 * @param {string} key
 */
export function textOfKey(key) {
  return key.length > 1 && /[^\x20-\x7e]/.test(key) ? key : null;
}

/**
 * The keysym of a key while Control, Alt or Meta is down: of a layout without Latin letters the letter that is
 * printed on the same key elsewhere, as programs know their shortcuts by those.
 * @param {number} keysym
 * @param {string} code
 */
export function latin(keysym, code) {
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  const foreign = (keysym > 0xff && keysym < 0xfe00) || keysym >= 0x0100_0100;
  return letter && foreign ? letter.toLowerCase().charCodeAt(0) : keysym;
}

/** True for the keys by which people paste. @param {KeyboardEvent} event */
export function isPaste({ code, key, ctrlKey, shiftKey, altKey, metaKey }) {
  if (code === "Insert") return shiftKey && !ctrlKey && !altKey && !metaKey;
  // by the letter where the layout has Latin ones, else by the place
  const v = /^[a-z]$/i.test(key) ? key.toLowerCase() === "v" : code === "KeyV";
  return v && ctrlKey && !altKey && !metaKey;
}
