import { axesOf, axisAt, isKind, itemsOf, type StateValue, setRole, stop } from '../values.ts';
import { features, type Handler, knownAxes, made, numbersAt, replaced, valueAt, viewed, without } from './arguments.ts';
import { joinStates, pickState } from './recurrent.ts';

const same: Handler = ({ given }) => given[0] ?? null;

/** The same numbers in memory of their own. */
const clone: Handler = (call) => {
  const { memory, axes } = valueAt(call);
  return made(memory.layer, axes);
};

/** Values side by side along the features, or the states of both directions. */
const cat: Handler = (call) => {
  const items = itemsOf(call.given[0]) ?? stop(`${call.place} joins something else than a list`);
  const states = items.filter((item): item is StateValue => isKind(item, 'state'));
  if (states.length === 2 && items.length === 2) return joinStates(call, [states[0]!, states[1]!]);
  const values = items.map((_, i) => valueAt({ ...call, given: items }, i));
  const axes = values[0]?.axes ?? stop(`${call.place} joins values of unknown dimensions`);
  const at = axisAt(axes, call.given[1] ?? 0, call.place);
  for (const { axes: own } of values) {
    setRole(own?.[at], 'features', call.place);
    if (own?.length !== axes.length || own.some((axis, i) => i !== at && axis !== axes[i])) {
      stop(`${call.place} joins values of other dimensions`);
    }
  }
  return made(
    call.add({ type: 'concat', from: values.map(({ memory }) => memory.layer) }),
    replaced(axes, at, features()),
  );
};

const select: Handler = (call) => {
  const [from, dimension = null, index = null] = call.given;
  if (isKind(from, 'state')) return pickState(call, from, dimension, index);
  const axes = knownAxes(call);
  const at = axisAt(axes, dimension, call.place);
  if (axes[at]!.role !== 'time' || index !== -1) stop(`${call.place} picks something else than the last step`);
  return { ...made(call.add({ type: 'last', from: valueAt(call).memory.layer }), without(axes, at)), isPart: true };
};

const squeeze: Handler = (call) => {
  const [from, dimension = null] = call.given;
  if (isKind(from, 'state') && from.levels === 1 && !from.both) return pickState(call, from, dimension, -1);
  const axes = knownAxes(call);
  const at = axisAt(axes, dimension, call.place);
  // One feature: the numbers are the same. Where there are more, no layer can follow.
  setRole(axes[at], 'features', call.place);
  return viewed(valueAt(call), without(axes, at));
};

const slice: Handler = ({ given, place }) => {
  const [x = null, , start = null, end = null, step = 1] = given;
  const isWhole = (start === null || start === 0) && (end === null || (typeof end === 'number' && end > 2 ** 62));
  return isWhole && step === 1 ? x : stop(`${place} cuts something out`);
};

const permute: Handler = (call) => {
  const x = valueAt(call);
  const places = numbersAt(call, 1);
  const axes = axesOf(x, places.length, call.place);
  return viewed(
    x,
    places.map((at) => axes[axisAt(axes, at, call.place)]!),
  );
};

const transpose: Handler = (call) => {
  const x = valueAt(call);
  const axes = x.axes ?? axesOf(x, 3, call.place);
  const [a, b] = [1, 2].map((i) => axisAt(axes, call.given[i] ?? null, call.place)) as [number, number];
  return viewed(x, replaced(replaced(axes, a, axes[b]!), b, axes[a]!));
};

/** Over all steps. */
const overTime =
  (type: 'mean' | 'max'): Handler =>
  (call) => {
    const axes = knownAxes(call);
    const [dimension, ...more] = numbersAt(call, 1);
    const at = axisAt(axes, dimension ?? null, call.place);
    const keeps = call.given[2] ?? call.named.get('keepdim') ?? false;
    if (axes[at]!.role !== 'time' || more.length > 0 || keeps !== false) {
      stop(`${call.place} is over something else than the steps`);
    }
    return made(call.add({ type, from: valueAt(call).memory.layer }), without(axes, at));
  };

const max: Handler = (call) => ({
  kind: 'list',
  items: [overTime('max')(call), { kind: 'unknown', why: 'the places of maxima are used' }],
});

const binary =
  (type: 'add' | 'multiply'): Handler =>
  (call) => {
    const [a, b] = [valueAt(call, 0), valueAt(call, 1)];
    const factor = call.named.get('alpha') ?? call.given[2] ?? 1;
    const own = b.axes ?? [];
    const isSame =
      a.axes?.length === own.length &&
      a.axes.every((axis, i) => axis === own[i] || (axis.role && axis.role === own[i]!.role));
    if (factor !== 1 || !isSame) stop(`${call.place} scales, or broadcasts`);
    return made(call.add({ type, from: [a.memory.layer, b.memory.layer] }), a.axes);
  };

export const shapes: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(
    ['contiguous', 'detach', 'dropout', 'dropout_', 'feature_dropout', 'alias'].map((name) => [name, same]),
  ),
  clone,
  cat,
  select,
  slice,
  squeeze,
  permute,
  transpose,
  mean: overTime('mean'),
  amax: overTime('max'),
  max,
  add: binary('add'),
  mul: binary('multiply'),
};
