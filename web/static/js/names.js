/** A name nobody else has: 128 random bits in hex. Works on plain HTTP too, where `randomUUID` does not. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
