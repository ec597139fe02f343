/**
 * The wait before try number `failures` (1 is the first repeat): doubling, capped, and spread over
 * 50..100 % so that many pages do not come back in step.
 * @param {number} failures
 * @param {{ firstMs: number, mostMs: number }} limits
 * @param {() => number} random from 0 up to 1
 */
export function backoff(failures, { firstMs, mostMs }, random) {
  const steps = Math.min(Math.max(failures, 1), 30) - 1;
  const full = Math.min(mostMs, firstMs * 2 ** steps);
  return Math.round(full * (0.5 + random() / 2));
}
