// Connectionist temporal classification (Graves et al. 2006): the labels of a sequence are known, their places are not.

const never = Number.NEGATIVE_INFINITY;

/** log(eᵃ + eᵇ + eᶜ); −∞ counts as nothing. */
function logSum(a: number, b: number, c = never): number {
  const top = Math.max(a, b, c);
  return top === never ? never : top + Math.log(Math.exp(a - top) + Math.exp(b - top) + Math.exp(c - top));
}

/** Steps that labels need at least: one each, and a blank between equal neighbours. */
export function leastSteps(labels: ArrayLike<number>): number {
  let steps = labels.length;
  for (let i = 1; i < labels.length; i++) if (labels[i] === labels[i - 1]) steps++;
  return steps;
}

/** Sums over all ways to a state of the labels, step by step. */
interface Forward {
  /** The labels with a blank before, between and after them: what a path goes through. */
  readonly states: readonly number[];
  /** Whether a state may follow the one two before it: the blank between is left out. */
  readonly skips: readonly boolean[];
  /** log p of every class at every step. */
  readonly logs: readonly (readonly number[])[];
  readonly alpha: readonly (readonly number[])[];
  /** log p(labels) */
  readonly total: number;
}

function forward(scores: readonly ArrayLike<number>[], labels: ArrayLike<number>, blank: number): Forward {
  const states = [blank, ...Array.from(labels).flatMap((label) => [label, blank])];
  const skips = states.map((label, s) => label !== blank && label !== states[s - 2]);
  const logs = scores.map((row) => {
    const numbers = Array.from(row);
    const top = Math.max(...numbers);
    const total = top + Math.log(numbers.reduce((sum, v) => sum + Math.exp(v - top), 0));
    return numbers.map((score) => score - total);
  });
  const alpha: number[][] = [];
  for (const row of logs) {
    const before = alpha.at(-1);
    alpha.push(
      states.map((label, s) => {
        if (!before) return s < 2 ? row[label]! : never;
        return row[label]! + logSum(before[s]!, before[s - 1] ?? never, skips[s] ? before[s - 2] : never);
      }),
    );
  }
  const end = alpha.at(-1);
  return { states, skips, logs, alpha, total: end ? logSum(end.at(-1)!, end.at(-2) ?? never) : never };
}

/** −log p(labels) over all alignments with rows of scores [steps][classes] (logits), in float64; infinite for too few steps. */
export function ctcLoss64(scores: readonly ArrayLike<number>[], labels: ArrayLike<number>, blank: number): number {
  return -forward(scores, labels, blank).total;
}

/** The loss and its gradient in the scores, which is zero where the loss is infinite. */
export function ctc64(
  scores: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  blank: number,
): { loss: number; gradient: number[][] } {
  const { states, skips, logs, alpha, total } = forward(scores, labels, blank);
  if (total === never) return { loss: -total, gradient: logs.map((row) => row.map(() => 0)) };
  const gradient = logs.map((row) => row.map(Math.exp));
  // What comes after step t, by the state at t.
  let beta = states.map((_, s) => (s >= states.length - 2 ? 0 : never));
  for (let t = logs.length - 1; t >= 0; t--) {
    states.forEach((label, s) => {
      gradient[t]![label]! -= Math.exp(alpha[t]![s]! + beta[s]! - total);
    });
    const on = states.map((label, s) => beta[s]! + logs[t]![label]!);
    beta = states.map((_, s) => logSum(on[s]!, on[s + 1] ?? never, skips[s + 2] ? on[s + 2] : never));
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
