import { type Analysis, executedWeights, gatesOf, type Model, type Node, sizeOf, type Weight } from '@gatefold/runtime';

/** Multiply-accumulates of a node per step. */
export interface NodeMacs {
  /** What the kernels compute: products with removed weights are left out where that is done. */
  readonly executed: number;
  /** The same with every weight. */
  readonly dense: number;
  /** Executed ones by matrix. */
  readonly matrices: readonly { readonly weight: Weight; readonly macs: number }[];
}

/** Where a matrix is used several times a step, as in convolutions, each of its weights is. */
export function macsOf(model: Model, node: Node, analysis: Analysis): NodeMacs {
  const dense = analysis.nodes.get(node.name)!.macsPerRow;
  const uses = Object.entries(node.weights)
    .map(([role, key]) => ({ role, weight: model.weights[key]! }))
    .filter(({ weight }) => weight.shape.length > 1);
  const size = uses.reduce((sum, { weight }) => sum + sizeOf(weight.shape), 0);
  const matrices = uses.map(({ role, weight }) => {
    if (dense === 0) return { weight, macs: 0 };
    const rows = weight.shape[0]! / (gatesOf(node, role)?.length ?? 1);
    return { weight, macs: (dense * executedWeights(weight, rows, `${node.name}/${role}`)) / size };
  });
  return { executed: Math.round(matrices.reduce((sum, { macs }) => sum + macs, 0)), dense, matrices };
}
