import type { Candidate } from './candidate.ts';

const mostSteps = 100_000;

/** A name without its last number, and the number: "lstm2" and "head.2" come after "lstm1" and "head.0". */
function numbered({ entry: { path } }: Candidate): { stem: string; number: number } | undefined {
  const match = /^(.*?)(\d+)$/.exec(path);
  return match ? { stem: match[1]!, number: Number(match[2]) } : undefined;
}

/** Whether names alone tell that a comes before b. */
function precedes(a: Candidate, b: Candidate): boolean {
  if (a.layers[0]?.type === 'embedding' && b.layers[0]?.type !== 'embedding') return true;
  const [x, y] = [numbered(a), numbered(b)];
  return x !== undefined && y !== undefined && x.stem === y.stem && x.number < y.number;
}

/**
 * Orders modules of a file that lists its keys by the alphabet: each must take what the one before it gives.
 * @returns every order that fits, at most two; none where no order fits, or where there are too many modules to try
 */
export function ordersOf(candidates: readonly Candidate[]): Candidate[][] {
  const found: Candidate[][] = [];
  const taken = new Set<Candidate>();
  let steps = 0;
  const extend = (chain: Candidate[], width: number | undefined): void => {
    if (found.length > 1 || ++steps > mostSteps) return;
    if (chain.length === candidates.length) {
      found.push([...chain]);
      return;
    }
    for (const next of candidates) {
      if (taken.has(next) || (width !== undefined && next.takes !== width)) continue;
      if (candidates.some((other) => other !== next && !taken.has(other) && precedes(other, next))) continue;
      taken.add(next);
      extend([...chain, next], next.gives ?? width);
      taken.delete(next);
    }
  };
  if (candidates.length <= 64) extend([], undefined);
  return steps > mostSteps ? [] : found;
}
