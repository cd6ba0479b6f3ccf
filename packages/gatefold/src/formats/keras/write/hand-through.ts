import type { Node } from '@gatefold/runtime';
import type { Emitter } from './emitter.ts';
import { layerWeight } from './linear.ts';
import type { LayerTensor } from './types.ts';

/** Features beyond this are not handed through a matrix. */
export const widest = 4096;

/** A matrix that picks features `from` … `to` − 1, [features, picked]. */
function picking(features: number, from: number, to: number): { shape: number[]; data: Float32Array } {
  const data = new Float32Array(features * (to - from));
  for (let i = from; i < to; i++) data[i * (to - from) + (i - from)] = 1;
  return { shape: [features, to - from], data };
}

/** A recurrent layer that hands each step through: Keras' only way to turn time around or to take the last step. */
export function handThrough(
  e: Emitter,
  name: string,
  node: Node,
  x: LayerTensor,
  width: number,
  options: Record<string, unknown>,
): LayerTensor {
  if (width > widest) e.refuse(node, `it would need a matrix of ${width} × ${width}`);
  e.checkUnmasked(node);
  const { sum = false, ...config } = options;
  const recurrent = sum ? picking(width, 0, width) : { shape: [width, width], data: new Float32Array(width * width) };
  const weights = [
    ...layerWeight('kernel', picking(width, 0, width), ['cell']),
    ...layerWeight('recurrent_kernel', recurrent, ['cell']),
  ];
  return e.add('SimpleRNN', name, { units: width, activation: 'linear', use_bias: false, ...config }, [x], { weights });
}

/** Steps in the opposite order. */
export function reversed(e: Emitter, name: string, node: Node, x: LayerTensor, width: number): LayerTensor {
  return handThrough(e, name, node, x, width, { return_sequences: true, go_backwards: true });
}

/** Features `from` … `to` − 1. */
export function picked(e: Emitter, name: string, x: LayerTensor, width: number, from: number, to: number): LayerTensor {
  const config = { units: to - from, activation: 'linear', use_bias: false };
  return e.add('Dense', name, config, [x], { weights: layerWeight('kernel', picking(width, from, to)) });
}
