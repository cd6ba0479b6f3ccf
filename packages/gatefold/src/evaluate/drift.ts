import { createSession, type Model } from '@gatefold/runtime';
import { Float64Oracle } from './oracle.ts';

/** Mean absolute difference of the first output's rows around a number of steps. */
export interface DriftPoint {
  readonly step: number;
  readonly difference: number;
}

const marks = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];

type Row = ArrayLike<number> | undefined;

/** A step that has no row due (a strided layer, a convolution that waits for its window) says nothing. */
function measure(steps: number, step: (t: number) => [Row, Row]): DriftPoint[] {
  const points: DriftPoint[] = [];
  let sum = 0;
  let count = 0;
  for (let t = 1; t <= steps; t++) {
    const [a, b] = step(t - 1);
    if (a && b) {
      for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
      count += a.length;
    }
    if (marks.includes(t) && count > 0) {
      points.push({ step: t, difference: sum / count });
      sum = 0;
      count = 0;
    }
  }
  return points;
}

/** How far b's outputs are from a's on one long stream of steps; `input(t)` gives the input of step t. */
export function driftBetween(a: Model, b: Model, input: (t: number) => Float32Array, steps: number): DriftPoint[] {
  const [first, second] = [createSession(a).stream(), createSession(b).stream()];
  return measure(steps, (t) => {
    const x = input(t);
    return [first.step(x), second.step(x)];
  });
}

/** How far the model's outputs, as executed, are from its equations in float64 on the same decoded weights. */
export function driftFromFloat64(
  model: Model,
  input: (t: number) => Float32Array,
  steps: number,
  original: Model = model,
): DriftPoint[] {
  const oracle = new Float64Oracle(original);
  const stream = createSession(model).stream();
  return measure(steps, (t) => {
    const x = input(t);
    return [oracle.step(x), stream.step(x)];
  });
}
