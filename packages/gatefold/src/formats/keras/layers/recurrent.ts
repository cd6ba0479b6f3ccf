import { type AttributeValue, sizeOf } from '@gatefold/runtime';
import { activationAttribute } from '../../graph-builder.ts';
import { cellActivation } from '../activations.ts';
import { layerConfig } from '../config.ts';
import { show } from '../json.ts';
import {
  configOf,
  flagIn,
  type LayerContext,
  type LayerReader,
  type NamedArguments,
  only,
  refuseLayer,
  single,
} from '../layer.ts';
import type { KerasTensor } from '../tensor.ts';
import type { KerasVersion } from '../version.ts';
import { cellWeights } from './cell-weights.ts';
import { stepMask } from './truth.ts';

const cellClasses: Readonly<Record<string, 'lstm' | 'gru' | 'rnn'>> = {
  LSTM: 'lstm',
  CuDNNLSTM: 'lstm',
  LSTMCell: 'lstm',
  GRU: 'gru',
  CuDNNGRU: 'gru',
  GRUCell: 'gru',
  SimpleRNN: 'rnn',
  SimpleRNNCell: 'rnn',
};

/** What a recurrent layer does around its cell. */
interface Run {
  readonly backward: boolean;
  readonly mask: string | undefined;
  readonly initial: readonly string[];
  readonly stateful: boolean;
  readonly zeroOutputForMask: boolean;
}

/** Adds the node of one cell; returns its sequence and its final states. */
function addCell(context: LayerContext, x: string, run: Run): { y: string; states: string[] } {
  const { builder, layer, name, version } = context;
  const { config, className } = layer;
  const cell =
    (Object.hasOwn(cellClasses, className) ? cellClasses[className] : undefined) ??
    refuseLayer(context, `cell "${className}" is not known`, 'known: LSTMCell, GRUCell, SimpleRNNCell');
  const cudnn = className.startsWith('CuDNN');
  const units = single(context, 'units', config.output_dim as number | undefined);
  if (config.inner_activation !== undefined)
    refuseLayer(context, 'is of Keras 1', 'load and save it with Keras 2 first');
  if (flagIn(context, 'time_major')) refuseLayer(context, 'time comes first', 'use time_major=False');
  // Keras 2's plain GRU had no reset_after option before 2.2; the CuDNN form always resets after.
  const resetAfter = cell === 'gru' && (cudnn || flagIn(context, 'reset_after', version.major >= 3));
  const features = sizeOf(builder.type(x).shape);
  const weights = cellWeights(context, {
    cell,
    units,
    features,
    resetAfter,
    useBias: cudnn || flagIn(context, 'use_bias', true),
  });
  const attributes: Record<string, AttributeValue> = {
    cell,
    units,
    activation: activationAttribute(cellActivation(context, cudnn ? 'tanh' : (config.activation ?? 'tanh'))),
    ...(cell === 'rnn'
      ? {}
      : {
          recurrentActivation: activationAttribute(
            cellActivation(context, cudnn ? 'sigmoid' : (config.recurrent_activation ?? gateDefault(version))),
          ),
        }),
    ...(resetAfter ? { resetAfter } : {}),
    ...(run.backward ? { direction: 'backward' } : {}),
    ...(run.stateful ? { stateful: true } : {}),
    ...(run.mask !== undefined && run.zeroOutputForMask ? { zeroOutputForMask: true } : {}),
  };
  const stateNames = cell === 'lstm' ? ['h', 'c'] : ['h'];
  const initial = Object.fromEntries(
    stateNames.flatMap((state, i) => (run.initial[i] === undefined ? [] : [[state, run.initial[i]!]])),
  );
  const inputs = { x, ...(run.mask === undefined ? {} : { mask: run.mask }), ...initial };
  const out = builder.add('recurrent', name, inputs, attributes, weights, ['y', ...stateNames]);
  return { y: out.y!, states: stateNames.map((state) => out[state]!) };
}

