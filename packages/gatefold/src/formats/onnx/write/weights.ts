import { decode, fail, type Node, type Weight } from '@gatefold/runtime';
import { halfBytes, mergeRows, pickRows, type Rows, rowsOf } from './rows.ts';
import { elementTypes, floatBytes, type Writer } from './writer.ts';

/** How a weight's matrix is to stand in the file. */
export interface Placement {
  /** Rows in the order wanted, by their places in the weight; −1 − row for a row with its sign turned. */
  readonly rows?: readonly number[];
  readonly columns?: readonly number[];
  /** Dimensions before and after: the rows stand between. */
  readonly lead?: readonly number[];
  readonly tail?: readonly number[];
}

function weightOf(writer: Writer, node: Node, role: string): { name: string; weight: Weight } | undefined {
  const name = node.weights[role];
  return name === undefined ? undefined : { name, weight: writer.model.weights[name]! };
}

/** The values of a vector; undefined without the weight. */
export function vectorOf(writer: Writer, node: Node, role: string): Float32Array | undefined {
  const found = weightOf(writer, node, role);
  return found && decode(found.weight);
}

/** A vector of the model as a tensor of floats. */
export function vectorTensor(writer: Writer, node: Node, role: string): string | undefined {
  const found = weightOf(writer, node, role);
  return found && writer.floats(found.name, found.weight.shape, decode(found.weight));
}

/** A matrix of the model as a tensor of float32 values: stored as it is coded, decoded by nodes of the file. */
export function matrixTensor(writer: Writer, node: Node, role: string, placement: Placement = {}): string {
  const { name, weight } = weightOf(writer, node, role)!;
  const key = `${name} ${JSON.stringify(placement)}`;
  return writer.shared(key, () => {
    const parts = rowsOf(weight);
    const rows = placement.rows ?? Array.from({ length: weight.shape[0]! }, (_, i) => i);
    const picked = rows.map((wanted) => {
      const negate = wanted < 0;
      const row = negate ? -1 - wanted : wanted;
      const part = parts.find(({ from, rows: count }) => row >= from && row < from + count)!;
      return { part, row: row - part.from, negate };
    });
    const blocks: Rows[] = [];
    for (let i = 0; i < picked.length; ) {
      let end = i;
      while (picked[end]?.part === picked[i]!.part && picked[end]?.negate === picked[i]!.negate) end++;
      const { part, negate } = picked[i]!;
      blocks.push(
        pickRows(
          part.coded,
          picked.slice(i, end).map(({ row }) => row),
          placement.columns,
          negate,
        ),
      );
      i = end;
    }
    const merged = mergeRows(blocks);
    const lead = placement.lead ?? [];
    const tensors = merged.map((block, i) =>
      emit(writer, merged.length === 1 ? name : `${name}/${i}`, block, lead, placement.tail),
    );
    return tensors.length === 1 ? tensors[0]! : writer.add('Concat', `${name}/rows`, tensors, { axis: lead.length });
  });
}

const rowCount = ({ kind, columns, ...rest }: Rows) =>
  (kind === 'float' || kind === 'half'
    ? (rest as { values: Float32Array }).values
    : (rest as { codes: Int16Array }).codes
  ).length / columns;

/** Adds a block of rows as [lead, rows, tail]. */
function emit(writer: Writer, name: string, block: Rows, lead: readonly number[], tail?: readonly number[]): string {
  const rows = rowCount(block);
  const after = tail ?? [block.columns];
  const dims = [...lead, rows, ...after];
  const perRow = [...lead, rows, ...after.map(() => 1)];
  const stored = (type: keyof typeof elementTypes, suffix: string, bytes: () => Uint8Array) => {
    const unique = writer.unique(`${name}${suffix}`);
    writer.tensors.push({ dims, dataType: elementTypes[type], name: unique, rawData: bytes() });
    return unique;
  };
  if (block.kind === 'float') return stored('float', '', () => floatBytes(block.values));
  if (block.kind === 'half')
    return writer.add('Cast', `${name}/float`, [stored('half', '', () => halfBytes(block.values))], {
      to: elementTypes.float,
    });
  if (block.kind === 'levels') {
    const wide = block.levels.length > 256;
    const codes = stored(wide ? 'uint16' : 'uint8', '/codes', () =>
      wide ? wordBytes(block.codes) : Uint8Array.from(block.codes),
    );
    const places = writer.add('Cast', `${name}/places`, [codes], { to: elementTypes.int32 });
    const table = writer.floats(`${name}/levels`, [block.levels.length], block.levels);
    const levels = writer.add('Gather', `${name}/looked-up`, [table, places], { axis: 0 });
    return writer.add('Mul', `${name}/values`, [levels, writer.floats(`${name}/scales`, perRow, block.scales)]);
  }
  const { codes, bits } = block;
  if (bits <= 4 && writer.opset < 21) {
    fail('MODEL_UNSUPPORTED', 'weights of 4 bits and less stand two a byte from opset 21 on', {
      place: name,
      found: `opset ${writer.opset}`,
      hint: 'give 5 to 8 bits, or convert the file with onnx.version_converter',
    });
  }
  const type = bits <= 4 ? 'int4' : bits <= 8 ? 'int8' : 'int16';
  const bytes = () =>
    type === 'int4'
      ? nibbles(codes)
      : type === 'int8'
        ? new Uint8Array(Int8Array.from(codes).buffer)
        : wordBytes(codes);
  const values = decoded(writer, name, stored(type, '/codes', bytes), block.scales, {
    perRow,
    axis: lead.length,
    isWide: bits > 8,
  });
  return block.offsets
    ? writer.add('Add', `${name}/shifted`, [values, writer.floats(`${name}/offsets`, perRow, block.offsets)])
    : values;
}

/** Codes × scales. DequantizeLinear has an axis since opset 13, and 16 bits since 21: before, Cast and Mul say the same. */
function decoded(
  writer: Writer,
  name: string,
  codes: string,
  scales: Float32Array,
  { perRow, axis, isWide }: { readonly perRow: readonly number[]; readonly axis: number; readonly isWide: boolean },
): string {
  if (writer.opset >= (isWide ? 21 : 13)) {
    const steps = writer.floats(`${name}/scales`, [scales.length], scales);
    return writer.add('DequantizeLinear', `${name}/values`, [codes, steps], { axis });
  }
  const numbers = writer.add('Cast', `${name}/numbers`, [codes], { to: elementTypes.float });
  return writer.add('Mul', `${name}/values`, [numbers, writer.floats(`${name}/scales`, perRow, scales)]);
}

function wordBytes(codes: Int16Array | Uint16Array): Uint8Array {
  const out = new DataView(new ArrayBuffer(codes.length * 2));
  for (let i = 0; i < codes.length; i++) out.setUint16(i * 2, codes[i]! & 0xffff, true);
  return new Uint8Array(out.buffer);
}

/** Two codes a byte, the first in the low half. */
function nibbles(codes: Int16Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(codes.length / 2));
  for (let i = 0; i < codes.length; i++) out[i >> 1] = out[i >> 1]! | ((codes[i]! & 15) << ((i & 1) * 4));
  return out;
}
