import type { Subgraph } from './parse.ts';

/**
 * A graph without the operators that only code and decode activations: values stay real numbers between layers, so that they change
 * nothing, but would stand between what belongs together (a state and its cell). What a graph shows keeps its name.
 */
export function withoutRecoding(graph: Subgraph): Subgraph {
  const sources = new Map<number, number>();
  const sourceOf = (tensor: number) => sources.get(tensor) ?? tensor;
  const operators = graph.operators.filter(({ name, inputs: [from = -1], outputs: [to = -1] }) => {
    // What decodes a constant is read with it.
    if ((name !== 'QUANTIZE' && name !== 'DEQUANTIZE') || !graph.tensors[from] || graph.tensors[from].data) return true;
    sources.set(to, sourceOf(from));
    return false;
  });
  if (sources.size === 0) return graph;
  const tensors = [...graph.tensors];
  for (const output of graph.outputs) {
    const source = sourceOf(output);
    if (!graph.inputs.includes(source)) tensors[source] = { ...tensors[source]!, name: tensors[output]!.name };
  }
  return {
    ...graph,
    tensors,
    operators: operators.map((operator) => {
      const { inputs: codedInputs } = operator;
      return { ...operator, inputs: codedInputs.map(sourceOf), codedInputs };
    }),
    outputs: graph.outputs.map(sourceOf),
  };
}
