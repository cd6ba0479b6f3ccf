import { analyse, fail, hasTime, type Model, staticLength } from '@gatefold/runtime';
import { measureRanges } from '../../../compress/index.ts';
import { stepsHint } from '../../fix.ts';
import type { WriteOptions, WrittenModel } from '../../types.ts';
import { Emitter } from './emit.ts';
import { type Port, TfliteBuilder } from './file.ts';
import { activationsOf, type Form, isFused } from './form.ts';
import { withIntegers } from './integer/index.ts';
import { nodeWriters } from './nodes.ts';

/**
 * Writes a model as a TensorFlow Lite file. LSTM and simple RNN are its fused sequence operators with states in
 * variables (or, where `explicitStates` says something, step by step without variables), GRU stands step by step.
 * Weights keep their codes where they have at most 8 bits around zero and one scale per gate matrix. Activations are
 * float32 (with coded weights: dynamic range), or with calibration integers: of 8 bits where products were coded with
 * 7-bit operands, of 16 where with 14. As integers only LSTM of 8 bits has an operator of its own; other cells stand
 * step by step, in 16 bits. Batch is 1; an open number of steps stays open, except where cells stand step by step: the
 * file then takes one step a call. Ports are float32, or with `integerPorts` the integers themselves.
 * @throws MODEL_UNSUPPORTED naming the node or weight
 */
export async function writeTflite(
  model: Model,
  { calibration, explicitStates, integerPorts = false }: WriteOptions,
): Promise<WrittenModel> {
  const [[name, graph] = fail('MODEL_INVALID', 'the model has no graph'), ...others] = Object.entries(model.graphs);
  if (others.length > 0) {
    fail('MODEL_UNSUPPORTED', 'TensorFlow Lite files are written with one graph', {
      found: Object.keys(model.graphs).join(', '),
    });
  }
  if (graph.states.length > 0) {
    fail('MODEL_UNSUPPORTED', 'states that travel through ports are not written', { place: graph.states[0]!.input });
  }
  const { bits, notes: ofActivations } = activationsOf(model, calibration !== undefined);
  const notes = [...ofActivations];
  const form: Form = { bits, explicitStates };
  if (integerPorts && bits === undefined) {
    fail('MODEL_UNSUPPORTED', 'integer ports need integer activations', {
      found: notes[0] ?? 'float32 weights',
      hint: 'quantize all weights with --bits 8, with data and without --operand f32',
    });
  }
  const analysis = analyse(model, name);
  const isOpen = (value: string) => {
    const { time } = analysis.values.get(value)!;
    return hasTime(analysis.times[time]!) && staticLength(analysis.times, time) === undefined;
  };
  const odd = graph.nodes.find((node) => node.op === 'recurrent' && !isFused(node, form) && isOpen(node.inputs.x!));
  if (odd && analysis.wholeReasons.length > 0) {
    fail(
      'MODEL_UNSUPPORTED',
      `"${odd.name}" over an open number of steps is written step by step, this model needs them all`,
      {
        place: odd.name,
        found: analysis.wholeReasons.join('; '),
        hint: stepsHint,
      },
    );
  }
  if (odd && explicitStates === false) {
    fail('MODEL_UNSUPPORTED', `"${odd.name}" over an open number of steps needs its state from call to call`, {
      place: odd.name,
      hint: `${stepsHint}; or let states be inputs and outputs`,
    });
  }
  const builder = new TfliteBuilder();
  const ranges = bits === undefined ? undefined : measureRanges(model, calibration!);
  const emitter = new Emitter(builder, model, analysis, { stepwise: odd !== undefined, form, ranges });
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
  const { states } = emitter;
  const ports = {
    inputs: [...inputs, ...states.map(({ name: of, input }) => ({ name: `${of} in`, tensor: input }))],
    outputs: [...outputs, ...states.map(({ name: of, output }) => ({ name: `${of} out`, tensor: output }))],
  };
  const file = bits === undefined ? { builder, ...ports } : withIntegers(builder, ports, { bits, ports: integerPorts });
  const description = `${model.name}, written by Gatefold`;
  const bytes = file.builder.write(file.inputs, file.outputs, description);
  const unrolled = graph.nodes.filter((node) => node.op === 'recurrent' && !isFused(node, form));
  const steps = unrolled.reduce((most, { inputs: { x } }) => Math.max(most, emitter.steps(x!)!), 1);
  if (steps > 1 && bytes.length > 2 * file.builder.constantBytes) {
    notes.push(`unrolled over ${steps} steps: ${file.builder.operators.length} operators are most of its bytes`);
  }
  return { bytes, notes };
}
