import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import { joinCodings, pickCoding } from '../graph/coding.ts';
import { broadcastShape, broadcastTo, indexArray, type Picked, rangeOf, sliced, transposed } from '../graph/indices.ts';
import { type Constant, constant, type Dim, isUnknown } from '../graph/tensor.ts';
import { arrayOf, foldableBinaries, foldableUnaries, foldBinary, foldUnary, take } from './fold-arithmetic.ts';
import { slicesOf } from './slice-ranges.ts';

/** Folding may copy a constant again and again. */
const mostFolded = 1 << 26;

type Fold = (call: Call, inputs: readonly Constant[]) => Constant | readonly Constant[];

function picked(from: Constant, pick: Picked): Constant {
  const coding = pickCoding(from.coding, pick);
  return {
    ...constant(from.type, pick.shape, take(from, pick)),
    ...(coding ? { coding } : {}),
    ...(from.open ? { open: true } : {}),
  };
}

/** The same elements in another shape; they keep their name, so that a weight is called as in the file. */
function reshaped(call: Call, from: Constant, shape: readonly number[]): Constant {
  if (sizeOf(shape) !== sizeOf(from.shape)) {
    call.fail('MODEL_SHAPE', 'a constant cannot take the shape', { expected: `[${shape}]`, found: `[${from.shape}]` });
  }
  return { ...from, shape };
}

export function squeezed(call: Call, shape: readonly Dim[], axes: readonly number[] | undefined): number[] {
  const drop = axes?.map((axis) => call.axis(axis, shape.length)) ?? shape.flatMap((n, i) => (n === 1 ? [i] : []));
  const odd = drop.find((axis) => !isUnknown(shape[axis]!) && shape[axis] !== 1);
  if (odd !== undefined) call.fail('MODEL_SHAPE', `axis ${odd} is not 1`, { found: String(shape[odd]) });
  return shape.map((_, i) => i).filter((i) => !drop.includes(i));
}

/** Where the axes of the unsqueezed tensor come from; −1 for new ones. */
export function unsqueezed(call: Call, rank: number, axes: readonly number[] | undefined): number[] {
  const total = rank + (axes?.length ?? 0);
  const added = new Set((axes ?? call.refuse('needs axes')).map((axis) => call.axis(axis, total)));
  let next = 0;
  return Array.from({ length: rank + added.size }, (_, i) => (added.has(i) ? -1 : next++));
}

/** The shape that ONNX' Reshape asks for, with 0 and −1 filled in where they can be. */
export function targetShape(call: Call, wanted: readonly Dim[], from: readonly Dim[]): Dim[] {
  const allowZero = call.int('allowzero', 0) !== 0;
  return wanted.map((n, i) => {
    if (n !== 0 || allowZero) return n;
    return from[i] ?? call.fail('MODEL_SHAPE', 'a 0 in the shape stands for no axis');
  });
}

function reshape(call: Call, [x, shape]: readonly Constant[]): Constant {
  const target = targetShape(
    call,
    Array.from((shape ?? call.refuse('needs a shape')).data as ArrayLike<Dim>),
    x!.shape,
  );
  const known = target.filter((n): n is number => !isUnknown(n) && n !== -1);
  if (known.length < target.length - 1) call.refuse('its shape is not known');
  const rest = sizeOf(x!.shape) / sizeOf(known);
  const filled = target.map((n) => (isUnknown(n) || n === -1 ? rest : n));
  if (filled.some((n) => !Number.isInteger(n) || n < 0)) call.fail('MODEL_SHAPE', 'the shape does not fit');
  return reshaped(call, x!, filled);
}

function gather(call: Call, [data, indices]: readonly Constant[]): Constant {
  const axis = call.axis(call.int('axis', 0), data!.shape.length);
  const size = data!.shape[axis]!;
  const at = Array.from(call.numbers(indices!, 'indices'), (i) => (i < 0 ? i + size : i));
  if (at.some((i) => !(Number.isInteger(i) && i >= 0 && i < size))) call.fail('MODEL_SHAPE', 'an index lies outside');
  const inner = sizeOf(data!.shape.slice(axis + 1));
  const shape = [...data!.shape.slice(0, axis), ...indices!.shape, ...data!.shape.slice(axis + 1)];
  const out = indexArray(shape);
  for (let i = 0; i < out.length; i++) {
    const o = Math.floor(i / inner / at.length);
    out[i] = (o * size + at[Math.floor(i / inner) % at.length]!) * inner + (i % inner);
  }
  return picked(data!, { shape, indices: out });
}

