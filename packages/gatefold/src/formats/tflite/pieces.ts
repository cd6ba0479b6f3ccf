import type { Lift } from './lift.ts';
import type { Operation, Pieces, Signal } from './lifted.ts';

/** The signal without `step`: that step taken out of its sequence. */
export function whole(lift: Lift, operation: Operation, signal: Signal): Signal {
  if (!signal.step) return signal;
  const { at, of } = signal.step;
  let x = signal.value;
  if (at !== of - 1) x = lift.node(operation, 'pad', { x }, { left: -at, right: at + 1 - of });
  const value = lift.node(operation, 'last', { x });
  return { kind: 'signal', value, shape: signal.shape, time: -1 };
}

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
  const picked: Signal[] = [];
  for (let step = 0; step < count; step++) {
    const value = sources[source[step * width]!]!;
    if (value === constantSource || lift.isState(value) || lift.builder.type(value).shape.join() !== String(width))
      return undefined;
    const first = index[step * width]!;
    for (let i = 0; i < width; i++) {
      const at = step * width + i;
      if (index[at] !== first + i || sources[source[at]!] !== value) return undefined;
    }
    const of = lift.builder.isSequence(value) ? lift.builder.steps(value) : 1;
    if (of === undefined || first % width !== 0) return undefined;
    picked.push({ kind: 'signal', value, shape: [1, width], time: -1, step: { at: first / width, of } });
  }
  const values = picked.map((signal) =>
    lift.builder.isSequence(signal.value) ? whole(lift, operation, signal).value : signal.value,
  );
  const x = lift.node(operation, 'concat', Object.fromEntries(values.map((value, i) => [String(i), value])));
  const value = lift.node(operation, 'reshape', { x }, { shape: [count, width], time: true });
  return { kind: 'signal', value, shape, time };
}

/** Stands for elements of constants among pieces: lists that loops fill are zeros at first. */
export const constantSource = '(constant)';

/** Pieces that are one value in full, or one step of it, are that. */
export function simplified(lift: Lift, pieces: Pieces): Pieces | Signal {
  const { shape, sources, source, index } = pieces;
  const value = sources[source[0]!];
  if (value === undefined || value === constantSource || lift.isState(value)) return pieces;
  const first = index[0]!;
  if (!index.every((from, at) => from === first + at && sources[source[at]!] === value)) return pieces;
  const inner = lift.builder.type(value).shape;
  const steps = lift.builder.isSequence(value) ? lift.builder.steps(value) : 1;
  if (inner.length !== 1 || steps === undefined || first % inner[0]! !== 0) return pieces;
  const width = inner[0]!;
  if (index.length === width * steps && first === 0) {
    const [time] = shape.flatMap((dim, i) => (dim === 1 ? [] : [i]));
    return { kind: 'signal', value, shape, time: steps === 1 || time === undefined ? -1 : time };
  }
  if (index.length !== width || steps === 1) return pieces;
  return { kind: 'signal', value, shape, time: -1, step: { at: first / width, of: steps } };
}
