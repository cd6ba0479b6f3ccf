import type { AttributeValue } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import type { Call } from '../graph/call.ts';
import {
  type Axis,
  isFeature,
  isUnknown,
  numbersOf,
  plainFeatures,
  showTensor,
  type Tensor,
  type Value,
} from '../graph/tensor.ts';
import { unfoldTime } from '../graph/time.ts';
import { rowOf } from '../graph/views.ts';
import { activationsOf } from './recurrent-functions.ts';
import { initialState } from './recurrent-states.ts';
import { type CellName, type CellShape, cellWeights } from './recurrent-weights.ts';
import type { Handler } from './types.ts';

/** X as [batch, time, features]: time and batch may stand either way (layout), or be fixed to one and hidden. */
function sequenceOf(call: Call, x: Value, layout: number): { x: Value; time: Axis; batch: Axis } {
  if (x.axes.length !== 3) call.fail('MODEL_SHAPE', 'its X has not three dimensions', { found: showTensor(x) });
  const [t, b] = layout === 1 ? [1, 0] : [0, 1];
  const batch = x.axes[b]!;
  if (batch.role !== 'batch' && !(isFeature(batch) && batch.size === 1)) {
    call.refuse('reads no batch where it should', {
      found: showTensor(x),
      hint: 'batch and time may be named otherwise than they are used',
    });
  }
  if (!isFeature(x.axes[2]!)) call.refuse('reads no features', { found: showTensor(x) });
  const time = x.axes[t]!;
  if (call.reading.lifted) {
    if (!isFeature(time) || time.size !== 1)
      call.refuse('runs over several steps in each call of a model with states', { found: showTensor(x) });
    return { x: rowOf(call, x), time, batch };
  }
  if (time.role === 'time') return { x: rowOf(call, x), time, batch };
  if (!isFeature(time)) return call.refuse('reads no time where it should', { found: showTensor(x) });
  const unfolded = unfoldTime(call, x, t);
  return { x: rowOf(call, unfolded), time: unfolded.axes[t]!, batch };
}

/** Refuses sequence lengths that differ from the sequence's. */
function checkLengths(call: Call, time: Axis): void {
  const lengths = call.inputs[4];
  if (!lengths) return;
  const numbers = numbersOf(call.asConstant(lengths, 'sequence_lens'));
  const steps = time.role === 'time' && isUnknown(time.size) ? undefined : time.size;
  if (!numbers || Array.from(numbers).some((n) => n !== steps)) {
    call.refuse('is given lengths of its sequences that are not the whole length', {
      found: numbers ? Array.from(numbers).join(', ') : 'an open length',
    });
  }
}

