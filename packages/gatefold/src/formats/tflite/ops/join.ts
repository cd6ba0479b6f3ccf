import { sizeOf } from '@gatefold/runtime';
import type { Constant } from '../constant.ts';
import { axisOf, type Lift, proper, showDims } from '../lift.ts';
import type { Lifted, Operation, Pieces, Signal } from '../lifted.ts';
import { constantSource, simplified, stepsOf, whole } from '../pieces.ts';
import { viewed } from './shape.ts';
import type { Handler } from './types.ts';

/** Tensors joined along `axis`, element by element. */
function joinedPieces(lift: Lift, operation: Operation, parts: readonly Lifted[], axis: number): Pieces {
  const sources: string[] = [];
  const shape = [...parts[0]!.shape];
  shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const size = sizeOf(shape);
  lift.charge(size, operation.place);
  const source = new Int32Array(size);
  const index = new Int32Array(size);
  const inner = sizeOf(shape.slice(axis + 1));
  let offset = 0;
  for (const part of parts) {
    const base = sources.length;
    const step = part.kind === 'signal' && part.step ? part.step.at * sizeOf(part.shape) : 0;
    sources.push(...(part.kind === 'pieces' ? part.sources : [part.kind === 'signal' ? part.value : constantSource]));
    const block = part.shape[axis]! * inner;
    const count = sizeOf(part.shape);
    for (let i = 0; i < count; i++) {
      const at = Math.floor(i / block) * shape[axis]! * inner + offset + (i % block);
      source[at] = base + (part.kind === 'pieces' ? part.source[i]! : 0);
      index[at] = part.kind === 'pieces' ? part.index[i]! : step + i;
    }
    offset += block;
  }
  return { kind: 'pieces', shape, sources, source, index };
}

function joinedConstants(lift: Lift, operation: Operation, parts: readonly Constant[], axis: number): Constant {
  const pieces = joinedPieces(lift, operation, parts, axis);
  const first = parts[0]!;
  const data = first.data.slice(0, 0);
  const Kind = data.constructor as new (length: number) => Constant['data'];
  const out = new Kind(pieces.index.length);
  pieces.index.forEach((i, at) => {
    out[at] = parts[pieces.source[at]!]!.data[i]!;
  });
  return lift.fold(first.name, pieces.shape, out, first.type);
}

/** All steps of one value in order, or in reverse order; the value then. */
export function allSteps(parts: readonly Lifted[]): { value: string; backward: boolean } | undefined {
  const [first] = parts;
  if (first?.kind !== 'signal' || !first.step || first.step.of !== parts.length) return undefined;
  for (const backward of [false, true]) {
    const fits = parts.every(
      (part, i) =>
        part.kind === 'signal' &&
        part.value === first.value &&
        part.step?.at === (backward ? parts.length - 1 - i : i) &&
        part.step.of === parts.length,
    );
    if (fits) return { value: first.value, backward };
  }
  return undefined;
}

const join: Handler = (lift, operation) => {
  const pack = operation.name === 'PACK';
  const inputs = operation.inputs.map((_, i) => lift.input(operation, i));
  // Along the features steps are meant, where parts of states are packed otherwise.
  const wide =
    !pack &&
    inputs.some(
      ({ shape }) => axisOf(Number(operation.options.axis), shape.length, operation.place) === shape.length - 1,
    );
  const given = inputs.map((part) =>
    wide && part.kind === 'pieces' ? (stepsOf(lift, operation, part) ?? part) : part,
  );
  const rank = given[0] ? given[0].shape.length + (pack ? 1 : 0) : 0;
  const axis = axisOf(Number(operation.options.axis), rank, operation.place);
  const parts = pack ? given.map((part): Lifted => ({ ...part, shape: part.shape.toSpliced(axis, 0, 1) })) : given;
  const same = parts.every((part) => part.shape.every((dim, i) => i === axis || dim === parts[0]!.shape[i]));
  if (!same || parts.some((part) => part.shape.length !== rank))
    lift.refuse(operation, 'joins tensors that differ in shape');
  const [output] = operation.outputs;
  if (parts.every((part) => part.kind === 'constant')) {
    lift.set(output!, joinedConstants(lift, operation, parts, axis));
    return;
  }
  const shape = parts[0]!.shape.with(
    axis,
    parts.reduce((sum, part) => sum + part.shape[axis]!, 0),
  );
  const steps = allSteps(parts);
  const features = proper(parts[0]!.shape);
  if (steps && features.every((dim) => dim !== axis) && parts[0]!.shape[axis] === 1) {
    const value = steps.backward ? lift.node(operation, 'reverse', { x: steps.value }) : steps.value;
    const time = parts.length === 1 ? -1 : axis;
    lift.set(output!, { kind: 'signal', value, shape, time });
    return;
  }
  if (parts.length === 1 && given[0]!.kind === 'signal') {
    lift.set(output!, viewed(lift, operation, given[0]!, shape));
    return;
  }
  const featureAxis = parts.every(
    (part) =>
      part.kind === 'signal' &&
      part.time !== axis &&
      part.shape.every((dim, i) => dim === 1 || i === axis || i === part.time),
  );
  const after = shape.slice(axis + 1).every((dim) => dim === 1);
  if (featureAxis && after && !(pack && parts.some((part) => sizeOf(part.shape) > 1))) {
    const signals = parts.map((part) => whole(lift, operation, part as Signal));
    const timed = signals.find(({ time }) => time !== -1);
    const values = Object.fromEntries(signals.map(({ value }, i) => [String(i), value]));
    lift.set(output!, {
      kind: 'signal',
      value: lift.node(operation, 'concat', values),
      shape,
      time: timed?.time ?? -1,
    });
    return;
  }
  if (parts.some((part) => part.kind === 'signal' && part.time !== -1)) {
    lift.refuse(operation, `joins ${parts.map((part) => showDims(part.shape)).join(', ')} along dimension ${axis}`);
  }
  lift.set(output!, simplified(lift, joinedPieces(lift, operation, parts, axis)));
};

export const joinHandlers: Readonly<Record<string, Handler>> = { PACK: join, CONCATENATION: join };
