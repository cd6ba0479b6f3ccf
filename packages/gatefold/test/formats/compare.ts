import { expect } from 'vitest';

/** Fails unless every value is within `tolerance`·max(1, |reference|) of the reference. */
export function expectNear(
  values: ArrayLike<number>,
  reference: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(values.length, `size of ${what}`).toBe(reference.length);
  let worst = 0;
  for (let i = 0; i < reference.length; i++) {
    const distance = Math.abs(values[i]! - reference[i]!) / Math.max(1, Math.abs(reference[i]!));
    worst = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(worst, distance);
  }
  expect(worst, what).toBeLessThanOrEqual(tolerance);
}
