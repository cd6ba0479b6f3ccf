import { hasTime, sizeOf } from '@gatefold/runtime';
import type { Atoms } from '../channels.ts';
import { carried, pinMask } from './elementwise.ts';
import type { ChannelRule, Tracing } from './types.ts';

const reduceTime: ChannelRule = (at) => {
  pinMask(at);
  return { outputs: { y: at.input('x') } };
};

const concat: ChannelRule = (at) => ({ outputs: { y: at.list().flat() } });

const slice: ChannelRule = (at) => {
  const x = at.input('x');
  const from = at.op.whole('from', 0, x.length - 1, 0);
  const to = at.op.whole('to', from + 1, x.length, x.length);
  return {
    outputs: { y: x.slice(from, to) },
    attributes: (stays) => {
      const before = x.slice(0, from).filter(stays).length;
      return { ...at.node.attributes, from: before, to: before + x.slice(from, to).filter(stays).length };
    },
  };
};

/**
 * Runs along the features, forward or backward, perhaps repeated: what stays of them is again a run. Other strides would
 * not be strides any more.
 */
const view: ChannelRule = (at) => {
  const x = at.input('x');
  const sizes = at.op.wholes('sizes');
  const strides = at.op.wholes('strides');
  const offset = at.op.whole('offset', 0, x.length - 1, 0);
  const moving = strides.flatMap((stride, i) => (stride !== 0 && sizes[i]! > 1 ? [i] : []));
  let places = [offset];
  sizes.forEach((size, i) => {
    places = places.flatMap((place) => Array.from({ length: size }, (_, k) => place + k * strides[i]!));
  });
  const y = places.map((place) => x[place]!);
  const [run = -1] = moving;
  const simple = moving.length === 0 || (moving.length === 1 && Math.abs(strides[run]!) === 1);
  if (!simple) {
    at.channels.pin(y, `${at.node.name} permutes features by strides`);
    // Removing others would move those that are picked.
    at.channels.pin(x, `${at.node.name} permutes features by strides`);
    return { outputs: { y } };
  }
  return {
    outputs: { y },
    attributes: (stays) => {
      const count = run < 0 ? 1 : sizes[run]!;
      const step = run < 0 ? 1 : strides[run]!;
      const picked = Array.from({ length: count }, (_, k) => offset + k * step).filter((place) => stays(x[place]!));
      return {
        ...at.node.attributes,
        offset: picked.length === 0 ? 0 : x.slice(0, picked[0]!).filter(stays).length,
        sizes: sizes.map((size, i) => (i === run ? picked.length : size)),
      };
    },
  };
};

/** Runs of features are compared place by place: a unit goes from all runs. */
const reduceFeatures: ChannelRule = (at) => {
  const x = at.input('x');
  const size = at.op.whole('size', 1, x.length, x.length);
  const width = x.length / size;
  if (width === 1) at.channels.pin(x, `${at.node.name} reduces over all features`);
  const y = x.slice(0, width);
  for (let run = 1; run < size; run++) at.channels.tie(y, x.slice(run * width, (run + 1) * width));
  return { outputs: { y }, attributes: () => ({ ...at.node.attributes, size }) };
};

/** All steps' features behind each other, or cut into steps anew. A unit goes from every step. */
const reshape: ChannelRule = (at) => {
  const x = at.input('x');
  const shape = at.op.wholes('shape');
  const type = at.op.input('x');
  const keepTime = at.op.flag('keepTime');
  const timed = hasTime(at.op.times[type.time]!) && !keepTime;
  const steps = timed ? at.op.length(type.time)! : 1;
  const all: Atoms = Array.from({ length: steps }, () => x).flat();
  const toTime = !keepTime && at.op.flag('time');
  const inner = toTime ? shape.slice(1) : shape;
  const width = sizeOf(inner);
  const y = all.slice(0, width);
  for (let from = width; from < all.length; from += width) at.channels.tie(y, all.slice(from, from + width));
  if (inner.length !== 1 || type.shape.length > 1) {
    at.channels.pin(all, `${at.node.name} spreads features over several dimensions`);
  }
  return {
    outputs: { y },
    attributes: (stays) => {
      const left = inner.length === 1 ? [y.filter(stays).length] : inner;
      return { ...at.node.attributes, shape: toTime ? [shape[0]!, ...left] : left };
    },
  };
};

const transpose: ChannelRule = (at) => {
  at.channels.pin(at.input('x'), `${at.node.name} makes features to steps`);
  return { outputs: { y: pinnedWidth(at, at.op.length(at.op.input('x').time)!, 'makes steps to features') } };
};

function pinnedWidth(at: Tracing, width: number, reason: string): Atoms {
  const y = at.channels.fresh(width);
  at.channels.pin(y, `${at.node.name} ${reason}`);
  return y;
}

export const sequenceRules: Readonly<Record<string, ChannelRule>> = {
  last: carried,
  reverse: carried,
  pool: carried,
  repeat: carried,
  pad: carried,
  reduceTime,
  concat,
  slice,
  view,
  reduceFeatures,
  reshape,
  transpose,
};