/** Standalone Keras up to 2.2 had the hard sigmoid as the default of its gates. */
function gateDefault({ standalone, minor }: KerasVersion): string {
  return standalone && minor < 3 ? 'hard_sigmoid' : 'sigmoid';
}

/** The cells of a layer: its own, or those of the RNN wrapper, each with its own context. */
function cellsOf(context: LayerContext): LayerContext[] {
  if (context.layer.className !== 'RNN') {
    // Keras 3 keeps a layer's weights in its cell; the names of Keras 2 do not care.
    return [{ ...context, supply: context.supply.part('cell') }];
  }
  const cell = layerConfig(configOf(context.layer.config.cell, context, 'cell'), `${context.name}.cell`);
  if (cell.className !== 'StackedRNNCells') return [{ ...context, layer: cell, supply: context.supply.part('cell') }];
  const list = cell.config.cells;
  if (!Array.isArray(list) || list.length === 0) return refuseLayer(context, 'StackedRNNCells without cells');
  if (cell.config.reverse_state_order === true)
    refuseLayer(context, 'states in reverse order', 'use reverse_state_order=False');
  const inner = list.map((value, i) => layerConfig(value, `${context.name}.cells[${i}]`));
  const supplies = context.supply.part('cell').parts(inner, 'cells');
  return inner.map((layer, i) => ({ ...context, layer, name: `${context.name}/${i}`, supply: supplies(i) }));
}

/** One direction of a recurrent layer. `backward` is the direction it runs in. */
function runLayer(
  context: LayerContext,
  x: KerasTensor,
  initial: readonly string[],
  mask: string | undefined,
  zeroOutputForMask: boolean,
): LayerRun {
  const backward = flagIn(context, 'go_backwards');
  const stateful = flagIn(context, 'stateful');
  const states: string[] = [];
  let at = x.value;
  let h = at;
  for (const cell of cellsOf(context)) {
    const out = addCell(cell, at, {
      backward,
      mask,
      initial: initial.slice(states.length),
      stateful,
      zeroOutputForMask,
    });
    at = out.y;
    h = out.states[0]!;
    states.push(...out.states);
  }
  const { builder, name } = context;
  const reversed = () => builder.add('reverse', `${name}/reverse`, { x: at }).y!;
  if (initial.length !== 0 && initial.length !== states.length) {
    refuseLayer(context, `is given ${initial.length} initial states and has ${states.length}`);
  }
  // What a masked step repeats starts at zero, or is zero; the state is not. Then only the sequence tells the last output.
  const differs = mask !== undefined && (initial.length > 0 || stateful || zeroOutputForMask);
  // TensorFlow.js repeats the state instead.
  if (differs && !zeroOutputForMask && context.version.text.startsWith('tfjs')) {
    refuseLayer(context, 'skips masked steps from a given state', 'leave out the mask, or the state');
  }
  return {
    states,
    // `y` follows the input's order, Keras gives the order of processing.
    sequence: (inOrder) => (backward && inOrder === 'processed' ? reversed() : at),
    last() {
      if (backward && !differs) return h;
      return builder.add('last', `${name}/last`, { x: backward ? reversed() : at }).y!;
    },
    backward,
  };
}

interface LayerRun {
  readonly states: readonly string[];
  readonly sequence: (order: 'processed' | 'input') => string;
  readonly last: () => string;
  readonly backward: boolean;
}

/**
 * The tensors after the first are initial states, as are those passed by name. Keras 3 does not hand the mask that
 * travels with x to a layer that is given initial states (it still passes it on), Keras 2 does.
 */
function splitInputs(context: LayerContext, inputs: readonly KerasTensor[], named: NamedArguments['tensors']) {
  const [x, ...rest] = inputs;
  if (Number(context.layer.config.num_constants ?? 0) > 0) refuseLayer(context, 'constants beside its states');
  const initial = (named.initial_state ?? rest).map((tensor) => tensor.value);
  const implicit = context.version.major >= 3 && initial.length > 0 ? undefined : x!.mask;
  const [given] = named.mask ?? [];
  return { x: x!, initial, mask: given ? stepMask(context, given, x!) : implicit };
}

