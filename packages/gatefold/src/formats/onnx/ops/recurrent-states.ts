import { type Call, floatsOf } from '../graph/call.ts';
import { constant, dimsOf, feature, isFeature, showTensor, uniform, type Value } from '../graph/tensor.ts';
import { rowOf } from '../graph/views.ts';
import type { CellShape } from './recurrent-weights.ts';

/** An initial state of one direction as a value of `units` features; undefined for zeros. */
export function initialState(
  call: Call,
  input: number,
  d: number,
  shape: CellShape,
  layout: number,
): string | undefined {
  const tensor = call.inputs[input];
  if (!tensor) return undefined;
  const what = input === 5 ? 'initial_h' : 'initial_c';
  const dims = dimsOf(tensor);
  const at = layout === 1 ? 1 : 0;
  if (dims.length !== 3 || dims[at] !== shape.directions || dims[2] !== shape.units) {
    call.fail('MODEL_SHAPE', `its ${what} does not fit`, {
      expected: `[${shape.directions}, batch, ${shape.units}]`,
      found: showTensor(tensor),
    });
  }
  if (tensor.kind !== 'value') {
    const number = uniform(tensor);
    if (number === 0) return undefined;
    if (tensor.kind === 'fill') return call.refuse(`its ${what} is a constant that is not zero, of unknown length`);
    const data = floatsOf(call, tensor, what);
    const batch = data.length / shape.directions / shape.units;
    const from = (b: number) => (layout === 1 ? b * shape.directions + d : d * batch + b) * shape.units;
    const row = data.slice(from(0), from(0) + shape.units);
    for (let b = 1; b < batch; b++) {
      if (row.some((n, i) => n !== data[from(b) + i])) call.refuse(`its ${what} differs along the batch`);
    }
    const weight = call.weight(constant('float', [shape.units], row), `${what}${d}`, '', [shape.units], () => row);
    return call.add('constant', {}, {}, { value: weight }, `/${what}${d}`);
  }
  const axis = tensor.axes[at]!;
  const other = tensor.axes[1 - at]!;
  if (
    !isFeature(axis) ||
    !isFeature(tensor.axes[2]!) ||
    (isFeature(other) && other.size !== 1) ||
    other.role === 'time'
  ) {
    return call.refuse(`its ${what} is no state of the batch`, { found: showTensor(tensor) });
  }
  const own: Value = {
    ...tensor,
    offset: tensor.offset + d * axis.stride,
    axes: tensor.axes.map((old, i) => (i === at ? feature(1) : old)),
  };
  return rowOf(call, own).name;
}
