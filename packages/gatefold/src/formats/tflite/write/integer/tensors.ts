import { fail, float16To } from '@gatefold/runtime';
import type { Interval } from '../../../../compress/index.ts';
import { TfliteBuilder, type WrittenTensor } from '../file.ts';
import { type Coding, codesOf, codingOf, sameCoding } from './coding.ts';

/** A product's bias stands in 32 bits where activations have 8, in 64 where they have 16. */
const mostBias = 2 ** 31 - 1;

/** The range of constants, around zero. */
function spread(values: Float32Array): Interval {
  const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return { low: -most, high: most };
}

/** The tensors of a file whose activations become integers: new ones in place of those of the float file. */
export class IntegerTensors {
  readonly builder = new TfliteBuilder();
  private readonly source: TfliteBuilder;
  /** Type of what is not wide. */
  private readonly narrow: Coding['type'];
  /** New tensors and their codings, by the old ones. */
  readonly made = new Map<number, { readonly tensor: number; readonly coding?: Coding }>();
  /** Constants that the float file widens from float16. */
  private readonly widened = new Map<number, WrittenTensor>();
  /** What was made once for several users, by what it is. */
  private readonly constants = new Map<string, number>();

  constructor(source: TfliteBuilder, narrow: Coding['type']) {
    this.source = source;
    this.narrow = narrow;
  }

  /** A tensor of the float file. */
  tensorOf(index: number): WrittenTensor {
    return this.widened.get(index) ?? this.source.tensors[index]!;
  }

  /** A constant of float16 is one of float32, whatever widens it. */
  widen(from: number, to: number): void {
    const { bytes } = this.tensorOf(from);
    const values = Float32Array.from(new Uint16Array(bytes!.slice().buffer), (half) => float16To(half));
    this.widened.set(to, { ...this.source.tensors[to]!, bytes: new Uint8Array(values.buffer) });
  }

  /** The integer type that a tensor takes. */
  typeOf({ wide }: WrittenTensor): Coding['type'] {
    return wide ? 'INT16' : this.narrow;
  }

  refuse(
    message: string,
    place: string,
    hint = 'quantize with --operand f32, which leaves activations float32',
  ): never {
    fail('MODEL_UNSUPPORTED', `TensorFlow Lite's integers: ${message}`, { place, hint });
  }

  /** The finest coding of a tensor's range. */
  finest(index: number): Coding {
    const tensor = this.tensorOf(index);
    const range = tensor.range ?? this.refuse('a value inside a function has no known range', tensor.name);
    if (!Number.isFinite(range.low) || !Number.isFinite(range.high)) this.refuse('a value is not finite', tensor.name);
    return codingOf(this.typeOf(tensor), range);
  }

  private once(key: string, make: () => number): number {
    const tensor = this.constants.get(key) ?? make();
    this.constants.set(key, tensor);
    return tensor;
  }

  /** A new tensor of a coding in place of an old one. */
  define(index: number, coding: Coding): number {
    const { type, scale, zero } = coding;
    const tensor = this.builder.tensor({ ...this.tensorOf(index), type, scales: [scale], zero });
    this.made.set(index, { tensor, coding });
    return tensor;
  }

  /** The tensor of an input: its integers, or float32 that QUANTIZE codes. */
  input(index: number, integer: boolean): number {
    const port = this.tensorOf(index);
    if (port.type !== 'FLOAT32') return this.kept(index);
    const coded = this.define(index, this.finest(index));
    if (integer) return coded;
    const tensor = this.builder.tensor(port);
    this.builder.rename(coded, `${port.name}/codes`);
    this.builder.operator('QUANTIZE', [tensor], [coded], {}, 3);
    return tensor;
  }

  /** A tensor that stays as it is: indices, shapes, 8-bit weights. */
  kept(index: number): number {
    if (index === -1) return -1;
    const known = this.made.get(index);
    if (known) return known.tensor;
    const tensor = this.builder.tensor(this.tensorOf(index));
    this.made.set(index, { tensor });
    return tensor;
  }

