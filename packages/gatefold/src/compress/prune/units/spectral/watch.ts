import { decode, denseWeight, type Graph, graphOf, type Model, type Node, type Weight } from '@gatefold/runtime';
import { innerOf, outputOf, type View } from './views.ts';

/** The output ports of a watched model: one per view, and one for its mask where it has one. */
export const portOf = (view: number): string => `view:${view}`;
export const maskPortOf = (view: number): string => `mask:${view}`;

/** The model with the values that the views name as further outputs of its first graph. */
export function watch(model: Model, views: readonly View[]): Model {
  const { name, graph } = graphOf(model);
  const weights: Record<string, Weight> = { ...model.weights };
  const wanted = new Set(views.map((view) => view.value));
  const nodes = graph.nodes.flatMap((node) => {
    if (node.op !== 'recurrent') return [node];
    const named = { ...node, outputs: { ...node.outputs, y: outputOf(node) } };
    return wanted.has(innerOf(node)) ? openProjection(named, weights) : [named];
  });
  const outputs = views.flatMap(({ value, mask }, i) => [
    { name: portOf(i), value },
    ...(mask === undefined ? [] : [{ name: maskPortOf(i), value: mask }]),
  ]);
  const watched: Graph = { ...graph, nodes, outputs: [...graph.outputs, ...outputs] };
  return { ...model, weights, graphs: { ...model.graphs, [name]: watched } };
}

/**
 * Shows what a projection multiplies: the projection also hands its operand through, [R; 1], the recurrent matrix does not
 * look at it, [U 0], and both parts are cut out of what comes out.
 */
function openProjection(node: Node, weights: Record<string, Weight>): Node[] {
  const [output, units] = weights[node.weights.R!]!.shape as [number, number];
  const all = output + units;
  const add = (what: string, shape: number[], values: Float32Array) => {
    const name = `${node.name}#${what}`;
    weights[name] = denseWeight(shape, values);
    return name;
  };
  const opened = new Float32Array(all * units);
  opened.set(decode(weights[node.weights.R!]!));
  for (let i = 0; i < units; i++) opened[(output + i) * units + i] = 1;
  const before = weights[node.weights.U!]!;
  const rows = before.shape[0]!;
  const from = decode(before);
  const recurrent = new Float32Array(rows * all);
  for (let r = 0; r < rows; r++) recurrent.set(from.subarray(r * output, (r + 1) * output), r * all);
  const cut = (what: string, value: string, to: string, range: [number, number]): Node => ({
    ...{ name: `${node.name}#${what}`, op: 'slice', inputs: { x: value }, outputs: { y: to }, weights: {} },
    attributes: { from: range[0], to: range[1] },
  });
  const nodes: Node[] = [];
  const inputs = { ...node.inputs };
  if (node.inputs.h !== undefined) {
    const none = add('none', [units], new Float32Array(units));
    nodes.push(
      { name: none, op: 'constant', inputs: {}, outputs: { y: none }, attributes: {}, weights: { value: none } },
      {
        ...{ name: `${node.name}#start`, op: 'concat', inputs: { 0: node.inputs.h, 1: none } },
        ...{ outputs: { y: `${node.name}#start` }, attributes: {}, weights: {} },
      },
    );
    inputs.h = `${node.name}#start`;
  }
  const wide = Object.fromEntries(
    Object.entries(node.outputs).map(([port, value]) => [port, port === 'c' ? value : `${node.name}#wide-${port}`]),
  );
  nodes.push({
    ...node,
    ...{ inputs, outputs: wide },
    weights: {
      ...node.weights,
      R: add('R', [all, units], opened),
      U: add('U', [rows, all], recurrent),
    },
  });
  for (const [port, value] of Object.entries(node.outputs)) {
    if (port !== 'c') nodes.push(cut(`cut-${port}`, wide[port]!, value, [0, output]));
  }
  nodes.push(cut('cut-inner', wide.y!, innerOf(node), [output, all]));
  return nodes;
}
