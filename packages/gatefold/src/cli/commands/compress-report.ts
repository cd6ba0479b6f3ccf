import { fail } from '@gatefold/runtime';
import type { StepOutcome } from '../../recipe/index.ts';
import { alignedTable } from '../../report/index.ts';

/** A step of a recipe and what it changed. */
export interface ChangedStep {
  readonly pass: string;
  readonly summary: StepOutcome['changes'];
}

/** What each step did to each weight, as a table. */
export function changesText(steps: readonly ChangedStep[]): string {
  const rows = steps.flatMap(({ pass, summary }) =>
    summary.map(({ place, before, after, relativeError }) => [
      pass,
      place,
      before,
      after,
      relativeError === undefined ? '' : `${(relativeError * 100).toFixed(2)} %`,
    ]),
  );
  return alignedTable(['pass', 'weight', 'before', 'after', 'error'], rows, ['error']);
}

/** @throws GOAL_MISSED */
export function checkBytes(most: number | undefined, bytes: number): void {
  if (most === undefined || bytes <= most) return;
  fail('GOAL_MISSED', 'the file is larger than asked', {
    place: '--max-bytes',
    expected: `at most ${most} bytes`,
    found: `${bytes}`,
  });
}
