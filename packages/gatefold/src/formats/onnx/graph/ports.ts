import { fail, type Port, type Dim as PortDim, sizeOf } from '@gatefold/runtime';
import type { Fixed } from '../../fix.ts';
import type { Message } from '../proto/schema.ts';
import { storages } from './initializer.ts';
import type { Reading } from './reading.ts';
import type { Roles } from './roles.ts';
import {
  type Axis,
  type Constant,
  constant,
  type Dim,
  isFeature,
  isUnknown,
  plainFeatures,
  showDim,
  type Tensor,
  type Value,
} from './tensor.ts';

/** An input of the file: its lengths, with those that the caller fixes. */
export interface FileInput {
  readonly name: string;
  readonly type: 'float' | 'int' | 'bool';
  readonly dims: readonly Dim[];
}

export function fileInput(info: Message<'ValueInfo'>, fixed: Fixed): FileInput {
  const name = info.name ?? '';
  const tensor = info.type?.tensorType;
  const type = storages[tensor?.elemType ?? 0]?.type;
  if (!tensor || !type) {
    fail('MODEL_UNSUPPORTED', 'an input is no tensor of numbers', {
      place: name,
      found: `ONNX type ${tensor?.elemType ?? 'none'}`,
    });
  }
  if (!tensor.shape)
    fail('MODEL_UNSUPPORTED', 'an input has no shape', { place: name, hint: 'export the model with shapes' });
  if (tensor.shape.dim.length > 8) fail('MODEL_UNSUPPORTED', 'an input has too many dimensions', { place: name });
  const dims = tensor.shape.dim.map(({ dimValue, dimParam }, axis): Dim => {
    if (dimValue !== undefined && dimValue > 0) {
      return Number.isSafeInteger(dimValue) && dimValue <= 1 << 24
        ? dimValue
        : fail('FILE_TOO_LARGE', 'an input is too large', { place: name, found: String(dimValue) });
    }
    const symbol = dimParam || `${name}[${axis}]`;
    return fixed.length(`${name}[${axis}]`) ?? fixed.length(symbol) ?? { symbol };
  });
  return { name, type, dims };
}

/** The constant that the caller fixed an input to, if any. */
function fixedInput({ name, type, dims }: FileInput, fixed: Fixed): Constant | undefined {
  const value = fixed.get(name);
  if (value === undefined) return undefined;
  const { shape, data } =
    typeof value === 'number' ? { shape: dims.length === 0 ? [] : dims.map(() => 1), data: [value] } : value;
  const fits = shape.length === dims.length && shape.every((n, i) => isUnknown(dims[i]!) || n === dims[i]);
  if (!fits || sizeOf(shape) !== data.length) {
    fail('OPTION_INVALID', 'the fixed value does not fit the input', {
      place: `--fix ${name}`,
      expected: `[${dims.map(showDim).join(', ')}]`,
      found: `[${shape}] with ${data.length} numbers`,
    });
  }
  return {
    ...constant(type, shape, type === 'float' ? Float32Array.from(data) : Float64Array.from(data)),
    origin: name,
  };
}

/** Batch, time and features of an input's axes. `chunk`: one call is one step, so that its own times are features. */
function axesOf({ name, type, dims }: FileInput, { roles }: Roles, chunk: boolean): Axis[] {
  const given = dims.map((_, axis) => roles.get(`${name}#${axis}`));
  if (
    !given.includes('batch') &&
    given[0] === undefined &&
    dims.length > 1 &&
    (isUnknown(dims[0]!) || dims[0] === 1 || given.includes('time') || dims.length > 2 || !isUnknown(dims[1]!))
  ) {
    given[0] = 'batch';
  }
  if (dims.length === 1 && given[0] === undefined && isUnknown(dims[0]!)) given[0] = 'batch';
  const open = dims.findIndex((dim, i) => isUnknown(dim) && given[i] === undefined);
  if (open >= 0 && !given.includes('time')) given[open] = 'time';
  // [batch, steps, features] and [batch, ids], where nothing says otherwise.
  const steps = dims.length === 3 || (dims.length === 2 && type === 'int');
  if (steps && given[0] === 'batch' && !given.includes('time') && given[1] === undefined) given[1] = 'time';
  const kept = dims.map((dim, i) => (given[i] === 'time' && chunk && !isUnknown(dim) ? undefined : given[i]));
  const features = plainFeatures(
    dims.filter((_, i) => kept[i] === undefined).map((dim) => (isUnknown(dim) ? -1 : dim)),
  );
  if (features.some(({ size }) => size < 0) || kept.filter((role) => role === 'time').length > 1) {
    fail('MODEL_UNSUPPORTED', 'an input leaves a length open that is neither batch nor time', {
      place: name,
      found: `[${dims.map(showDim).join(', ')}]`,
      hint: `fix it: --fix ${name}[axis]=number`,
    });
  }
  let next = 0;
  return dims.map((size, i) => {
    const role = kept[i];
    return role ? { role, size } : features[next++]!;
  });
}

/** Adds an input of the file as a port. Its features may have several dimensions; inside, they are one. */
function addPort(reading: Reading, input: FileInput, roles: Roles): Value {
  const { builder, lifted } = reading;
  const isState = roles.states.has(input.name);
  const axes = axesOf(input, roles, lifted || isState);
  const sizes = axes
    .filter(isFeature)
    .map(({ size }) => size)
    .filter((size) => size > 1);
  const width = sizeOf(sizes);
  const time = axes.find(({ role }) => role === 'time');
  const timed = time !== undefined || (lifted && !isState);
  const integer = input.type === 'int';
  if (input.type === 'bool')
    fail('MODEL_UNSUPPORTED', 'an input of truths', { place: input.name, hint: 'fix it: --fix name=0 or 1' });
  const steps: PortDim = time && !isUnknown(time.size) ? time.size : 'time';
  const inner = integer && width === 1 && steps === 'time' ? [] : timed && sizes.length > 1 ? sizes : [width];
  const port: Port = {
    name: input.name,
    shape: ['batch', ...(timed ? [steps] : []), ...inner],
    dtype: integer ? 'int32' : 'float32',
  };
  builder.addInput(port);
  const name =
    inner.length > 1
      ? builder.add('reshape', `${input.name}/flat`, { x: input.name }, { shape: [width], keepTime: true }).y!
      : input.name;
  return { kind: 'value', name, offset: 0, axes, ...(integer ? { integer } : {}) };
}

/** What an input is while reading: fixed, a number that only shapes depend on, or a port. */
export function inputTensor(reading: Reading, input: FileInput, roles: Roles, fixed: Fixed): Tensor {
  const known = fixedInput(input, fixed);
  if (known) return known;
  if (input.dims.length === 0 && input.type !== 'float') return constant(input.type, [], [{ symbol: input.name }]);
  return addPort(reading, input, roles);
}

/** How a port's axes stand in the file, for writing it back and for who feeds the model: names, or numbers of features. */
export function layoutNote({ axes }: Pick<Value, 'axes'>): (string | number)[] {
  return axes.flatMap((axis): (string | number)[] =>
    axis.role === 'feature' ? [axis.size] : axis.role === 'rows' ? axis.parts.map(({ role }) => role) : [axis.role],
  );
}
