import { describe, expect, it } from 'vitest';
import { logProbability, mainMetric } from '../../src/evaluate/index.ts';
import { MetricSums } from '../../src/evaluate/metrics.ts';

/** Scores of each example, its class. */
const scores: [number[], number][] = [
  [[0.7, 0.2, 0.1], 0],
  [[0.1, 0.6, 0.3], 1],
  [[0.5, 0.3, 0.2], 1],
  [[0.25, 0.25, 0.5], 2],
];

function summed(areProbabilities: boolean, change = (p: number) => p): MetricSums {
  const sums = new MetricSums();
  const flat = Float32Array.from(
    scores.flatMap(([row]) => row),
    change,
  );
  scores.forEach(([row, target], i) => {
    sums.addClass(flat, i * row.length, row.length, target, areProbabilities);
  });
  return sums;
}

describe('classes', () => {
  const loss = -(Math.log(0.7) + Math.log(0.6) + Math.log(0.3) + Math.log(0.5)) / 4;

  it('counts, and sums the loss', () => {
    const result = summed(true).result('classify');
    expect(result).toMatchObject({ accuracy: 3 / 4, correct: 3, total: 4 });
    expect(result.loss).toBeCloseTo(loss, 6);
    // Class 0: 1 seen, said twice; class 1: 2 seen, said once; class 2: right.
    expect(result.macroF1).toBeCloseTo((2 / 3 + 2 / 3 + 1) / 3, 12);
  });

  it('has the same loss for logits, wherever they lie', () => {
    for (const shift of [0, 80, -300]) {
      const result = summed(false, (p) => Math.log(p) + shift).result('classify');
      expect(result.loss).toBeCloseTo(loss, 4);
      expect(result.accuracy).toBe(3 / 4);
    }
  });

  it('gives perplexity and bits for texts', () => {
    const result = summed(true).result('language');
    expect(result.loss).toBeCloseTo(loss, 6);
    expect(result.perplexity).toBeCloseTo((0.7 * 0.6 * 0.3 * 0.5) ** (-1 / 4), 5);
    expect(result.bitsPerSymbol).toBeCloseTo(loss / Math.log(2), 6);
    expect(result.accuracy).toBe(3 / 4);
  });

  it('gives the number of symbols as the perplexity of one who knows nothing', () => {
    const sums = new MetricSums();
    for (let target = 0; target < 8; target++) sums.addClass(new Float32Array(8), 0, 8, target, false);
    expect(sums.result('language').perplexity).toBeCloseTo(8, 10);
  });

  it('takes the mean of F1 over classes that are there', () => {
    const sums = new MetricSums();
    sums.addClass(Float32Array.of(0, 0, 0, 0, 1, 0), 0, 6, 4, true);
    expect(sums.result('classify')).toMatchObject({ accuracy: 1, macroF1: 1 });
  });

  it('counts classes that are predicted and never there, as scikit-learn does', () => {
    const sums = new MetricSums();
    // y_true = 0 0 1 1, y_pred = 0 3 1 1: F1 is 2/3 of class 0, 1 of class 1, 0 of class 3; class 2 is nowhere.
    for (const [target, said] of [
      [0, 0],
      [0, 3],
      [1, 1],
      [1, 1],
    ] as const) {
      const row = new Float32Array(5);
      row[said] = 1;
      sums.addClass(row, 0, 5, target, true);
    }
    expect(sums.result('classify').macroF1).toBeCloseTo((2 / 3 + 1 + 0) / 3, 12);
  });

  it('stays finite where the target has no probability, and for huge logits', () => {
    expect(logProbability(Float32Array.of(1, 0), 0, 2, 1, true)).toBeCloseTo(Math.log(1e-12), 10);
    expect(logProbability(Float32Array.of(3e38, 0), 0, 2, 1, false)).toBeCloseTo(-3e38, -33);
    expect(logProbability(Float32Array.of(3e38, 0), 0, 2, 0, false)).toBe(0);
  });
});

