import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emitter.ts';
import { layerWeight } from './linear.ts';
import type { LayerTensor } from './types.ts';

type Maker = (e: Emitter, node: Node) => void;

/**
 * A sequence with which a mask travels as Keras' own. Where it does not already, the mask becomes a feature after the
 * others (`extra`), all of which are zero in masked steps, so that Keras' Masking finds them.
 */
export function masked(e: Emitter, node: Node, x: string, mask: string): { tensor: LayerTensor; extra: boolean } {
  const tensor = e.carrying(x);
  if (tensor.mask === mask) return { tensor, extra: false };
  const [sequence, steps] = [e.plain(x), e.plain(mask)];
  const kept = e.add('Multiply', `${node.name}/kept`, {}, [sequence, steps]);
  const joined = e.add('Concatenate', `${node.name}/joined`, { axis: -1 }, [kept, steps]);
  return { tensor: { ...e.add('Masking', `${node.name}/mask`, { mask_value: 0 }, [joined]), mask }, extra: true };
}

/** A mask as truths, [batch, time]: what Keras 3's layers take as an argument. */
export function truths(e: Emitter, node: Node, mask: string): LayerTensor {
  const operation = 'keras.src.ops.numpy';
  const differs = e.add('NotEqual', `${node.name}/differs`, {}, [e.plain(mask)], { operation, constants: [0] });
  return e.add('Any', `${node.name}/any`, { axis: -1, keepdims: false }, [differs], { operation });
}

/** A mask as numbers, which only arithmetic with it asks for. */
const mask: Maker = (e, node) => {
  const x = node.inputs.x!;
  const value = Number(node.attributes.value);
  e.later(node.outputs.y!, () => {
    const embedding = e.usersOf(x).find(({ op }) => op === 'embedding');
    if (e.isIds(x) && embedding) {
      const size = e.weight(embedding, 'table')!.shape[0]!;
      const data = new Float32Array(size).fill(1);
      if (Number.isInteger(value) && value >= 0 && value < size) data[value] = 0;
      const weights = layerWeight('embeddings', { shape: [size, 1], data });
      const config = { input_dim: size, output_dim: 1, mask_zero: false };
      return e.add('Embedding', node.name, config, [e.carrying(x)], { weights });
    }
    if (e.dialect === 'tfjs') e.refuse(node, 'a mask that is computed with');
    // A layer that gives one at every step, and zero at those that are masked.
    const hidden = e.add('Masking', `${node.name}/hidden`, { mask_value: value }, [e.plain(x)]);
    const zeros = (role: string, rows: number) =>
      layerWeight(role, { shape: [rows, 1], data: new Float32Array(rows) }, ['cell']);
    const weights = [
      ...zeros('kernel', e.width(x)),
      ...zeros('recurrent_kernel', 1),
      ...layerWeight('bias', { shape: [1], data: Float32Array.of(1) }, ['cell']),
    ];
    const config = {
      units: 1,
      activation: 'linear',
      use_bias: true,
      return_sequences: true,
      zero_output_for_mask: true,
    };
    const ones = e.add('SimpleRNN', node.name, config, [hidden], { weights });
    return e.strip({ ...ones, mask: node.outputs.y }, node.name);
  });
};

const applyMask: Maker = (e, node) => {
  const { x, mask: steps } = node.inputs as { x: string; mask: string };
  e.later(node.outputs.y!, () => {
    const source = e.producer(steps);
    if (source?.op === 'mask' && source.inputs.x === x)
      return { ...e.add('Masking', node.name, { mask_value: source.attributes.value }, [e.plain(x)]), mask: steps };
    return e.add('Multiply', node.name, {}, [e.plain(x), e.plain(steps)]);
  });
};

export const maskMakers: Readonly<Record<string, Maker>> = { mask, applyMask };
