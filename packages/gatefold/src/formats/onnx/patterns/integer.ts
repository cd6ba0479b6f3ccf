import { sizeOf } from '@gatefold/runtime';
import { type Constant, constant, numbersOf } from '../graph/tensor.ts';
import type { Message } from '../proto/schema.ts';
import { type Lookup, makeNode, makeTensor, type Node } from './lookup.ts';

type Constants = ReadonlyMap<string, Constant>;
type Added = Map<Message<'Tensor'>, Constant>;

/**
 * Products in integers as float products of the same weights, which stay coded: onnxruntime's DynamicQuantizeLSTM, and
 * DynamicQuantizeLinear → MatMulInteger → Cast → Mul. Both are what its `quantize_dynamic` makes. Undefined where the node
 * is neither, or its constants do not fit.
 */
export function integerProductAt(lookup: Lookup, node: Node, constants: Constants, added: Added): Node[] | undefined {
  if (node.opType === 'DynamicQuantizeLSTM' && node.domain === 'com.microsoft') return lstmOf(node, constants, added);
  return node.opType === 'Mul' ? matmulOf(lookup, node, constants, added) : undefined;
}

function lstmOf(node: Node, constants: Constants, added: Added): Node[] | undefined {
  const use = (i: number, at: number): string | undefined => {
    const [codes, scales, zeros] = [i, at, at + 1].map((k) => constants.get(node.input[k] ?? ''));
    const made = codes?.shape.length === 3 ? decoded(codes, scales, zeros, true) : undefined;
    return made && remember(added, node.input[i]!, made);
  };
  const [w, r] = [use(1, 8), use(2, 10)];
  if (w === undefined || r === undefined) return undefined;
  const inputs = [node.input[0]!, w, r, ...node.input.slice(3, 8)];
  while (inputs.at(-1) === '') inputs.pop();
  return [makeNode('LSTM', node.name ?? '', inputs, node.output, node.attribute)];
}

function matmulOf(lookup: Lookup, node: Node, constants: Constants, added: Added): Node[] | undefined {
  for (const [sums, scale] of lookup.pairs(node.output[0], 'Mul')) {
    const product = lookup.maker(lookup.maker(sums, 'Cast')?.input[0], 'MatMulInteger');
    const operand = lookup.maker(product?.input[0], 'DynamicQuantizeLinear');
    if (!product || !operand || product.input[2] !== operand.output[2]) continue;
    for (const [own, scales] of lookup.pairs(scale, 'Mul')) {
      const codes = constants.get(product.input[1] ?? '');
      if (own !== operand.output[1] || codes?.shape.length !== 2) continue;
      const made = decoded(codes, constants.get(scales), zerosOf(product, constants), false);
      if (!made) continue;
      const matrix = remember(added, product.input[1]!, made);
      return [makeNode('MatMul', node.name ?? '', [operand.input[0]!, matrix], node.output, [])];
    }
  }
  return undefined;
}

/** The weights' zero point; one of 0 where the node names none. */
function zerosOf({ input }: Node, constants: Constants): Constant | undefined {
  return input[3] ? constants.get(input[3]) : constant('int', [], new Float64Array(1));
}

/**
 * (code − zero)·scale of codes [lead…, columns, rows] with a scale and a zero for each row of each lead, or one for all rows;
 * `turned` gives [lead…, rows, columns]. Undefined where they do not fit.
 */
function decoded(
  codes: Constant,
  scales: Constant | undefined,
  zeros: Constant | undefined,
  turned: boolean,
): Constant | undefined {
  const numbers = numbersOf(codes);
  const steps = scales && numbersOf(scales);
  const middles = zeros && numbersOf(zeros);
  const [columns, rows] = codes.shape.slice(-2) as [number, number];
  const leads = sizeOf(codes.shape.slice(0, -2));
  const fits = (count: number) => count === leads || count === leads * rows;
  if (!numbers || !steps || !middles || !fits(steps.length) || !fits(middles.length)) return undefined;
  const pick = (from: ArrayLike<number>, lead: number, row: number) =>
    from.length === leads ? from[lead]! : from[lead * rows + row]!;
  const own = new Float32Array(numbers.length);
  const scale = new Float32Array(numbers.length);
  for (let at = 0; at < numbers.length; at++) {
    const row = at % rows;
    const column = Math.floor(at / rows) % columns;
    const lead = Math.floor(at / (rows * columns));
    const to = turned ? (lead * rows + row) * columns + column : at;
    own[to] = numbers[at]! - pick(middles, lead, row);
    scale[to] = pick(steps, lead, row);
  }
  const shape = turned ? [...codes.shape.slice(0, -2), rows, columns] : codes.shape;
  const data = own.map((code, i) => code * scale[i]!);
  return { ...constant('float', shape, data), coding: { codes: own, scales: scale, integer: true } };
}

function remember(added: Added, origin: string, made: Constant): string {
  const tensor = makeTensor(`${origin} decoded`);
  const known = [...added.keys()].find(({ name }) => name === tensor.name);
  if (!known) added.set(tensor, made);
  return tensor.name!;
}
