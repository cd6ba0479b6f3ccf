import type { Lift } from './lift.ts';
import type { Operation, Pieces, Signal } from './lifted.ts';

/**
 * Pieces that are whole vectors of one width, one after the other: a sequence with a step for each. That is how the
 * steps of an unrolled layer look whose first step the converter simplified.
 */
export function stepsOf(lift: Lift, operation: Operation, pieces: Pieces): Signal | undefined {
  const { shape, sources, source, index } = pieces;
  const dims = shape.flatMap((dim, i) => (dim === 1 ? [] : [i]));
  const [time, features] = dims;
  if (dims.length !== 2 || time === undefined || features === undefined) return undefined;
  const [count, width] = [shape[time]!, shape[features]!];
  const values: string[] = [];
  for (let step = 0; step < count; step++) {
    const value = sources[source[step * width]!]!;
    if (lift.isState(value) || lift.builder.type(value).shape.join() !== String(width)) return undefined;
    for (let i = 0; i < width; i++) {
      const at = step * width + i;
      if (index[at] !== i || sources[source[at]!] !== value) return undefined;
    }
    values.push(value);
  }
  if (values.some((value) => lift.builder.isSequence(value))) return undefined;
  const x = lift.node(operation, 'concat', Object.fromEntries(values.map((value, i) => [String(i), value])));
  const value = lift.node(operation, 'reshape', { x }, { shape: [count, width], time: true });
  return { kind: 'signal', value, shape, time };
}

/** Pieces that are one value in full are that value. */
export function simplified(lift: Lift, pieces: Pieces): Pieces | Signal {
  const { shape, sources, source, index } = pieces;
  const value = sources[source[0]!]!;
  const isValue =
    !lift.isState(value) &&
    index.every((from, at) => from === at && sources[source[at]!] === value) &&
    lift.builder.type(value).shape.join() === String(index.length);
  return isValue ? { kind: 'signal', value, shape, time: -1 } : pieces;
}
