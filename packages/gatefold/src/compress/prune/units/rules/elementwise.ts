import type { ChannelRule, Tracing } from './types.ts';

/** Every feature by itself. */
export const carried: ChannelRule = (at) => ({ outputs: { y: at.input('x') } });

/** Every feature by itself; vectors of the node run along the features. */
const carriedWith =
  (...roles: readonly string[]): ChannelRule =>
  (at) => {
    const x = at.input('x');
    for (const role of roles) {
      const weight = at.node.weights[role];
      if (weight !== undefined) at.channels.bind(weight, 0, x);
    }
    return { outputs: { y: x } };
  };

/** A residual: both sides lose the same units. */
const binary: ChannelRule = (at) => {
  const a = at.input('a');
  at.channels.tie(a, at.input('b'));
  return { outputs: { y: a } };
};

/** An op whose every output depends on all features. */
const mixing =
  (reason: string): ChannelRule =>
  (at) => {
    const x = at.input('x');
    at.channels.pin(x, `${at.node.name} ${reason}`);
    return { outputs: { y: x } };
  };

/** Which steps count, 1 or 0: made from all features, itself no unit. */
const mask: ChannelRule = (at) => {
  at.channels.pin(at.input('x'), `${at.node.name} masks steps by all features`);
  const y = at.channels.fresh(1);
  at.channels.pin(y, `${at.node.name} is a mask`);
  return { outputs: { y } };
};

/** Pins what a node takes as its mask. */
export function pinMask(at: Tracing): void {
  const given = at.optional('mask');
  if (given) at.channels.pin(given, `${at.node.name} takes it as its mask`);
}

const applyMask: ChannelRule = (at) => {
  pinMask(at);
  return { outputs: { y: at.input('x') } };
};

export const elementwiseRules: Readonly<Record<string, ChannelRule>> = {
  unary: carried,
  binary,
  scaleShift: carriedWith('scale', 'shift'),
  prelu: carriedWith('slope'),
  softmax: mixing('is a softmax over all features'),
  normalization: mixing('normalizes over all features, so that every one changes all others'),
  mask,
  applyMask,
};
