import { decode, type Model } from '@gatefold/runtime';
import { randomSource } from '../../../runtime/test/support/random.ts';
import type { Dataset } from '../../src/data/index.ts';

/** Which of three symbols came first, with noise after it: what a recurrent network must remember. */
export function recall(count: number, seed: number, steps = 8): Dataset {
  const random = randomSource(seed);
  const x = new Float32Array(count * steps * 3);
  const y = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    y[i] = Math.floor(random() * 3);
    x[i * steps * 3 + y[i]!] = 1;
    for (let k = 3; k < steps * 3; k++) x[i * steps * 3 + k] = 0.3 * (random() - 0.5);
  }
  return {
    ...{ name: 'recall', task: 'classify', count },
    inputs: { x: { shape: [count, steps, 3], data: x } },
    targets: { shape: [count], data: y },
  };
}

/** A text of a repeated pattern. */
export function text(length: number): Dataset {
  const symbols = Float32Array.from({ length: length + 1 }, (_, i) => [0, 1, 2, 3, 1, 4, 0][i % 7]!);
  return {
    ...{ name: 'text', task: 'language', count: 1, classes: ['a', 'b', 'c', 'd', 'e'] },
    inputs: { x: { shape: [1, length], data: symbols.subarray(0, length) } },
    targets: { shape: [1, length], data: symbols.subarray(1) },
  };
}

/** Every weight's bytes. */
export function bits(model: Model): Uint8Array[] {
  return Object.values(model.weights).map((weight) => {
    const values = decode(weight);
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
  });
}