const recurrent: LayerReader = (context, inputs, { tensors }) => {
  if (inputs.length === 0) only(context, inputs);
  const { x, initial, mask } = splitInputs(context, inputs, tensors);
  const sequences = flagIn(context, 'return_sequences');
  const { sequence, last, states } = runLayer(context, x, initial, mask, flagIn(context, 'zero_output_for_mask'));
  const y = sequences ? sequence('processed') : last();
  const first: KerasTensor = { value: y, mask: sequences ? (mask ?? x.mask) : undefined };
  return flagIn(context, 'return_state') ? [first, ...states.map((value) => ({ value }))] : [first];
};

/** The layer of one direction: Keras stores one and makes the other from it, or stores both. */
function direction(context: LayerContext, which: 'forward' | 'backward'): LayerContext {
  const inner = layerConfig(configOf(context.layer.config.layer, context, 'layer'), `${context.name}.layer`);
  const stored = context.layer.config.backward_layer;
  const own =
    which === 'backward' && stored
      ? layerConfig(configOf(stored, context, 'backward_layer'), `${context.name}.backward_layer`)
      : {
          ...inner,
          config: { ...inner.config, go_backwards: (inner.config.go_backwards === true) !== (which === 'backward') },
        };
  return { ...context, layer: own, name: `${context.name}/${which}`, supply: context.supply.part(`${which}_layer`) };
}

const bidirectional: LayerReader = (context, inputs, { tensors }) => {
  if (inputs.length === 0) only(context, inputs);
  const { builder, name, layer, version } = context;
  const { x, initial, mask } = splitInputs(context, inputs, tensors);
  const forward = direction(context, 'forward');
  const backward = direction(context, 'backward');
  const sequences = flagIn(forward, 'return_sequences');
  const half = initial.length / 2;
  // TensorFlow's wrapper makes masked steps zero where sequences are returned, whatever the layer says.
  const zero = sequences && !version.standalone;
  const a = runLayer(forward, x, initial.slice(0, half), mask, zero);
  const b = runLayer(backward, x, initial.slice(half), mask, zero);
  const left = sequences ? a.sequence('processed') : a.last();
  // The wrapper reverses what its backward layer gives, in whatever direction that ran.
  const right = !sequences
    ? b.last()
    : b.backward
      ? b.sequence('input')
      : builder.add('reverse', `${name}/flip`, { x: b.sequence('input') }).y!;
  const states = flagIn(forward, 'return_state') ? [...a.states, ...b.states].map((value) => ({ value })) : [];
  const keptMask = sequences ? (mask ?? x.mask) : undefined;
  const mode = layer.config.merge_mode === undefined ? 'concat' : layer.config.merge_mode;
  if (mode === null) return [{ value: left, mask: keptMask }, { value: right, mask: keptMask }, ...states];
  let y: string;
  if (mode === 'concat') y = builder.add('concat', name, { 0: left, 1: right }).y!;
  else if (mode === 'sum' || mode === 'ave' || mode === 'mul') {
    y = builder.add('binary', name, { a: left, b: right }, { function: mode === 'mul' ? 'multiply' : 'add' }).y!;
    if (mode === 'ave') y = builder.add('unary', `${name}/half`, { x: y }, { function: ['affine', 0.5, 0] }).y!;
  } else return refuseLayer(context, `merge_mode ${show(mode)}`);
  return [{ value: y, mask: keptMask }, ...states];
};

export const recurrentLayers: Readonly<Record<string, LayerReader>> = {
  LSTM: recurrent,
  GRU: recurrent,
  SimpleRNN: recurrent,
  CuDNNLSTM: recurrent,
  CuDNNGRU: recurrent,
  RNN: recurrent,
  Bidirectional: bidirectional,
};
