import { sizeOf } from '@gatefold/runtime';
import type { Call } from '../graph/call.ts';
import { storages } from '../graph/initializer.ts';
import { type Constant, constant, type Dim, type ElementType, isUnknown, type Tensor } from '../graph/tensor.ts';
import { castTo } from './fold-arithmetic.ts';
import type { Handler } from './types.ts';

const mostFilled = 1 << 24;

function typeOf(call: Call, number: number): ElementType {
  return (
    storages[number]?.type ?? call.refuse('casts to a type that has no meaning here', { found: `ONNX type ${number}` })
  );
}

function cast(call: Call): Tensor[] {
  const to = typeOf(call, call.int('to', 0));
  const x = call.input(0);
  if (x.kind === 'constant') return [castTo(x, to)];
  if (x.kind === 'fill') return [{ ...x, type: to, value: to === 'int' ? Math.trunc(x.value) : x.value }];
  if (to === 'bool' || (to === 'int' && !x.integer)) return call.refuse('casts values to whole numbers');
  return [{ ...x, integer: to === 'int' }];
}

/** Zeros, or another number, of a shape that may hang on open lengths. */
function constantOfShape(call: Call): Tensor[] {
  const shape = Array.from(call.asConstant(call.input(0), 'shape').data as ArrayLike<Dim>);
  const given = call.constantAttribute('value');
  const type = given?.type ?? 'float';
  const value = given ? Number(call.numbers(given, 'value')[0]) : 0;
  const known = shape.filter((n): n is number => !isUnknown(n));
  if (known.length < shape.length || sizeOf(known) > mostFilled) return [{ kind: 'fill', type, dims: shape, value }];
  const make = type === 'float' ? new Float32Array(sizeOf(known)) : new Float64Array(sizeOf(known));
  return [constant(type, known, make.fill(value))];
}

function constantNode(call: Call): Tensor[] {
  const whole = (data: readonly number[]): Constant => constant('int', [data.length], Float64Array.from(data));
  const float = (data: readonly number[]): Constant => constant('float', [data.length], Float32Array.from(data));
  if (call.has('value'))
    return [{ ...(call.constantAttribute('value') ?? call.refuse('has no value')), origin: call.name }];
  if (call.has('value_int')) return [{ ...whole([call.int('value_int', 0)]), shape: [] }];
  if (call.has('value_float')) return [{ ...float([call.float('value_float', 0)]), shape: [] }];
  if (call.has('value_ints')) return [whole(call.ints('value_ints')!)];
  if (call.has('value_floats')) return [float(call.floats('value_floats')!)];
  return call.refuse('is no constant of numbers');
}

/** w = (code − zero point)·scale, of constants: how files hold quantized weights. */
function dequantize(call: Call): Tensor[] {
  const x = call.constant(0, 'codes');
  const scale = call.constant(1, 'scale');
  const zero = call.inputs[2] && call.constant(2, 'zero point');
  const codes = call.numbers(x, 'codes');
  const scales = call.numbers(scale, 'scale');
  const zeros = zero && call.numbers(zero, 'zero point');
  const axis = scale.shape.length === 0 || scales.length === 1 ? -1 : call.axis(call.int('axis', 1), x.shape.length);
  const blocked = call.int('block_size', 0) !== 0;
  const inner = axis < 0 ? 1 : sizeOf(x.shape.slice(axis + 1));
  if (blocked || (axis >= 0 && scales.length !== x.shape[axis]) || (zeros && zeros.length !== scales.length)) {
    return call.refuse('has scales that are not one number, nor one for each place of an axis', {
      found: `[${scale.shape}]`,
    });
  }
  const data = new Float32Array(codes.length);
  const coding = { codes: new Float32Array(codes.length), scales: new Float32Array(codes.length) };
  for (let i = 0; i < data.length; i++) {
    const group = axis < 0 ? 0 : Math.floor(i / inner) % scales.length;
    coding.codes[i] = codes[i]! - (zeros?.[group] ?? 0);
    coding.scales[i] = scales[group]!;
    data[i] = coding.codes[i]! * scales[group]!;
  }
  return [{ ...constant('float', x.shape, data), coding }];
}

export const constantHandlers: Readonly<Record<string, Handler>> = {
  Cast: { attributes: ['to', 'saturate'], run: cast },
  ConstantOfShape: { attributes: ['value'], run: constantOfShape },
  Constant: {
    attributes: [
      'value',
      'value_int',
      'value_float',
      'value_ints',
      'value_floats',
      'value_string',
      'value_strings',
      'sparse_value',
    ],
    run: constantNode,
  },
  DequantizeLinear: { attributes: ['axis', 'block_size', 'output_dtype'], run: dequantize },
};
