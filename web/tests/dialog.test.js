import assert from "node:assert/strict";
import { test } from "node:test";
import { isConfirmed } from "../static/js/dialog.js";

/** A dialog as Firefox has it: Escape leaves its value as it was. */
class Dialog extends EventTarget {
  returnValue = "";

  showModal() {}

  /** @param {string} [value] none: by Escape */
  close(value) {
    if (value !== undefined) this.returnValue = value;
    this.dispatchEvent(new Event("close"));
  }
}

test("a dialog that Escape closes says no, whatever was said the time before", async () => {
  const dialog = new Dialog();
  const said = [];
  for (const value of ["yes", undefined, "no", "yes", ""]) {
    const answer = isConfirmed(/** @type {any} */ (dialog));
    dialog.close(value);
    said.push(await answer);
  }
  assert.deepEqual(said, [true, false, false, true, false]);
});
