// Connectionist temporal classification (Graves et al. 2006): the labels of a sequence are known, their places are not.

/** Log of a sum of exponentials; −∞ counts as nothing. */
function logSum(...values: readonly number[]): number {
  const top = Math.max(...values);
  return top === Number.NEGATIVE_INFINITY ? top : top + Math.log(values.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

/** The labels with a blank before, between and after them: what a path goes through. */
function statesOf(labels: readonly number[], blank: number): number[] {
  return [blank, ...labels.flatMap((label) => [label, blank])];
}

/** Steps that labels need at least: one each, and a blank between equal neighbours. */
export function leastSteps(labels: ArrayLike<number>): number {
  let steps = labels.length;
  for (let i = 1; i < labels.length; i++) if (labels[i] === labels[i - 1]) steps++;
  return steps;
}

/**
 * −log p(labels) over all alignments with the rows of scores [steps][classes] (logits), and its gradient in the scores.
 * Infinite, with no gradient, where there are too few steps. Forward and backward sums in logarithms, float64.
 */
export function ctc64(
  scores: readonly (readonly number[])[],
  labels: readonly number[],
  blank: number,
): { loss: number; gradient: number[][] } {
  const states = statesOf(labels, blank);
  const logs = scores.map((row) => {
    const total = logSum(...row);
    return row.map((score) => score - total);
  });
  const never = Number.NEGATIVE_INFINITY;
  const last = scores.length - 1;
  // From two states before only where the state between is a blank that may be left out.
  const skips = states.map((label, s) => label !== blank && label !== states[s - 2]);
  const alpha: number[][] = [];
  logs.forEach((row, t) => {
    const before = alpha[t - 1];
    alpha.push(
      states.map((label, s) => {
        if (!before) return s < 2 ? row[label]! : never;
        return row[label]! + logSum(before[s]!, before[s - 1] ?? never, skips[s] ? (before[s - 2] ?? never) : never);
      }),
    );
  });
  const end = alpha[last] ?? [];
  const total = logSum(end.at(-1) ?? never, end.at(-2) ?? never);
  if (total === never) return { loss: Number.POSITIVE_INFINITY, gradient: scores.map((row) => row.map(() => 0)) };
  const gradient = logs.map((row) => row.map(Math.exp));
  // What comes after step t, by the state at t.
  let beta = states.map((_, s) => (s >= states.length - 2 ? 0 : never));
  for (let t = last; t >= 0; t--) {
    states.forEach((label, s) => {
      gradient[t]![label]! -= Math.exp(alpha[t]![s]! + beta[s]! - total);
    });
    const on = states.map((label, s) => beta[s]! + logs[t]![label]!);
    beta = states.map((_, s) => logSum(on[s]!, on[s + 1] ?? never, skips[s + 2] ? (on[s + 2] ?? never) : never));
  }
  return { loss: -total, gradient };
}

/** The labels of the best path: each step's best class, repeats joined, blanks dropped. `scores` is [steps, classes]. */
export function bestPath(scores: ArrayLike<number>, classes: number, blank: number): number[] {
  const out: number[] = [];
  let before = blank;
  for (let from = 0; from + classes <= scores.length; from += classes) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[from + c]! > scores[from + best]!) best = c;
    if (best !== blank && best !== before) out.push(best);
    before = best;
  }
  return out;
}