function concat(call: Call, parts: readonly Constant[]): Constant {
  const first = parts[0]!;
  const axis = call.axis(call.int('axis', 0), first.shape.length);
  for (const part of parts) {
    const same =
      part.shape.length === first.shape.length && part.shape.every((n, i) => i === axis || n === first.shape[i]);
    if (!same) call.fail('MODEL_SHAPE', 'its constants do not fit', { found: `[${first.shape}] and [${part.shape}]` });
  }
  const inner = sizeOf(first.shape.slice(axis + 1));
  const outer = sizeOf(first.shape.slice(0, axis));
  const total = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const shape = first.shape.map((n, i) => (i === axis ? total : n));
  /** Puts the parts' arrays together along the axis. */
  const join = <T>(arrays: readonly ArrayLike<T>[], out: { [i: number]: T }) => {
    let from = 0;
    parts.forEach(({ shape: own }, p) => {
      const run = own[axis]! * inner;
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < run; i++) out[(o * total + from) * inner + i] = arrays[p]![o * run + i]!;
      }
      from += own[axis]!;
    });
  };
  const count = outer * total * inner;
  const elements = parts.map(({ data }) => data as ArrayLike<Dim>);
  const unknown = parts.some(({ data }) => Array.isArray(data));
  const Numbers = first.type === 'float' ? Float32Array : Float64Array;
  const out: Dim[] | Float32Array | Float64Array = unknown ? new Array<Dim>(count) : new Numbers(count);
  join(elements, out as { [i: number]: Dim });
  const coding = joinCodings(
    parts.map((part) => part.coding),
    (arrays) => {
      const made = new Float32Array(count);
      join<number>(arrays, made);
      return made;
    },
  );
  const open = parts.some((part) => part.open);
  return { ...constant(first.type, shape, out), ...(coding ? { coding } : {}), ...(open ? { open } : {}) };
}

/** Sizes of the parts that a Split makes. */
export function splitSizes(call: Call, size: number, sizes: readonly number[] | undefined): readonly number[] {
  const count = call.node.output.length;
  const each = Math.ceil(size / count);
  const made = sizes ?? Array.from({ length: count }, (_, i) => Math.min(each, size - i * each));
  const sum = made.reduce((a, b) => a + b, 0);
  if (made.length !== count || sum !== size || made.some((n) => !(Number.isInteger(n) && n >= 1))) {
    call.fail('MODEL_SHAPE', 'its parts do not fit', { expected: String(size), found: made.join(' + ') });
  }
  return made;
}

function split(call: Call, [x]: readonly Constant[]): readonly Constant[] {
  const axis = call.axis(call.int('axis', 0), x!.shape.length);
  let from = 0;
  return splitSizes(call, x!.shape[axis]!, call.list('split', 1)).map((count) => {
    const ranges = x!.shape.map((n, i) =>
      i === axis ? { start: from, step: 1, count } : { start: 0, step: 1, count: n },
    );
    from += count;
    return picked(x!, sliced(x!.shape, ranges));
  });
}

function where(call: Call, [condition, a, b]: readonly Constant[]): Constant {
  const chosen = call.numbers(condition!, 'condition');
  const shape = [a!, b!].reduce<number[] | undefined>(
    (sum, { shape: own }) => sum && broadcastShape(sum, own),
    [...condition!.shape],
  );
  if (!shape) call.fail('MODEL_SHAPE', 'its constants do not fit');
  const { indices } = broadcastTo(condition!.shape, shape);
  const x = take(a!, broadcastTo(a!.shape, shape)) as ArrayLike<Dim>;
  const y = take(b!, broadcastTo(b!.shape, shape)) as ArrayLike<Dim>;
  const elements = Array.from(indices, (i, k) => (chosen[i] === 0 ? y[k]! : x[k]!));
  return constant(a!.type, shape, arrayOf(a!.type, elements));
}

function product(call: Call, [x]: readonly Constant[]): Constant {
  const axes = call.list('axes', 1);
  if (x!.shape.length > 1 && axes?.length !== x!.shape.length) call.refuse('reduces a part of a constant');
  const numbers = Array.from(call.numbers(x!, 'operand'));
  const value = numbers.reduce((a, b) => a * b, 1);
  const keep = call.int('keepdims', 1) !== 0;
  return constant(x!.type, keep ? x!.shape.map(() => 1) : [], arrayOf(x!.type, [value]));
}

