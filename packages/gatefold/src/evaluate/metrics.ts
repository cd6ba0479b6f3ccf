import type { Task } from '../data/index.ts';
import { softplus } from '../train/functions64.ts';

/** Sums that metrics are made of; computed in float64. */
export class MetricSums {
  count = 0;
  correct = 0;
  /** Σ −log p(target), in nats. */
  loss = 0;
  /** Per class: examples, correct, predicted. */
  private readonly seen: number[] = [];
  private readonly hit: number[] = [];
  private readonly said: number[] = [];
  /** Of label sequences: labels, edits that turn what was read into them. */
  private labels = 0;
  private edits = 0;
  /** Of yes or no: answers, right ones, those of yes, said and right. */
  private readonly answers = { all: 0, right: 0, wanted: 0, said: 0, both: 0 };
  private squares = 0;
  private absolute = 0;
  private sum = 0;
  private sumOfSquares = 0;

  /** A row of class scores (probabilities, or logits) and the right class. */
  addClass(scores: Float32Array, from: number, width: number, target: number, areProbabilities: boolean): number {
    let best = 0;
    for (let i = 1; i < width; i++) if (scores[from + i]! > scores[from + best]!) best = i;
    this.count++;
    if (best === target) this.correct++;
    this.loss -= logProbability(scores, from, width, target, areProbabilities);
    this.seen[target] = (this.seen[target] ?? 0) + 1;
    this.said[best] = (this.said[best] ?? 0) + 1;
    if (best === target) this.hit[target] = (this.hit[target] ?? 0) + 1;
    return best;
  }

  /** The labels of a sequence, those that were read from the scores, and −log p of the labels. */
  addTranscript(wanted: ArrayLike<number>, found: ArrayLike<number>, loss: number): void {
    const edits = editDistance(wanted, found);
    this.count++;
    this.labels += wanted.length;
    this.edits += edits;
    if (edits === 0) this.correct++;
    this.loss += loss;
  }

  /** A row of answers, as probabilities of yes or their log-odds, and what is right: 0 or 1 each. */
  addAnswers(scores: Float32Array, targets: Float32Array, areProbabilities: boolean): void {
    const { answers } = this;
    this.count++;
    scores.forEach((score, i) => {
      const yes = targets[i] === 1;
      const said = score > (areProbabilities ? 0.5 : 0);
      answers.all++;
      if (said === yes) answers.right++;
      if (yes) answers.wanted++;
      if (said) answers.said++;
      if (said && yes) answers.both++;
      if (areProbabilities) this.loss -= Math.log(Math.max(yes ? score : 1 - score, 1e-12));
      else this.loss += softplus(yes ? -score : score);
    });
  }

  addValue(value: number, target: number): void {
    this.count++;
    this.squares += (value - target) ** 2;
    this.absolute += Math.abs(value - target);
    this.sum += target;
    this.sumOfSquares += target * target;
  }

  /**
   * accuracy, F1 and errors of labels as shares, losses in nats (per label; nll per row of answers; bits per character for texts),
   * errors in the targets' unit.
   */
  result(task: Task): Record<string, number> {
    const n = this.count;
    if (task === 'regress') {
      const spread = this.sumOfSquares - (this.sum * this.sum) / n;
      const mse = this.squares / n;
      return { mse, rmse: Math.sqrt(mse), mae: this.absolute / n, r2: spread > 0 ? 1 - this.squares / spread : 0 };
    }
    if (task === 'transcribe') {
      const labels = Math.max(1, this.labels);
      return { labelErrorRate: this.edits / labels, sequenceAccuracy: this.correct / n, loss: this.loss / labels };
    }
    const loss = this.loss / n;
    if (task === 'binary') {
      const { all, right, wanted, said, both } = this.answers;
      return { nll: loss, accuracy: right / all, f1: (2 * both) / Math.max(1, wanted + said), rows: n };
    }
    if (task === 'language') {
      return { loss, perplexity: Math.exp(loss), bitsPerSymbol: loss / Math.LN2, accuracy: this.correct / n };
    }
    return { accuracy: this.correct / n, correct: this.correct, total: n, loss, macroF1: this.macroF1() };
  }

  /** The mean over the classes that are there or were predicted. */
  private macroF1(): number {
    let sum = 0;
    let classes = 0;
    for (let i = 0; i < Math.max(this.seen.length, this.said.length); i++) {
      const both = (this.seen[i] ?? 0) + (this.said[i] ?? 0);
      if (both === 0) continue;
      sum += (2 * (this.hit[i] ?? 0)) / both;
      classes++;
    }
    return sum / classes;
  }
}

/** Natural logarithm of the target's probability; logits go through log-softmax. Zero probabilities count as 1e-12. */
export function logProbability(
  scores: Float32Array,
  from: number,
  width: number,
  target: number,
  areProbabilities: boolean,
): number {
  if (areProbabilities) return Math.log(Math.max(scores[from + target]!, 1e-12));
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < width; i++) largest = Math.max(largest, scores[from + i]!);
  let sum = 0;
  for (let i = 0; i < width; i++) sum += Math.exp(scores[from + i]! - largest);
  return scores[from + target]! - largest - Math.log(sum);
}

/** Labels to insert, to drop or to exchange, at least, to make one sequence of the other (Levenshtein 1966). */
function editDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + Number(a[i] !== b[j])));
    }
    row = next;
  }
  return row[b.length]!;
}

/** What accuracy or loss a task is judged by, whether more is better, and whether it is a share, which changes by points. */
export function mainMetric(task: Task): { name: string; better: 'more' | 'less'; share: boolean } {
  if (task === 'transcribe') return { name: 'labelErrorRate', better: 'less', share: true };
  if (task === 'language') return { name: 'perplexity', better: 'less', share: false };
  if (task === 'binary') return { name: 'nll', better: 'less', share: false };
  if (task === 'regress') return { name: 'rmse', better: 'less', share: false };
  return { name: 'accuracy', better: 'more', share: true };
}
