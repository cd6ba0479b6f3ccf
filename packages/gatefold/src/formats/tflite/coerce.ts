import { sizeOf } from '@gatefold/runtime';
import { innerSize, type Lift, proper, showDims } from './lift.ts';
import type { Operation, Signal } from './lifted.ts';
import { open } from './parse.ts';
import { stepsOf, whole } from './pieces.ts';

/** Input `i` of an operation as a computed tensor. @throws MODEL_UNSUPPORTED */
export function signalOf(lift: Lift, operation: Operation, i: number): Signal {
  const lifted = lift.input(operation, i);
  if (lifted.kind === 'signal') return lifted;
  if (lifted.kind === 'constant') lift.refuse(operation, `input ${i} is constant`);
  const steps = stepsOf(lift, operation, lifted);
  if (steps) return steps;
  return lift.refuse(operation, 'works on parts of states', 'states may only go into and out of recurrent cells');
}

/** A value without time: one hidden step taken out. */
function timeless(lift: Lift, operation: Operation, value: string): string {
  return lift.builder.isSequence(value) ? lift.node(operation, 'last', { x: value }) : value;
}

/**
 * The graph's value for a tensor [batch, steps, features], whose dimensions stand at `steps` and `features`.
 * @throws MODEL_UNSUPPORTED
 */
export function sequenceOf(
  lift: Lift,
  operation: Operation,
  given: Signal,
  dims: { readonly steps: number; readonly features: number },
): string {
  const signal = whole(lift, operation, given);
  const { shape, time, value } = signal;
  const steps = shape[dims.steps]!;
  const features = shape[dims.features]!;
  const extra = shape.some((dim, i) => i !== dims.steps && i !== dims.features && dim !== 1);
  if (extra)
    lift.refuse(operation, `takes one batch of a sequence, not ${showDims(shape)}`, 'convert with batch size 1');
  if (time === dims.steps || (time === -1 && steps === 1 && lift.builder.isSequence(value))) {
    if (lift.builder.type(value).shape.length === 1) return value;
    return lift.node(operation, 'reshape', { x: value }, { shape: [features], keepTime: true });
  }
  if (time === dims.features) return lift.node(operation, 'transpose', { x: value });
  if (dims.steps > dims.features && steps !== 1 && features !== 1)
    lift.refuse(operation, 'steps come after features in its input');
  const x = timeless(lift, operation, value);
  return lift.node(operation, 'reshape', { x }, { shape: [steps, features], time: true });
}

/**
 * A value whose last dimension holds `columns` features, and the shape that a row-wise operator leaves before them.
 * Steps stay where they can; else everything is joined.
 */
export function rowsOf(
  lift: Lift,
  operation: Operation,
  given: Signal,
  columns: number,
): { value: string; before: number[]; time: number } {
  const signal = whole(lift, operation, given);
  const { shape, time, value } = signal;
  const last = shape.length - 1;
  const inner = innerSize(lift, value);
  const flat = lift.builder.type(value).shape.length === 1;
  if (time !== last && inner === columns) {
    const before = shape[last] === columns ? shape.slice(0, -1) : shape.map((dim, i) => (i === time ? dim : 1));
    const x = flat ? value : lift.node(operation, 'reshape', { x: value }, { shape: [columns], keepTime: true });
    return { value: x, before, time };
  }
  const [first, ...rest] = proper(shape.slice(0, -1));
  if (time === -1 && first !== undefined && rest.length === 0 && shape[last] === columns) {
    const value = sequenceOf(lift, operation, signal, { steps: first, features: last });
    return { value, before: shape.slice(0, -1), time: first };
  }
  const steps = time === -1 ? 1 : shape[time]!;
  if (steps === open || steps * inner !== columns || !inOrder(signal)) {
    lift.refuse(operation, `takes rows of ${columns} features, its input is ${showDims(shape)}`);
  }
  return { value: joined(lift, operation, signal), before: [1], time: -1 };
}

/** Whether steps come before features, so that joining them needs no transposition. */
function inOrder({ shape, time }: Signal): boolean {
  return time === -1 || proper(shape)[0] === time || shape[time] === 1;
}

/** All steps and features as one vector. */
export function joined(lift: Lift, operation: Operation, given: Signal): string {
  const signal = whole(lift, operation, given);
  const { value, time, shape } = signal;
  if (!inOrder(signal)) {
    const x = lift.node(operation, 'transpose', { x: value });
    return lift.node(operation, 'reshape', { x }, { shape: [sizeOf(shape)] });
  }
  const isFlat = time === -1 && lift.builder.type(value).shape.length === 1;
  if (isFlat) return timeless(lift, operation, value);
  return lift.node(operation, 'reshape', { x: value }, { shape: [sizeOf(shape)] });
}

/** The signal in another shape of the same size. */
export function reshaped(lift: Lift, operation: Operation, given: Signal, shape: readonly number[]): Signal {
  if (sizeOf(shape) !== sizeOf(given.shape)) {
    lift.refuse(operation, `cannot make ${showDims(shape)} of ${showDims(given.shape)}`);
  }
  if (given.time === -1) return { ...given, shape };
  const from = proper(given.shape);
  const to = proper(shape);
  const same = from.length === to.length && from.every((dim, i) => given.shape[dim] === shape[to[i]!]);
  if (same) return { ...given, shape, time: to[from.indexOf(given.time)] ?? -1 };
  const signal = whole(lift, operation, given);
  if (inOrder(signal) && to.length > 0 && shape[to[0]!] === signal.shape[signal.time]) {
    // The steps stay, what each holds is arranged anew: as a view.
    return { kind: 'signal', value: signal.value, shape, time: to[0]! };
  }
  if (signal.shape.includes(open)) {
    lift.refuse(operation, `joins an open number of steps: ${showDims(given.shape)} to ${showDims(shape)}`);
  }
  return { kind: 'signal', value: joined(lift, operation, signal), shape, time: -1 };
}
