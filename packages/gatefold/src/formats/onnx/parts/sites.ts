import type { Node } from '@gatefold/runtime';
import { decodeMessage } from '../proto/decode.ts';
import { editMessage } from '../proto/edit.ts';
import { encodeMessage } from '../proto/encode.ts';
import { type Draft, messages } from '../proto/schema.ts';
import { type IntegerMatrix, integerMatrices, integerMatrix, integerProduct, microsoft } from '../write/integer.ts';
import { gateOrder, rowsIn } from '../write/recurrent.ts';
import { matrixTensor } from '../write/weights.ts';
import type { Writer } from '../write/writer.ts';
import type { Site, Slot } from './find.ts';
import type { Held } from './frames.ts';

/** Where what a site needs is written: beside a tensor, and in the site's own place. */
interface Places {
  readonly writers: (held: Held) => Writer;
  readonly made: Writer;
}

const fields = messages.Node;
/** DynamicQuantizeLinear came with this operator set. */
const opsetOfIntegers = 11;

/** What stands in the place of a node, made of its bytes, and how the runtime multiplies. */
export interface WrittenSite {
  readonly replace: (own: Uint8Array) => readonly Uint8Array[];
  readonly integer: boolean;
}

/** Writes a node whose `coded` matrices are no longer as they were; `nodes` are those of the model, by direction. */
export function writeSite(site: Site, nodes: readonly Node[], coded: readonly Slot[], places: Places): WrittenSite {
  return site.cell ? writeCell(site, nodes, coded, places) : writeDense(site, nodes[0]!, coded[0]!, places);
}

/** The node with other inputs, and with another op where one is given. */
function withInputs(
  own: Uint8Array,
  input: readonly string[],
  op?: Pick<Draft<'Node'>, 'opType' | 'domain'>,
): Uint8Array {
  const replaced: number[] = [fields.input[0], ...(op ? [fields.opType[0], fields.domain[0]] : [])];
  // The one attribute that DynamicQuantizeLSTM does not have.
  const isLayout = (attribute: Uint8Array) =>
    decodeMessage('Attribute', attribute, { lenient: true }).name === 'layout';
  return editMessage(
    own,
    (field, _, content) =>
      replaced.includes(field) || (op && field === fields.attribute[0] && isLayout(content)) ? [] : undefined,
    encodeMessage('Node', { input, ...op }),
  );
}

function writeCell(
  { node, cell, slots }: Site,
  nodes: readonly Node[],
  coded: readonly Slot[],
  { writers, made }: Places,
): WrittenSite {
  const rows = rowsIn(gateOrder(cell!.name, false), cell!.units);
  // onnxruntime's operator has no layout but the first.
  const hasLayout = node.attribute.some(({ name, i = 0 }) => name === 'layout' && i !== 0);
  if (cell!.name === 'lstm' && !hasLayout && coded.length === slots.length) {
    const [w, u] = slots.map(({ held, role }) => integerMatrices(writers(held), nodes, role, rows));
    if (w && u) {
      made.domains.add(microsoft);
      const rest = Array.from({ length: 5 }, (_, i) => node.input[3 + i] ?? '');
      const input = [node.input[0] ?? '', w.codes, u.codes, ...rest, w.scales, w.zero, u.scales, u.zero];
      const op = { opType: 'DynamicQuantizeLSTM', domain: microsoft };
      return { replace: (own) => [withInputs(own, input, op)], integer: true };
    }
  }
  const input = [...node.input];
  for (const { at, held, role } of coded) {
    const writer = writers(held);
    const parts = nodes.map((each) => matrixTensor(writer, each, role, { rows, lead: [1] }));
    const name = parts.join(' ');
    input[at] =
      parts.length === 1
        ? parts[0]!
        : writer.shared(`both ${name}`, () => writer.add('Concat', `${held.name}/both`, parts, { axis: 0 }));
  }
  return { replace: (own) => [withInputs(own, input)], integer: false };
}

function writeDense({ node, form }: Site, dense: Node, { held, role }: Slot, { writers, made }: Places): WrittenSite {
  const writer = writers(held);
  const matrix = isProduct(node) && writer.opset >= opsetOfIntegers ? integerMatrix(writer, dense, role) : undefined;
  if (matrix) return writeProduct(node, dense, matrix, made);
  const rows = matrixTensor(writer, dense, role);
  const placed =
    // What the node transposes itself.
    (form === 'rows') === (held.of === undefined)
      ? rows
      : writer.shared(`${rows} turned`, () => writer.add('Transpose', `${rows}/turned`, [rows], { perm: [1, 0] }));
  const input = node.input.map((name, slot) => (slot === 1 ? placed : name));
  return { replace: (own) => [withInputs(own, input)], integer: false };
}

/** Whether the node is a product and at most a sum: no factors, and the operand as it comes. */
function isProduct({ opType, attribute }: Site['node']): boolean {
  return (
    opType === 'MatMul' ||
    attribute.every(({ name, f, i }) =>
      name === 'transB' ? true : name === 'transA' ? !i : f === undefined || f === 1,
    )
  );
}

function writeProduct(node: Site['node'], dense: Node, matrix: IntegerMatrix, made: Writer): WrittenSite {
  const product = integerProduct(made, node.input[0] ?? '', matrix, `${dense.name}/product`);
  if (node.opType === 'Gemm' && node.input[2]) made.add('Add', `${dense.name}/sum`, [product, node.input[2]]);
  const last = made.nodes.length - 1;
  const named = made.nodes.map((each, i) =>
    i < last ? each : { ...each, output: node.output, ...(node.name ? { name: node.name } : {}) },
  );
  return { replace: () => named.map((each) => encodeMessage('Node', each)), integer: true };
}
