import { fail } from '../errors/index.ts';
import { analyse, graphOf, hasTime, type Model, type Node, portShape } from '../model/index.ts';
import { sizeOf } from '../tensor/index.ts';
import { Builder } from './builder.ts';
import { elementwiseLowerings } from './ops/elementwise.ts';
import { linearLowerings } from './ops/linear.ts';
import { lowerRecurrent } from './ops/recurrent.ts';
import { sequenceLowerings } from './ops/sequence.ts';
import type { Program, ProgramPort } from './program.ts';

const lowerings: Readonly<Record<string, (builder: Builder, node: Node) => void>> = {
  recurrent: lowerRecurrent,
  ...linearLowerings,
  ...elementwiseLowerings,
  ...sequenceLowerings,
};

/**
 * Chooses instructions for every node of the graph by op and encoding, and packs the weights for them.
 * @throws MODEL_* where the graph is invalid or an encoding has no kernel there
 */
export function lower(model: Model, graphName?: string): Program {
  const { graph } = graphOf(model, graphName);
  const analysis = analyse(model, graphName);
  const builder = new Builder(model, analysis);
  const port = (name: string, value: string): ProgramPort => {
    const type = analysis.values.get(value)!;
    return {
      name,
      shape: portShape(analysis, type),
      dtype: type.dtype,
      buffer: builder.values.get(value)!,
      time: type.time,
      width: sizeOf(type.shape),
    };
  };
  for (const { name } of graph.inputs) {
    const type = analysis.values.get(name)!;
    builder.values.set(name, builder.buffer(type.time, sizeOf(type.shape)).buffer);
  }
  // Ports that belong to the stream are read from its state block first and written back last.
  const kept = graph.states.map((state) => {
    const { width, buffer } = port(state.input, state.input);
    const at = builder.state(width);
    builder.emit('loadState', { dst: { ref: { buffer, offset: 0 } }, state: { state: at }, n: { value: width } });
    return { ...state, at };
  });
  for (const node of graph.nodes) {
    const lowering =
      lowerings[node.op] ?? fail('MODEL_UNSUPPORTED', `op "${node.op}" cannot run`, { place: node.name });
    if (Object.keys(node.outputs).length > 0) lowering(builder, node);
  }
  for (const { output, at } of kept) {
    const { width, buffer } = port(output, graph.outputs.find(({ name }) => name === output)!.value);
    builder.emit('storeState', { src: { ref: { buffer, offset: 0 } }, state: { state: at }, n: { value: width } });
  }
  builder.closeRows();
  const isKept = (name: string) => graph.states.some(({ input, output }) => name === input || name === output);
  return {
    times: analysis.times,
    buffers: builder.buffers,
    blocks: builder.blocks,
    constants: builder.constants.image(),
    stateBytes: builder.stateBytes,
    callStates: builder.callStates,
    inputs: graph.inputs.filter(({ name }) => !isKept(name)).map(({ name }) => port(name, name)),
    outputs: graph.outputs.filter(({ name }) => !isKept(name)).map(({ name, value }) => port(name, value)),
    stepwise: graph.states.length > 0,
    wholeReasons: analysis.wholeReasons,
  };
}

/** Whether the program's inputs are sequences (else each call is itself one step). */
export function isSequential({ inputs, times }: Pick<Program, 'inputs' | 'times'>): boolean {
  return inputs.some((input) => hasTime(times[input.time]!));
}
