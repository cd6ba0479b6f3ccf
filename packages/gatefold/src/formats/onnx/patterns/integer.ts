import { sizeOf } from '@gatefold/runtime';
import { type Constant, constant, numbersOf } from '../graph/tensor.ts';
import type { Message } from '../proto/schema.ts';
import { type Lookup, makeNode, makeTensor, type Node } from './lookup.ts';

/** Elements that decoded matrices may have together: one tensor of codes may stand with many scales. */
const mostDecoded = 1 << 27;

/** Codes [lead…, columns, rows], scales and zero points by name; no name of a zero point stands for 0. */
export type CodedNames = readonly [codes: string | undefined, scales: string | undefined, zeros: string | undefined];

/** x·Wᵀ in integers: what is multiplied, and the codes. */
export interface IntegerProduct {
  readonly x: string;
  readonly names: CodedNames;
}

/**
 * Products in integers as float products of the same weights, which stay coded: onnxruntime's DynamicQuantizeLSTM, and
 * DynamicQuantizeLinear → MatMulInteger → Cast → Mul. Both are what its `quantize_dynamic` makes.
 */
export class IntegerProducts {
  readonly lookup: Lookup;
  private readonly constants: ReadonlyMap<string, Constant>;
  private readonly added: Map<Message<'Tensor'>, Constant>;
  private readonly known = new Map<string, string | undefined>();
  private elements = 0;

  /** Matrices that nodes need are put into `added`. */
  constructor(lookup: Lookup, constants: ReadonlyMap<string, Constant>, added: Map<Message<'Tensor'>, Constant>) {
    this.lookup = lookup;
    this.constants = constants;
    this.added = added;
  }

  /** What stands for the node; undefined where it is neither, or its constants do not fit. */
  at(node: Node): Node[] | undefined {
    if (node.opType === 'DynamicQuantizeLSTM' && node.domain === 'com.microsoft') return this.lstm(node);
    const product = node.opType === 'Mul' ? this.product(node.output[0] ?? '') : undefined;
    const matrix = product && this.matrix(product.names, false);
    return matrix === undefined
      ? undefined
      : [makeNode('MatMul', node.name ?? '', [product!.x, matrix], node.output, [])];
  }

  /** The product in integers that makes a tensor. */
  product(tensor: string): IntegerProduct | undefined {
    for (const [sums, scale] of this.lookup.pairs(tensor, 'Mul')) {
      const product = this.lookup.maker(this.lookup.maker(sums, 'Cast')?.input[0], 'MatMulInteger');
      const operand = this.lookup.maker(product?.input[0], 'DynamicQuantizeLinear');
      if (!product || !operand || product.input[2] !== operand.output[2]) continue;
      for (const [own, scales] of this.lookup.pairs(scale, 'Mul')) {
        if (own !== operand.output[1] || this.constants.get(product.input[1]!)?.shape.length !== 2) continue;
        return { x: operand.input[0]!, names: [product.input[1], scales, product.input[3]] };
      }
    }
    return undefined;
  }

  private lstm({ name = '', input, output, attribute }: Node): Node[] | undefined {
    if (!input[9] || !input[11]) return undefined;
    const [w, r] = [
      this.matrix([input[1], input[8], input[9]], true),
      this.matrix([input[2], input[10], input[11]], true),
    ];
    if (w === undefined || r === undefined) return undefined;
    const inputs = [input[0]!, w, r, ...input.slice(3, 8)];
    while (inputs.at(-1) === '') inputs.pop();
    return [makeNode('LSTM', name, inputs, output, attribute)];
  }

  /** The name of the decoded matrix, [lead…, rows, columns] where `turned`; undefined where its parts do not fit. */
  matrix(names: CodedNames, turned: boolean): string | undefined {
    const key = `${names.join(' ')} ${turned}`;
    if (this.known.has(key)) return this.known.get(key);
    const made = this.decoded(names, turned);
    const name = made && this.add(`${names[0]} decoded${this.known.size === 0 ? '' : ` ${this.known.size}`}`, made);
    this.known.set(key, name);
    return name;
  }

  /** Adds a constant under a name like this. */
  add(name: string, made: Constant): string {
    const tensor = makeTensor(name);
    this.added.set(tensor, made);
    return name;
  }

  /** (code − zero)·scale, with a scale and a zero for each row of each lead, or one for all rows. */
  decoded([codesName, scalesName, zerosName]: CodedNames, turned: boolean): Constant | undefined {
    const find = (name: string | undefined) => this.constants.get(name ?? '');
    const codes = find(codesName);
    const zeros = zerosName ? find(zerosName) : constant('int', [], new Float64Array(1));
    const [numbers, steps, middles] = [codes, find(scalesName), zeros].map((each) => each && numbersOf(each));
    if (!codes || codes.shape.length < 2 || !numbers || !steps || !middles) return undefined;
    const [columns, rows] = codes.shape.slice(-2) as [number, number];
    const leads = sizeOf(codes.shape.slice(0, -2));
    const fits = (count: number) => count === leads || count === leads * rows;
    this.elements += numbers.length;
    if (!fits(steps.length) || !fits(middles.length) || this.elements > mostDecoded) return undefined;
    const own = new Float32Array(numbers.length);
    const scale = new Float32Array(numbers.length);
    for (let at = 0; at < numbers.length; at++) {
      const row = at % rows;
      const lead = Math.floor(at / (rows * columns));
      const pick = (from: ArrayLike<number>) => (from.length === leads ? from[lead]! : from[lead * rows + row]!);
      const to = turned ? (lead * rows + row) * columns + (Math.floor(at / rows) % columns) : at;
      own[to] = numbers[at]! - pick(middles);
      scale[to] = pick(steps);
    }
    const shape = turned ? [...codes.shape.slice(0, -2), rows, columns] : codes.shape;
    const data = own.map((code, i) => code * scale[i]!);
    return { ...constant('float', shape, data), coding: { codes: own, scales: scale, integer: true } };
  }
}
