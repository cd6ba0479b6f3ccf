import type { Call } from '../graph/call.ts';
import { type Axis, feature, isFeature, isUnknown, type Tensor, type Value } from '../graph/tensor.ts';
import { joinValues } from './join.ts';
import type { Handler } from './types.ts';

/** The parts that padding an axis of features puts before or after it. */
function padding(
  call: Call,
  x: Value,
  axis: number,
  count: number,
  mode: string,
  after: boolean,
  number: number,
): Value | number {
  const old = x.axes[axis] as Axis & { role: 'feature' };
  if (mode === 'constant') return number;
  const turn = mode === 'reflect' ? -1 : 0;
  if (mode !== 'reflect' && mode !== 'edge') return call.refuse('unknown mode', { found: mode });
  if (turn < 0 && count >= old.size) return call.fail('MODEL_SHAPE', 'reflects more than there is');
  const from = after ? old.size - 1 + turn : turn < 0 ? count : 0;
  return {
    ...x,
    offset: x.offset + from * old.stride,
    axes: x.axes.map((other, i) => (i === axis ? feature(count, old.stride * turn) : other)),
  };
}

function pad(call: Call): Tensor[] {
  const x = call.value(0);
  const pads = call.list('pads', 1) ?? call.refuse('needs pads');
  const mode = call.text('mode', 'constant');
  const fill = call.inputs[2];
  const number = fill ? Number(call.numbers(fill, 'value')[0]) : call.float('value', 0);
  const rank = x.axes.length;
  const axes = call.inputs[3]
    ? Array.from(call.numbers(call.input(3), 'axes'), (a) => call.axis(a, rank))
    : x.axes.map((_, i) => i);
  if (pads.length !== 2 * axes.length) call.fail('MODEL_SHAPE', 'pads do not fit its axes', { found: `[${pads}]` });
  let value = x;
  axes.forEach((axis, i) => {
    const before = pads[i]!;
    const after = pads[i + axes.length]!;
    if (before === 0 && after === 0) return;
    const old = value.axes[axis]!;
    if (old.role === 'time') {
      if (mode !== 'constant' || number !== 0) {
        const hint = isUnknown(old.size)
          ? { hint: `where each call is one step, fix its length: --fix ${old.size.symbol}=number` }
          : {};
        call.refuse('pads time with other than zeros', { found: mode, ...hint });
      }
      const name = call.add('pad', { x: value.name }, { left: before, right: after }, {}, '/pad');
      const size = isUnknown(old.size) ? { symbol: `${call.name}:time` } : old.size + before + after;
      value = {
        ...value,
        name,
        axes: value.axes.map((other, k): Axis => (k === axis ? { role: 'time', size } : other)),
      };
      return;
    }
    if (!isFeature(old)) call.refuse(`pads the ${old.role}`);
    if (before < 0 || after < 0) call.refuse('cuts off by negative padding');
    const parts: (Value | number)[] = [value];
    const sizes = [(old as { size: number }).size];
    if (before > 0) {
      parts.unshift(padding(call, value, axis, before, mode, false, number));
      sizes.unshift(before);
    }
    if (after > 0) {
      parts.push(padding(call, value, axis, after, mode, true, number));
      sizes.push(after);
    }
    value = joinValues(call, parts, sizes, axis);
  });
  return [value];
}

export const padHandlers: Readonly<Record<string, Handler>> = {
  Pad: { attributes: ['pads', 'mode', 'value'], run: pad },
};
