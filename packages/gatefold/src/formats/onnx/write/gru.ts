import type { Node } from '@gatefold/runtime';
import { gruStep } from '../gru-step.ts';
import type { Draft } from '../proto/schema.ts';
import { type IntegerMatrix, integerMatrix, integerProduct } from './integer.ts';
import { vectorOf } from './weights.ts';
import { elementTypes, type Writer } from './writer.ts';

/**
 * From so many units on onnxruntime is faster with a step's products in integers than with its own GRU: a step of single nodes
 * costs some 25 µs more, which 512 units make up for.
 */
export const fewestUnits = 512;

export interface IntegerGru {
  readonly kernel: IntegerMatrix;
  readonly recurrent: readonly IntegerMatrix[];
}

/** The matrices of a GRU whose steps are to be written in integers; undefined where its own operator serves better. */
export function integerGru(writer: Writer, node: Node): IntegerGru | undefined {
  const { units, cell, activation, recurrentActivation, clip, resetAfter } = node.attributes;
  const plain = (given: typeof activation, name: string) =>
    given === undefined || given === name || (Array.isArray(given) && given.length === 1 && given[0] === name);
  const usual = plain(activation, 'tanh') && plain(recurrentActivation, 'sigmoid') && clip === undefined;
  if (cell !== 'gru' || Number(units) < fewestUnits || !usual) return undefined;
  const rows = (from: number, count: number) =>
    Array.from({ length: count * Number(units) }, (_, i) => from * Number(units) + i);
  const kernel = integerMatrix(writer, node, 'W');
  const parts = resetAfter === true ? [rows(0, 3)] : [rows(0, 2), rows(2, 1)];
  const recurrent = parts.map((part) => integerMatrix(writer, node, 'U', { rows: part }));
  return kernel && recurrent.every((matrix) => matrix !== undefined) ? { kernel, recurrent } : undefined;
}

/**
 * Steps of a GRU as a Scan over W·x + b. `x` is [time, batch, features], `state` [batch, units] or '' for zeros.
 * @returns [time, batch, units] and the last state [batch, units]
 */
export function scanGru(
  writer: Writer,
  node: Node,
  { kernel, recurrent }: IntegerGru,
  x: string,
  state: string,
): { steps: string; last: string } {
  const { name } = node;
  const units = Number(node.attributes.units);
  const product = integerProduct(writer, x, kernel, `${name}/x`);
  const b = vectorOf(writer, node, 'b');
  const given = b
    ? writer.add('Add', `${name}/x-biased`, [product, writer.floats(`${name}/b`, [3 * units], b)])
    : product;
  const bR = vectorOf(writer, node, 'bR');
  const [h, own] = [writer.unique(`${name}/h`), writer.unique(`${name}/x-step`)];
  const { nodes, next } = gruStep({
    x: own,
    h,
    sizes: writer.ints([units, units, units]),
    twoSizes: recurrent.length > 1 ? writer.ints([units, units]) : undefined,
    one: writer.number(1),
    matrices: recurrent.map(({ codes, scales, zero }) => [codes, scales, zero]),
    bias: bR && writer.floats(`${name}/bR`, [3 * units], bR),
  });
  const made = new Map<string, string>();
  const inner = (tensor: string) => made.get(tensor) ?? tensor;
  for (const { output } of nodes) for (const tensor of output) made.set(tensor, writer.unique(`${name}/${tensor}`));
  const shown = writer.unique(`${name}/step`);
  const row = (tensor: string, width: number): Draft<'ValueInfo'> => ({
    name: tensor,
    type: {
      tensorType: { elemType: elementTypes.float, shape: { dim: [{ dimParam: 'batch' }, { dimValue: width }] } },
    },
  });
  const body: Draft<'Graph'> = {
    name: `${name} step`,
    node: [
      ...nodes.map(({ opType, input, output, attributes = {} }) => ({
        opType,
        name: writer.unique(`${inner(output[0]!)}/${opType}`),
        input: input.map(inner),
        output: output.map(inner),
        attribute: Object.entries(attributes).map(([key, i]) => ({ name: key, i, type: 2 })),
      })),
      { opType: 'Identity', name: writer.unique(`${shown}/Identity`), input: [inner(next)], output: [shown] },
    ],
    input: [row(h, units), row(own, 3 * units)],
    output: [row(inner(next), units), row(shown, units)],
  };
  const start = state === '' ? zeros(writer, name, x, units) : state;
  const backward = node.attributes.direction === 'backward';
  const [last, steps] = writer.addMany('Scan', name, [start, given], [`${name}/Y_h`, `${name}/Y`], {
    body: { graph: body },
    num_scan_inputs: 1,
    ...(backward ? { scan_input_directions: [1], scan_output_directions: [1] } : {}),
  });
  return { steps: steps!, last: last! };
}

/** [batch, units] zeros for x [time, batch, features]. */
function zeros(writer: Writer, name: string, x: string, units: number): string {
  const shape = writer.add('Shape', `${name}/shape`, [x]);
  const batch = writer.add('Slice', `${name}/batch`, [shape, writer.ints([1]), writer.ints([2])]);
  const dims = writer.add('Concat', `${name}/state-shape`, [batch, writer.ints([units])], { axis: 0 });
  return writer.add('ConstantOfShape', `${name}/zeros`, [dims]);
}