function recurrent(cell: CellName): Handler {
  const run = (call: Call): (Tensor | undefined)[] => {
    const layout = call.int('layout', 0);
    const direction = call.text('direction', 'forward');
    if (layout !== 0 && layout !== 1) call.refuse('unknown layout', { found: String(layout) });
    if (!['forward', 'reverse', 'bidirectional'].includes(direction))
      call.refuse('unknown direction', { found: direction });
    const r = call.constant(2, 'R');
    const directions = direction === 'bidirectional' ? 2 : 1;
    const shape: CellShape = {
      cell,
      units: r.shape[2] ?? 0,
      directions,
      coupled: cell === 'lstm' && call.int('input_forget', 0) !== 0,
      resetAfter: cell === 'gru' && call.int('linear_before_reset', 0) !== 0,
    };
    if (call.int('hidden_size', shape.units) !== shape.units)
      call.fail('MODEL_SHAPE', 'hidden_size does not fit its weights', { found: `[${r.shape}]` });
    const activations = activationsOf(call, cell, directions);
    const gate = activations[0]!.gate?.[0];
    if (shape.coupled && gate !== 'sigmoid')
      call.refuse('couples its gates with another function than the sigmoid', { found: gate ?? '' });
    const { x, time, batch } = sequenceOf(call, call.value(0), layout);
    checkLengths(call, time);
    const clip = call.float('clip', 0);
    const stateNames = cell === 'lstm' ? ['h', 'c'] : ['h'];
    const outputs = Array.from({ length: directions }, (_, d) => {
      const backward = direction === 'reverse' || d === 1;
      const { gate: σ, candidate } = activations[d]!;
      const attributes: Record<string, AttributeValue> = {
        cell,
        units: shape.units,
        activation: activationAttribute(candidate),
        ...(σ ? { recurrentActivation: activationAttribute(σ) } : {}),
        ...(shape.resetAfter ? { resetAfter: true } : {}),
        ...(shape.coupled ? { coupled: true } : {}),
        ...(clip > 0 ? { clip } : {}),
        ...(backward ? { direction: 'backward' } : {}),
      };
      const inputs: Record<string, string> = { x: x.name };
      stateNames.forEach((state, k) => {
        const initial = initialState(call, 5 + k, d, shape, layout);
        if (initial !== undefined) inputs[state] = initial;
      });
      const name = directions === 1 ? call.name : `${call.name}/${backward ? 'backward' : 'forward'}`;
      return call.reading.builder.add('recurrent', name, inputs, attributes, cellWeights(call, shape, d), [
        'y',
        ...stateNames,
      ]);
    });
    return results(call, outputs, { time, batch, layout, units: shape.units });
  };
  return {
    attributes: [
      ...['activations', 'activation_alpha', 'activation_beta', 'clip', 'direction', 'hidden_size', 'layout'],
      ...(cell === 'lstm' ? ['input_forget'] : cell === 'gru' ? ['linear_before_reset'] : []),
    ],
    run,
  };
}

interface Result {
  readonly time: Axis;
  readonly batch: Axis;
  readonly layout: number;
  readonly units: number;
}

/** Y [time, directions, batch, units] (layout 1: batch first), Y_h and Y_c [directions, batch, units]. */
function results(
  call: Call,
  outputs: readonly Readonly<Record<string, string>>[],
  { time, batch, layout, units }: Result,
): (Tensor | undefined)[] {
  const join = (key: string, suffix: string) => {
    if (outputs.length === 1) return outputs[0]![key]!;
    return call.add('concat', { 0: outputs[0]![key]!, 1: outputs[1]![key]! }, {}, {}, suffix);
  };
  const [directions, unit] = plainFeatures([outputs.length, units]) as [Axis, Axis];
  const wanted = (i: number) => (call.node.output[i] ?? '') !== '';
  const { lifted } = call.reading;
  const sequence = (): Value => ({
    kind: 'value',
    name: join('y', '/y'),
    offset: 0,
    axes: layout === 1 ? [batch, time, directions, unit] : [time, directions, batch, unit],
  });
  const state = (name: string): Value => ({
    kind: 'value',
    name,
    offset: 0,
    axes: layout === 1 ? [batch, directions, unit] : [directions, batch, unit],
  });
  // In a model whose calls are steps, the state after the call is the step's output.
  const h = () => state(lifted ? join('y', '/y') : join('h', '/h'));
  return [
    wanted(0) ? sequence() : undefined,
    wanted(1) ? h() : undefined,
    outputs[0]!.c !== undefined && wanted(2) ? state(lifted ? cellOf(call, outputs) : join('c', '/c')) : undefined,
  ];
}

/**
 * The cell state after a step, of which the graph has only the last: a stand-in with the rows of the output, which must
 * turn out to be needed for nothing but the next call's state.
 */
function cellOf(call: Call, outputs: readonly Readonly<Record<string, string>>[]): string {
  if (outputs.length > 1) call.refuse('runs in both directions in a model with states');
  const { y, c } = outputs[0]!;
  const name = call.add('unary', { x: y! }, { function: ['linear'] }, {}, '/cell');
  call.reading.cells.set(c!, name);
  return name;
}

export const recurrentHandlers: Readonly<Record<string, Handler>> = {
  LSTM: recurrent('lstm'),
  GRU: recurrent('gru'),
  RNN: recurrent('rnn'),
};
