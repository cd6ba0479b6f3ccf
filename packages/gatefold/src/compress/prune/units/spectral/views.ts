import { analyse, cellOf, graphOf, type Model, type Node, OpContext, usesOf } from '@gatefold/runtime';
import type { UnitMap } from '../analyse.ts';

/** A matrix that multiplies a value. */
export interface Consumer {
  readonly node: Node;
  readonly role: string;
  readonly weight: string;
  /** Times that the value's features follow each other along the columns: the taps of a convolution. */
  readonly taps: number;
  /** Rows that multiply the value itself. */
  readonly rows: readonly number[];
  /** Role of the vector that a constant of the product can be put into. */
  readonly bias: string | undefined;
}

/** A value that matrices multiply: what they can make up for when some of its features go. */
export interface View {
  /** The value's name; of the inner state that a projection multiplies, one that {@link watch} makes. */
  readonly value: string;
  /** The value whose zeros mark rows that do not count. */
  readonly mask: string | undefined;
  /** The channel of each feature. */
  readonly channels: readonly number[];
  readonly consumers: readonly Consumer[];
}

/** The output value of every step of a recurrent node, named where the graph does not. */
export const outputOf = (node: Node): string => node.outputs.y ?? `${node.name}#y`;
/** What a node's projection multiplies. */
export const innerOf = (node: Node): string => `${node.name}#inner`;

const every = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The products of a node, with the value that each multiplies. */
function productsOf(
  model: Model,
  node: Node,
  op: () => OpContext,
): { value: string; mask: string | undefined; consumer: Consumer }[] {
  const whole = (role: string, bias: string, taps: number) => {
    const weight = node.weights[role]!;
    const rows = every(model.weights[weight]!.shape[0]!);
    return [{ value: node.inputs.x!, mask: undefined, consumer: { node, role, weight, taps, rows, bias } }];
  };
  if (node.op === 'dense') return whole('kernel', 'bias', 1);
  if (node.op === 'conv1d') {
    const grouped = (node.attributes.groups ?? 1) !== 1;
    return grouped ? [] : whole('kernel', 'bias', Number(node.attributes.size));
  }
  if (node.op !== 'recurrent') return [];
  const { cell, options } = cellOf(op());
  return cell.weights(options).flatMap(({ role, columns, gates, bias, inner = [] }) => {
    const weight = node.weights[role];
    if (!columns || weight === undefined) return [];
    const projected = node.weights.R !== undefined && columns === 'units';
    const value = columns === 'features' ? node.inputs.x! : projected ? innerOf(node) : outputOf(node);
    const height = model.weights[weight]!.shape[0]!;
    const perGate = height / (gates?.length ?? 1);
    const rows = every(height).filter((row) => !inner.includes(gates?.[Math.floor(row / perGate)] ?? ''));
    return [{ value, mask: node.inputs.mask, consumer: { node, role, weight, taps: 1, rows, bias } }];
  });
}

/** Every value of the model's first graph that is multiplied, with what multiplies it. */
export function viewsOf(model: Model, map: UnitMap): View[] {
  const { graph, name } = graphOf(model);
  const types = analyse(model, name);
  const views = new Map<string, { value: string; mask: string | undefined; consumers: Consumer[] }>();
  for (const node of graph.nodes) {
    const op = () => new OpContext(node, model, types.values, [...types.times]);
    for (const { value, mask, consumer } of productsOf(model, node, op)) {
      const key = JSON.stringify([value, mask]);
      const view = views.get(key) ?? { value, mask, consumers: [] };
      views.set(key, view);
      view.consumers.push(consumer);
    }
  }
  return [...views.values()].map((view): View => {
    const { weight, taps } = view.consumers[0]!;
    const columns = map.axis(weight, 1)!;
    return { ...view, channels: [...columns.subarray(0, columns.length / taps)] };
  });
}

/** Weights that stand at one place of the model only. */
export function usedOnce(model: Model): (weight: string) => boolean {
  const counts = new Map<string, number>();
  for (const { weight } of usesOf(model)) counts.set(weight, (counts.get(weight) ?? 0) + 1);
  return (weight) => counts.get(weight) === 1;
}
