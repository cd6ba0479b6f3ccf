import type { Node } from '@gatefold/runtime';
import { bidirectional } from './bidirectional.ts';
import type { Emitter } from './emitter.ts';
import { handThrough, picked, reversed, widest } from './hand-through.ts';
import { masked } from './masks.ts';

type Maker = (e: Emitter, node: Node) => void;

function oneFeature(e: Emitter, node: Node): number {
  const { shape } = e.type(node.inputs.x!);
  return shape.length === 1 ? shape[0]! : e.refuse(node, 'it works on several feature dimensions');
}

const reverse: Maker = (e, node) => {
  const x = node.inputs.x!;
  e.later(node.outputs.y!, () => {
    const backward = e.processed(x);
    return backward ?? reversed(e, node.name, node, e.plain(x), oneFeature(e, node));
  });
};

const last: Maker = (e, node) => {
  const x = node.inputs.x!;
  e.later(node.outputs.y!, () => e.lastOf(x) ?? handThrough(e, node.name, node, e.plain(x), oneFeature(e, node), {}));
};

const reduceTime: Maker = (e, node) => {
  const { x, mask } = node.inputs as { x: string; mask?: string };
  const fn = node.attributes.function;
  e.later(node.outputs.y!, () => {
    const hint = 'leave out the mask';
    if (fn === 'max') {
      if (mask !== undefined) e.refuse(node, 'a maximum over masked steps', hint);
      return e.add('GlobalMaxPooling1D', node.name, {}, [e.plain(x)]);
    }
    if (fn === 'sum') {
      if (mask !== undefined) e.refuse(node, 'a sum over masked steps', hint);
      return handThrough(e, node.name, node, e.plain(x), oneFeature(e, node), { sum: true });
    }
    if (mask === undefined) return e.add('GlobalAveragePooling1D', node.name, {}, [e.plain(x)]);
    if (e.dialect === 'tfjs') e.refuse(node, 'a mean over masked steps', hint);
    const { tensor, extra } = masked(e, node, x, mask);
    const y = e.add('GlobalAveragePooling1D', node.name, {}, [tensor]);
    return extra ? picked(e, `${node.name}/features`, y, e.width(x) + 1, 0, e.width(x)) : y;
  });
};

const concat: Maker = (e, node) => {
  const count = Object.keys(node.inputs).length;
  e.later(node.outputs.y!, () => {
    const pair = count === 2 ? bidirectional(e, node, node.inputs[0]!, node.inputs[1]!, 'concat') : undefined;
    if (pair) return pair;
    const inputs = Array.from({ length: count }, (_, i) => e.plain(node.inputs[i]!));
    return inputs.length === 1 ? inputs[0]! : e.add('Concatenate', node.name, { axis: -1 }, inputs);
  });
};

const slice: Maker = (e, node) => {
  const x = node.inputs.x!;
  const [from, to] = [Number(node.attributes.from ?? 0), Number(node.attributes.to ?? e.width(x))];
  e.later(node.outputs.y!, () => {
    if (e.width(x) > widest) e.refuse(node, `it would need a matrix of ${e.width(x)} × ${to - from}`);
    return picked(e, node.name, e.plain(x), e.width(x), from, to);
  });
};

const reshape: Maker = (e, node) => {
  const x = node.inputs.x!;
  const shape = node.attributes.shape as number[];
  e.later(node.outputs.y!, () => {
    // Ids that Keras sees as one vector are one already.
    if (e.isIds(x)) {
      if (shape.length === 1 && !node.attributes.time && !node.attributes.keepTime) return e.carrying(x);
      e.refuse(node, 'it reshapes ids');
    }
    const target = node.attributes.keepTime === true && e.isSequence(x) ? [e.steps(x) ?? -1, ...shape] : shape;
    return e.add('Reshape', node.name, { target_shape: target }, [e.plain(x)]);
  });
};

const transpose: Maker = (e, node) => {
  e.later(node.outputs.y!, () => e.add('Permute', node.name, { dims: [2, 1] }, [e.plain(node.inputs.x!)]));
};

const repeat: Maker = (e, node) => {
  const x = node.inputs.x!;
  const times = Number(node.attributes.times);
  e.later(node.outputs.y!, () => {
    if (!e.isSequence(x)) return e.add('RepeatVector', node.name, { n: times }, [e.plain(x)]);
    if (e.dialect === 'tfjs') e.refuse(node, 'it has no layer that repeats steps');
    return e.add('UpSampling1D', node.name, { size: times }, [e.plain(x)]);
  });
};

const pad: Maker = (e, node) => {
  const [left, right] = [Number(node.attributes.left ?? 0), Number(node.attributes.right ?? 0)];
  e.later(node.outputs.y!, () => {
    if (e.dialect === 'tfjs') e.refuse(node, 'it has no layer that pads or crops steps');
    let y = e.plain(node.inputs.x!);
    const [more, less] = [
      [Math.max(left, 0), Math.max(right, 0)],
      [Math.max(-left, 0), Math.max(-right, 0)],
    ] as const;
    if (more.some((n) => n > 0)) y = e.add('ZeroPadding1D', node.name, { padding: more }, [y]);
    if (less.some((n) => n > 0)) y = e.add('Cropping1D', node.name, { cropping: less }, [y]);
    return y;
  });
};

export const sequenceMakers: Readonly<Record<string, Maker>> = {
  reverse,
  last,
  reduceTime,
  concat,
  slice,
  reshape,
  transpose,
  repeat,
  pad,
};