  /** The tensor of an output: its integers, or float32 that DEQUANTIZE makes of them. */
  output(index: number, integer: boolean): number {
    const port = this.tensorOf(index);
    if (integer) return this.operand(index, this.typeOf(port)).tensor;
    const coded = this.made.get(index)!.tensor;
    const tensor = this.builder.tensor(port);
    this.builder.rename(coded, `${port.name}/codes`);
    this.builder.operator('DEQUANTIZE', [coded], [tensor], {}, 3);
    return tensor;
  }

  /** An activation in a type, or in the very coding that an operator wants. */
  operand(index: number, wanted: Coding['type'] | Coding): { readonly tensor: number; readonly coding: Coding } {
    const { bytes, name, shape, signature } = this.tensorOf(index);
    if (bytes) return this.constant(index, wanted);
    const { tensor, coding } = this.made.get(index)!;
    const to =
      typeof wanted !== 'string' ? wanted : coding!.type === wanted ? coding! : codingOf(wanted, coding!.range);
    if (sameCoding(coding!, to)) return { tensor, coding: coding! };
    const key = `${tensor} ${to.type} ${to.scale} ${to.zero}`;
    const converted = this.once(key, () => {
      const between = this.builder.tensor({
        ...{ name: `${name}/${to.type.toLowerCase()}`, shape, type: to.type, scales: [to.scale], zero: to.zero },
        ...(signature ? { signature } : {}),
      });
      this.builder.operator('QUANTIZE', [tensor], [between], {}, 3);
      return between;
    });
    return { tensor: converted, coding: to };
  }

  /** Constant numbers beside activations. */
  private constant(
    index: number,
    wanted: Coding['type'] | Coding,
  ): { readonly tensor: number; readonly coding: Coding } {
    const { name, shape, range } = this.tensorOf(index);
    const values = this.floats(index);
    const coding = typeof wanted === 'string' ? codingOf(wanted, range ?? spread(values)) : wanted;
    const tensor = this.once(`${index} ${coding.type} ${coding.scale} ${coding.zero}`, () => {
      const bytes = new Uint8Array(codesOf(values, coding).buffer);
      return this.builder.tensor({ name, shape, type: coding.type, bytes, scales: [coding.scale], zero: coding.zero });
    });
    return { tensor, coding };
  }

  private floats(index: number): Float32Array {
    const { bytes, type, name } = this.tensorOf(index);
    if (!bytes || type !== 'FLOAT32') return this.refuse('a constant of numbers is expected', name);
    return new Float32Array(bytes.slice().buffer);
  }

  /** An 8-bit weight. */
  codes(index: number): WrittenTensor {
    const tensor = this.tensorOf(index);
    return tensor.type === 'INT8'
      ? tensor
      : this.refuse('a weight has no codes', tensor.name, 'quantize all weights, or with --operand f32');
  }

  /** A bias in the scale of what it is added to, the input's times the weights'. */
  bias(index: number, scales: ArrayLike<number>, { scale, type }: Coding): number {
    const { name, shape } = this.tensorOf(index);
    const values = this.floats(index);
    const own = Float32Array.from(scales, (of) => of * scale);
    return this.once(`${index} bias ${own.join()}`, () => {
      const codes = Array.from(values, (value, i) => Math.round(value / own[own.length === 1 ? 0 : i]!));
      if (!codes.every((code) => Math.abs(code) <= mostBias)) {
        this.refuse(
          'a bias is too large for the scale of its product',
          name,
          'leave the weights of this layer out with --target',
        );
      }
      const wide = type === 'INT16';
      const bytes = new Uint8Array(wide ? BigInt64Array.from(codes, BigInt).buffer : Int32Array.from(codes).buffer);
      return this.builder.tensor({ name, shape, type: wide ? 'INT64' : 'INT32', bytes, scales: own });
    });
  }

  /** A peephole in 16 bits: its codes where it has some. */
  peephole(index: number): number {
    const { type, name, shape, bytes, scales } = this.tensorOf(index);
    const codes =
      type === 'INT8' ? Int16Array.from(new Int8Array(bytes!.buffer, bytes!.byteOffset, bytes!.length)) : undefined;
    if (codes)
      return this.builder.tensor({ name, shape, type: 'INT16', bytes: new Uint8Array(codes.buffer), scales: scales! });
    return this.constant(index, 'INT16').tensor;
  }
}
