import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import {
  type Axis,
  type Dim,
  feature,
  isFeature,
  isUnknown,
  sameDim,
  showDim,
  showTensor,
  type Value,
} from '../graph/tensor.ts';
import { foldTime, stepsOf, timeAt } from '../graph/time.ts';
import { rowOf } from '../graph/views.ts';

/** The new axes from input axis `i` and wanted length `o` on, where they can be had without moving data. */
class Matcher {
  private readonly axes: readonly Axis[];
  private readonly wanted: readonly Dim[];
  private budget = 2000;

  /** `axes` must lie row-major. */
  constructor(axes: readonly Axis[], wanted: readonly Dim[]) {
    this.axes = axes;
    this.wanted = wanted;
  }

  match(i = 0, o = 0): Axis[] | undefined {
    if (--this.budget < 0) return undefined;
    const axis = this.axes[i];
    if (!axis)
      return this.wanted.slice(o).every((n) => n === 1 || n === -1)
        ? this.wanted.slice(o).map(() => feature(1))
        : undefined;
    return isFeature(axis) ? this.features(i, o) : (this.anchor(axis, i, o) ?? this.skip(i, o));
  }

  /** Batch or time keep their place: alone, or together as rows, or apart again. */
  private anchor(axis: Axis, i: number, o: number): Axis[] | undefined {
    const n = this.wanted[o];
    if (n === undefined) return undefined;
    if (axis.role === 'rows') {
      const [first, second] = axis.parts;
      const m = this.wanted[o + 1];
      if (m !== undefined && this.is(first.size, n) && this.is(second.size, m)) {
        const rest = this.match(i + 1, o + 2);
        if (rest) return [first, second, ...rest];
      }
    }
    if (this.is(axis.size, n)) {
      const rest = this.match(i + 1, o + 1);
      if (rest) return [axis, ...rest];
    }
    const next = this.axes[i + 1];
    const joins = next && (next.role === 'batch' || next.role === 'time') && next.size !== 1 && axis.size !== 1;
    if (joins && axis.role !== 'rows') {
      const size = product(axis.size, next.size);
      const rest = this.is(size, n) ? this.match(i + 2, o + 1) : undefined;
      if (rest) return [{ role: 'rows', size, parts: [axis, next] }, ...rest];
    }
    return undefined;
  }

  /** A new axis of length 1 before a batch or time. */
  private skip(i: number, o: number): Axis[] | undefined {
    if (this.wanted[o] !== 1) return undefined;
    const rest = this.match(i, o + 1);
    return rest && [feature(1), ...rest];
  }

  private is(size: Dim, wanted: Dim): boolean {
    return wanted === -1 || sameDim(size, wanted);
  }

  /** A run of features becomes features of the same number; they are tried with as few new axes as possible first. */
  private features(i: number, o: number): Axis[] | undefined {
    let end = i;
    while (this.axes[end] && isFeature(this.axes[end]!)) end++;
    const run = this.axes.slice(i, end).filter(isFeature);
    const count = sizeOf(run.map(({ size }) => size));
    const moved = run.filter(({ size }) => size > 1);
    const inner = moved.length === 0 ? 0 : moved.at(-1)!.stride;
    for (let to = o; to <= this.wanted.length; to++) {
      const part = this.wanted.slice(o, to);
      if (part.some(isUnknown)) return undefined;
      const numbers = part as number[];
      const open = numbers.indexOf(-1);
      const known = sizeOf(numbers.filter((n) => n !== -1));
      if (open >= 0 ? count % known !== 0 : known !== count) continue;
      const sizes = numbers.map((n) => (n === -1 ? count / known : n));
      const rest = this.match(end, to);
      if (!rest) continue;
      let stride = inner * count;
      return [
        ...sizes.map((size) => {
          stride /= size;
          return feature(size, size === 1 ? 0 : stride);
        }),
        ...rest,
      ];
    }
    return undefined;
  }
}

function product(a: Dim, b: Dim): Dim {
  if (!isUnknown(a) && !isUnknown(b)) return a * b;
  return a === 1 ? b : b === 1 ? a : { symbol: `(${showDim(a)} * ${showDim(b)})` };
}

/**
 * A value in another shape. Batch and time stay what they are; a time of fixed length may become features.
 * @throws MODEL_UNSUPPORTED
 */
export function reshapeValue(call: Call, value: Value, wanted: readonly Dim[]): Value {
  if (wanted.length > 16) call.refuse('makes too many dimensions', { found: String(wanted.length) });
  // Axes of length 1 carry nothing, and their places would only confuse.
  const lean = { ...value, axes: value.axes.filter((axis) => !isFeature(axis) || axis.size > 1) };
  const attempt = (from: Value): Value | undefined => {
    const plain = isPlain(from) ? from : rowOf(call, from);
    const axes = new Matcher(plain.axes, wanted).match();
    return axes && { ...plain, axes };
  };
  const direct = attempt(lean);
  if (direct) return direct;
  if (!call.reading.lifted && timeAt(lean) >= 0 && stepsOf(lean) !== undefined) {
    const folded = attempt(foldTime(call, lean));
    if (folded) return folded;
  }
  // A batch of one may vanish in a shape that was written down for it.
  const single = lean.axes.findIndex((axis) => axis.role === 'batch' && axis.size === 1);
  const without = single >= 0 ? attempt({ ...lean, axes: lean.axes.filter((_, i) => i !== single) }) : undefined;
  return (
    without ??
    call.refuse('mixes batch, time and features in a way that has no meaning here', {
      expected: `[${wanted.map(showDim).join(', ')}]`,
      found: showTensor(value),
    })
  );
}

function isPlain({ axes }: Value): boolean {
  let stride = 1;
  for (const axis of [...axes].reverse()) {
    if (!isFeature(axis) || axis.size === 1) continue;
    if (axis.stride !== stride) return false;
    stride *= axis.size;
  }
  return true;
}
