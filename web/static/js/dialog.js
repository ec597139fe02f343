/** Ask, and wait for the answer. @param {HTMLDialogElement} dialog whose button "yes" is the one that does it */
export async function isConfirmed(dialog) {
  // Firefox leaves the answer of the time before to a dialog that Escape closes.
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  return dialog.returnValue === "yes";
}