describe('answers', () => {
  const targets = Float32Array.of(1, 0, 1);
  const probabilities = [0.75, 0.5, 0.25];
  const logits = probabilities.map((p) => Math.log(p / (1 - p)));

  it.each([
    ['probabilities', probabilities, true],
    ['log-odds', logits, false],
  ])('of %s: the loss of a row is that of all its answers together', (_, scores, areProbabilities) => {
    const sums = new MetricSums();
    for (let row = 0; row < 2; row++) sums.addAnswers(Float32Array.from(scores), targets, areProbabilities);
    // Said: yes, no, no. Right: the first two.
    const loss = -(Math.log(0.75) + Math.log(0.5) + Math.log(0.25));
    const { nll, ...rest } = sums.result('binary');
    expect(nll).toBeCloseTo(loss, 6);
    expect(rest).toEqual({ accuracy: 2 / 3, f1: 2 / 3, rows: 2 });
  });

  it('stays finite where what is right was impossible, and for huge log-odds', () => {
    for (const [score, areProbabilities] of [
      [0, true],
      [-1e30, false],
    ] as const) {
      const sums = new MetricSums();
      sums.addAnswers(Float32Array.of(score), Float32Array.of(1), areProbabilities);
      expect(sums.result('binary').nll).toBeGreaterThan(27);
      expect(sums.result('binary').nll).toBeLessThan(2e30);
    }
  });
});

describe('values', () => {
  const result = (pairs: [number, number][]) => {
    const sums = new MetricSums();
    for (const [value, target] of pairs) sums.addValue(value, target);
    return sums.result('regress');
  };

  it('measures errors and what they explain', () => {
    const found = result([
      [1, 2],
      [3, 3],
      [5, 4],
      [9, 7],
    ]);
    // Errors −1, 0, 1, 2; the mean of the targets is 4, their squares around it sum to 4 + 1 + 0 + 9.
    expect(found).toEqual({ mse: 1.5, rmse: Math.sqrt(1.5), mae: 1, r2: 1 - 6 / 14 });
  });

  it('gives 1 for exact values, 0 for the mean, less for worse', () => {
    expect(
      result([
        [1, 1],
        [2, 2],
      ]).r2,
    ).toBe(1);
    expect(
      result([
        [1.5, 1],
        [1.5, 2],
      ]).r2,
    ).toBe(0);
    expect(
      result([
        [2, 1],
        [1, 2],
      ]).r2,
    ).toBe(-3);
    expect(
      result([
        [1, 5],
        [1, 5],
      ]).r2,
    ).toBe(0);
  });
});

describe('label sequences', () => {
  it.each([
    ['kitten', 'sitting', 3],
    ['abc', 'abc', 0],
    ['abc', '', 3],
    ['', 'ab', 2],
    ['intention', 'execution', 5],
  ])('%s is %s after %i edits', (wanted, found, edits) => {
    const sums = new MetricSums();
    const codes = (word: string) => Array.from(word, (letter) => letter.charCodeAt(0));
    sums.addTranscript(codes(wanted), codes(found), 6);
    const labels = Math.max(1, wanted.length);
    expect(sums.result('transcribe')).toEqual({
      labelErrorRate: edits / labels,
      sequenceAccuracy: Number(edits === 0),
      loss: 6 / labels,
    });
  });
});

it('judges each task by one metric', () => {
  expect(mainMetric('classify')).toEqual({ name: 'accuracy', better: 'more', share: true });
  expect(mainMetric('label')).toEqual({ name: 'accuracy', better: 'more', share: true });
  expect(mainMetric('transcribe')).toEqual({ name: 'labelErrorRate', better: 'less', share: true });
  expect(mainMetric('language')).toEqual({ name: 'perplexity', better: 'less', share: false });
  expect(mainMetric('regress')).toEqual({ name: 'rmse', better: 'less', share: false });
});
