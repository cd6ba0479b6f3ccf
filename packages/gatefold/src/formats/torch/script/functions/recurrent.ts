import type { ArchitectureLayer } from '../../../state-dict/index.ts';
import {
  axesOf,
  axisAt,
  isKind,
  itemsOf,
  type ListValue,
  prefixOf,
  type StateValue,
  setRole,
  stop,
  type Value,
} from '../values.ts';
import { type Arguments, features, type Handler, made, valueAt, without } from './arguments.ts';

/** What a recurrent layer is told beside its weights. */
export interface RecurrentOptions {
  readonly levels: number;
  readonly both: boolean;
  readonly batchFirst: boolean;
}

/** Whether states to start with are zeros, as they are where none are given. */
export function isZero(states: Value | undefined): boolean {
  if ((states ?? null) === null || isKind(states, 'zeros')) return true;
  return itemsOf(states)?.every((state) => isKind(state, 'zeros')) ?? false;
}

/** Adds a recurrent layer over [batch, time, features] or [time, batch, features]: its steps, and its last hidden states. */
export function addRecurrent(
  call: Arguments,
  layer: Extract<ArchitectureLayer, { type: 'lstm' | 'gru' | 'rnn' }>,
  { levels, both, batchFirst }: RecurrentOptions,
): { steps: Value; hidden: StateValue } {
  const x = valueAt(call);
  const axes = axesOf(x, 3, call.place);
  const [batch, time] = batchFirst ? [axes[0]!, axes[1]!] : [axes[1]!, axes[0]!];
  setRole(batch, 'batch', call.place);
  setRole(time, 'time', call.place);
  setRole(axes[2], 'features', call.place);
  const name = call.add({ ...layer, from: x.memory.layer });
  return {
    steps: made(name, [...axes.slice(0, 2), features()]),
    hidden: { kind: 'state', layer: name, levels, both, axes: [{}, batch, features()] },
  };
}

export const cellStates = (place: string): Value => ({ kind: 'unknown', why: `the cell states of ${place} are used` });

/** torch.lstm and its kin, of values that are not packed: (x, states, tensors, has biases, levels, dropout, train, both, batch first). */
const recurrent =
  (type: 'lstm' | 'gru' | 'rnn', nonlinearity?: 'tanh' | 'relu'): Handler =>
  (call): ListValue => {
    const [, states, tensors, , levels, , , both, batchFirst] = call.given;
    if (!isZero(states)) stop(`${call.place} starts with states of its own`);
    const keys = (itemsOf(tensors) ?? []).map((item) => (isKind(item, 'tensor') ? item.key : ''));
    const weights = (keys[0] ?? '').replace(/\.?weight_ih_l0$/, '');
    const prefix = prefixOf(weights);
    const isOwn = (key: string) =>
      key.startsWith(prefix) && /^(weight|bias)_(ih|hh|hr)_l\d+(_reverse)?$/.test(key.slice(prefix.length));
    if (keys.length === 0 || !keys.every(isOwn)) stop(`${call.place}: its weights are of others`);
    if (typeof levels !== 'number') stop(`${call.place}: its levels are not known`);
    const layer = { type, weights, ...(nonlinearity ? { nonlinearity } : {}) };
    const options = { levels, both: both === true, batchFirst: batchFirst === true };
    const { steps, hidden } = addRecurrent(call, layer, options);
    return { kind: 'list', items: [steps, hidden, ...(type === 'lstm' ? [cellStates(call.place)] : [])] };
  };

/** The state of a layer's last level, h[-1]; of both directions one after the other, h[-2] and h[-1]. */
export function pickState(call: Arguments, state: StateValue, dimension: Value, index: Value): Value {
  const { levels, both, axes, layer, picked } = state;
  const count = levels * (both ? 2 : 1);
  const at = typeof index === 'number' && index < 0 ? index + count : index;
  const isLast = at === count - 1 || (both && at === count - 2);
  if (picked || dimension !== 0 || !isLast) stop(`${call.place} picks something else than states of the last level`);
  if (both) return { ...state, picked: at === count - 1 ? 'backward' : 'forward', axes: axes.slice(1) };
  return made(call.add({ type: 'finalState', from: layer }), without(axes, 0));
}

/** Both directions' states side by side. */
export function joinStates(call: Arguments, [a, b]: readonly [StateValue, StateValue]): Value {
  const isPair = a.layer === b.layer && a.picked === 'forward' && b.picked === 'backward';
  if (!isPair || axisAt(a.axes, call.given[1] ?? 0, call.place) !== 1) stop(`${call.place} joins states otherwise`);
  return made(call.add({ type: 'finalState', from: a.layer }), a.axes);
}

export const recurrents: Readonly<Record<string, Handler>> = {
  lstm: recurrent('lstm'),
  gru: recurrent('gru'),
  rnn_tanh: recurrent('rnn', 'tanh'),
  rnn_relu: recurrent('rnn', 'relu'),
  zeros: () => ({ kind: 'zeros' }),
};