function range(call: Call, inputs: readonly Constant[]): Constant {
  const [start, limit, delta] = inputs.map((input) => Number(call.numbers(input, 'bounds')[0]));
  const count = Math.max(0, Math.ceil((limit! - start!) / delta!));
  if (!(count <= 1 << 20)) call.refuse('the range is too long');
  const elements = Array.from({ length: count }, (_, i) => start! + i * delta!);
  return constant(inputs[0]!.type, [count], arrayOf(inputs[0]!.type, elements));
}

const folds: Readonly<Record<string, Fold>> = {
  Identity: (_, [x]) => x!,
  Reshape: reshape,
  Flatten(call, [x]) {
    const at = call.int('axis', 1);
    return reshaped(call, x!, [sizeOf(x!.shape.slice(0, at)), sizeOf(x!.shape.slice(at))]);
  },
  Squeeze(call, [x]) {
    const kept = squeezed(call, x!.shape, call.list('axes', 1));
    return reshaped(
      call,
      x!,
      kept.map((i) => x!.shape[i]!),
    );
  },
  Unsqueeze(call, [x]) {
    const from = unsqueezed(call, x!.shape.length, call.list('axes', 1));
    return reshaped(
      call,
      x!,
      from.map((i) => (i < 0 ? 1 : x!.shape[i]!)),
    );
  },
  Transpose(call, [x]) {
    const perm = call.ints('perm') ?? x!.shape.map((_, i) => x!.shape.length - 1 - i);
    if ([...perm].sort((a, b) => a - b).some((n, i) => n !== i) || perm.length !== x!.shape.length) {
      call.fail('MODEL_SHAPE', 'perm is no permutation', { found: `[${perm}]` });
    }
    return picked(x!, transposed(x!.shape, perm));
  },
  Slice(call, [x]) {
    const ranges = x!.shape.map((count) => ({ start: 0, step: 1, count }));
    for (const { axis, start, end, step } of slicesOf(call, x!.shape.length)) {
      ranges[axis] = rangeOf(x!.shape[axis]!, start, end, step);
    }
    return picked(x!, sliced(x!.shape, ranges));
  },
  Gather: gather,
  Concat: concat,
  Split: split,
  Where: where,
  ReduceProd: product,
  Range: range,
  Expand(call, [x, shape]) {
    // Along an open length a constant is the same everywhere: one place of it says all.
    const dims = Array.from(shape!.data as ArrayLike<Dim>);
    const wanted = dims.map((n) => (isUnknown(n) ? 1 : n));
    const to = broadcastShape(x!.shape, wanted) ?? call.fail('MODEL_SHAPE', 'the constant cannot take the shape');
    const open = dims.some(isUnknown) || x!.open === true;
    return { ...picked(x!, broadcastTo(x!.shape, to)), ...(open ? { open } : {}) };
  },
  ...Object.fromEntries(foldableUnaries.map((op): [string, Fold] => [op, (call, [x]) => foldUnary(call, x!)])),
  ...Object.fromEntries(
    foldableBinaries.map((op): [string, Fold] => [
      op,
      (call, inputs) => inputs.reduce((a, b) => foldBinary(call, a, b)),
    ]),
  ),
};

/** The outputs of a node whose inputs are all constant; undefined for ops that are not folded. */
export function foldConstants(call: Call): readonly Constant[] | undefined {
  const fold = Object.hasOwn(folds, call.op) ? folds[call.op] : undefined;
  const inputs = call.inputs.filter((input): input is Constant => input?.kind === 'constant');
  if (!fold || inputs.length === 0 || inputs.length !== call.inputs.filter((input) => input !== undefined).length) {
    return undefined;
  }
  const sizes = inputs.map(({ shape }) => sizeOf(shape));
  call.reading.countFolded(
    sizes.reduce((a, b) => a + b, 0),
    mostFolded,
    call.name,
  );
  const made = fold(call, inputs);
  const outputs = Array.isArray(made) ? (made as readonly Constant[]) : [made as Constant];
  for (const { shape } of outputs) call.reading.countFolded(sizeOf(shape), mostFolded, call.name);
  return outputs;
}
