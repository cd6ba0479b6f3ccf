import type { Node, Weight } from '@gatefold/runtime';
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
  { rows, lead = [] }: { readonly rows?: readonly number[]; readonly lead?: readonly [1] | readonly [] } = {},
): IntegerMatrix | undefined {
  return together(writer, [node], role, rows, lead);
}

/** The matrices of a layer's directions as one, of leading dimension 1 or 2; otherwise as {@link integerMatrix}. */
export function integerMatrices(
  writer: Writer,
  directions: readonly Node[],
  role: string,
  rows: readonly number[],
): IntegerMatrix | undefined {
  return together(writer, directions, role, rows, [directions.length]);
}

function together(
  writer: Writer,
  nodes: readonly Node[],
  role: string,
  rows: readonly number[] | undefined,
  lead: readonly number[],
): IntegerMatrix | undefined {
  const all = nodes.map((node) => codesOf(writer.model.weights[node.weights[role]!]!, rows));
  const [first] = all;
  if (!first || !all.every((each) => each !== undefined)) return undefined;
  const name = nodes.map((node) => node.weights[role]!).join(' ');
  const type = all.every(({ codes }) => codes.every((code) => Math.abs(code) <= 64)) ? 'int8' : 'uint8';
  const zero = type === 'int8' ? 0 : 128;
  const key = `${name} ${lead.length} ${rows?.join() ?? ''}`;
  const count = first.scales.length;
  const dims = [...lead, first.codes.length / count, count];
  const bytes = () => {
    const out = new Uint8Array(all.length * first.codes.length);
    all.forEach(({ codes }, i) => {
      out.set(
        codes.map((code) => code + zero),
        i * codes.length,
      );
    });
    return out;
  };
  const zeros = () => Uint8Array.from(nodes, () => zero);
  return {
    codes: stored(writer, `codes ${key}`, `${name}/codes`, type, dims, bytes),
    scales: writer.shared(`scales ${key}`, () =>
      writer.floats(
        writer.unique(`${name}/scales`),
        [...lead, count],
        all.flatMap(({ scales }) => [...scales]),
      ),
    ),
    zero: stored(writer, `zero ${type} ${lead}`, `zero of ${type}`, type, lead, zeros),
  };
}

/** Codes [columns, rows] and scales of rows in an order; undefined where integer kernels do not hold their values. */
function codesOf(
  weight: Weight,
  rows: readonly number[] | undefined,
): { codes: Int16Array; scales: Float32Array } | undefined {
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
  return { codes, scales };
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
