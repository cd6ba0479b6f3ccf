import type { Session } from '@gatefold/runtime';

type Shape = Session['inputs'][number]['shape'];

/** The steps that an open number of them is. */
export const openSteps = 6;

/** The shape of one example. */
export function dimsOf(shape: Shape): number[] {
  return shape.map((dim) => (dim === 'batch' ? 1 : dim === 'time' ? openSteps : dim));
}

/** An example for every input of a session, in the order of its ports: waves and small ids, others for each `n`. */
export function wavesOf({ inputs }: Session, n = 0): Float32Array[] {
  return inputs.map(({ shape, dtype }, k) => {
    const size = dimsOf(shape).reduce((a, b) => a * b, 1);
    const value = (i: number) => (dtype === 'int32' ? (i * 7 + 3 + n) % 5 : Math.sin(i * 1.7 + k + n));
    return Float32Array.from({ length: size }, (_, i) => value(i));
  });
}

/** The same by the names of the ports. */
export function named({ inputs }: Session, arrays: readonly Float32Array[]): Record<string, Float32Array> {
  return Object.fromEntries(inputs.map(({ name }, k) => [name, arrays[k]!]));
}
