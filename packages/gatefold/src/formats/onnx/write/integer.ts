import type { Node } from '@gatefold/runtime';
import { type Rows, rowsOf } from './rows.ts';
import { elementTypes, type Writer } from './writer.ts';

/** A matrix as onnxruntime's integer kernels take it: names of its tensors in the file. */
export interface IntegerMatrix {
  /** [lead…, columns, rows]. */
  readonly codes: string;
  /** [lead…, rows] floats. */
  readonly scales: string;
  /** What the code of zero is, as a number of the codes' type. */
  readonly zero: string;
}

/** Domain of the operators that onnxruntime has beside the standard's. */
export const microsoft = 'com.microsoft';

/**
 * The matrix with its codes, where integer kernels of onnxruntime hold exactly its values: 5 to 8 bits without offsets, whose
 * operand is coded in 7 bits here. (They code operands in 8.) Fewer bits stay smaller as they are. Codes beyond ±64 stand as
 * unsigned numbers: without VNNI instructions, onnxruntime 1.32 adds pairs of products with signed ones in 16 bits, which clip.
 * `rows` puts rows in another order.
 */
export function integerMatrix(
  writer: Writer,
  node: Node,
  role: string,
  { rows, lead = [] }: { readonly rows?: readonly number[]; readonly lead?: readonly number[] } = {},
): IntegerMatrix | undefined {
  const name = node.weights[role]!;
  const weight = writer.model.weights[name]!;
  const order = rows ?? Array.from({ length: weight.shape[0]! }, (_, i) => i);
  if (weight.input.kind !== 'u7' || weight.shape.length !== 2 || order.some((row) => row < 0)) return undefined;
  const parts = rowsOf(weight);
  const coded = parts.map((part) => part.coded);
  if (!coded.every(isInteger)) return undefined;
  const columns = weight.shape[1]!;
  const codes = new Int16Array(order.length * columns);
  const scales = new Float32Array(order.length);
  order.forEach((row, to) => {
    const at = parts.findIndex(({ from, rows: count }) => row >= from && row < from + count);
    const local = row - parts[at]!.from;
    scales[to] = coded[at]!.scales[local]!;
    for (let k = 0; k < columns; k++) codes[k * order.length + to] = coded[at]!.codes[local * columns + k]!;
  });
  const type = codes.every((code) => Math.abs(code) <= 64) ? 'int8' : 'uint8';
  const zero = type === 'int8' ? 0 : 128;
  const key = `${name} ${lead.length} ${order === rows ? order.join() : ''}`;
  const bytes = () => Uint8Array.from(codes, (code) => code + zero);
  return {
    codes: stored(writer, `codes ${key}`, `${name}/codes`, type, [...lead, columns, order.length], bytes),
    scales: writer.shared(`scales ${key}`, () =>
      writer.floats(writer.unique(`${name}/scales`), [...lead, order.length], scales),
    ),
    zero: stored(writer, `zero ${type} ${lead.length}`, `zero of ${type}`, type, lead, () => Uint8Array.of(zero)),
  };
}

type Affine = Rows & { kind: 'affine' };

function isInteger(rows: Rows): rows is Affine {
  return rows.kind === 'affine' && rows.bits > 4 && rows.bits <= 8 && rows.offsets === undefined;
}

function stored(
  writer: Writer,
  key: string,
  name: string,
  type: 'int8' | 'uint8',
  dims: readonly number[],
  bytes: () => Uint8Array,
): string {
  return writer.shared(key, () => {
    const unique = writer.unique(name);
    writer.tensors.push({ dims, dataType: elementTypes[type], name: unique, rawData: bytes() });
    return unique;
  });
}

/** x·Wᵀ in integers, in the form that onnxruntime makes one kernel of. */
export function integerProduct(
  writer: Writer,
  x: string,
  { codes, scales, zero }: IntegerMatrix,
  name: string,
): string {
  const [coded, scale, middle] = writer.addMany(
    'DynamicQuantizeLinear',
    `${name}/operand`,
    [x],
    [`${name}/operand`, `${name}/operand-scale`, `${name}/operand-zero`],
  );
  const sums = writer.add('MatMulInteger', `${name}/sums`, [coded!, codes, middle!, zero]);
  const float = writer.add('Cast', `${name}/float`, [sums], { to: elementTypes.float });
  return writer.add('Mul', name, [float, writer.add('Mul', `${name}/scale`, [scale!, scales])]);
}
