import { analyse, fail, hasTime, type Model, staticLength } from '@gatefold/runtime';
import { Emitter } from './emit.ts';
import { type Port, TfliteBuilder } from './file.ts';
import { nodeWriters } from './nodes.ts';

/** What a person who asked for integers should know of the file. */
export function tfliteNotes({ weights }: Model): string[] {
  const isCoded = Object.values(weights).some(({ encoding }) => encoding.kind !== 'dense');
  if (!isCoded) return [];
  return [
    'dynamic range: weights are 8-bit codes, activations stay float32, whatever data were given. Files whose activations ' +
      'and cell states are integers too (for microcontrollers) are read, but not written: they need the range of every ' +
      'inner value',
  ];
}

/**
 * Writes a model as a TensorFlow Lite file of float32 activations: LSTM and simple RNN as its fused sequence operators
 * with states in variables, GRU step by step. Weights keep their codes where they have at most 8 bits around zero and
 * one scale per gate matrix (dynamic-range quantization). Batch is 1; an open number of steps stays open, except with
 * GRU, where the file then takes one step a call.
 * @throws MODEL_UNSUPPORTED naming the node or weight
 */
export function writeTflite(model: Model): Uint8Array {
  const [[name, graph] = fail('MODEL_INVALID', 'the model has no graph'), ...others] = Object.entries(model.graphs);
  if (others.length > 0) {
    fail('MODEL_UNSUPPORTED', 'TensorFlow Lite files are written with one graph', {
      found: Object.keys(model.graphs).join(', '),
    });
  }
  if (graph.states.length > 0) {
    fail('MODEL_UNSUPPORTED', 'states that travel through ports are not written', { place: graph.states[0]!.input });
  }
  const analysis = analyse(model, name);
  const isOpen = (value: string) => {
    const { time } = analysis.values.get(value)!;
    return hasTime(analysis.times[time]!) && staticLength(analysis.times, time) === undefined;
  };
  const stepwise = graph.nodes.some(
    ({ op, attributes, inputs }) => op === 'recurrent' && attributes.cell === 'gru' && isOpen(inputs.x!),
  );
  if (stepwise && analysis.wholeReasons.length > 0) {
    fail('MODEL_UNSUPPORTED', 'a GRU over an open number of steps is written step by step, this model needs them all', {
      found: analysis.wholeReasons.join('; '),
      hint: 'give the model a fixed number of steps',
    });
  }
  const builder = new TfliteBuilder();
  const emitter = new Emitter(builder, model, analysis, stepwise);
  const inputs = graph.inputs.map(
    (port): Port => ({
      name: port.name,
      tensor: emitter.define(port.name, port.dtype === 'int32' ? 'INT32' : 'FLOAT32'),
    }),
  );
  for (const node of graph.nodes) {
    const write = nodeWriters.get(node.op) ?? emitter.refuse(node, 'there is no operator for it');
    write(emitter, node);
  }
  const outputs = graph.outputs.map((port): Port => ({ name: port.name, tensor: emitter.tensorOf(port.value) }));
  const states = emitter.states;
  return builder.write(
    [...inputs, ...states.map(({ name: of, input }) => ({ name: `${of} h in`, tensor: input }))],
    [...outputs, ...states.map(({ name: of, output }) => ({ name: `${of} h out`, tensor: output }))],
    `${model.name}, written by Gatefold`,
  );
}
