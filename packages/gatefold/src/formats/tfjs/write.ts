import { float16From, float16To, type Model } from '@gatefold/runtime';
import { modelJson } from '../keras/write/config.ts';
import { layersOf } from '../keras/write/layers.ts';
import type { Grid, LayerWeight, WrittenLayer } from '../keras/write/types.ts';
import { metadataEntry } from '../metadata.ts';
import type { WrittenModel } from '../types.ts';

/** Bytes of a file of weights, as TensorFlow.js' own converter splits them, so that browsers can keep them. */
const shardBytes = 4 * 2 ** 20;

/**
 * Writes a model as TensorFlow.js' layers model: `model.json`, and the weights beside it. Affine weights of one scale stand
 * as TensorFlow.js' own quantized ones, others as float32 or float16.
 * @throws MODEL_UNSUPPORTED naming the node that TensorFlow.js has no layer for
 */
export async function writeTfjs(model: Model): Promise<WrittenModel> {
  const written = layersOf(model, 'tfjs');
  const weights: Record<string, unknown>[] = [];
  const parts: Uint8Array[] = [];
  for (const layer of written.layers) {
    for (const weight of layer.weights) {
      const { bytes, quantization } = stored(weight);
      parts.push(bytes);
      const entry = { name: variableName(layer, weight), shape: weight.shape, dtype: 'float32' };
      weights.push(quantization ? { ...entry, quantization } : entry);
    }
  }
  const shards = split(parts);
  const paths = shards.map((_, i) => `group1-shard${i + 1}of${shards.length}.bin`);
  const own = metadataEntry(model);
  const file = {
    format: 'layers-model',
    generatedBy: 'gatefold',
    convertedBy: null,
    modelTopology: { keras_version: '2.15.0', backend: 'tensorflow', model_config: modelJson(written, 'tfjs') },
    weightsManifest: [{ paths, weights }],
    // A field that TensorFlow.js hands on as it is.
    ...(Object.keys(own).length > 0 ? { userDefinedMetadata: own } : {}),
  };
  return {
    bytes: new TextEncoder().encode(JSON.stringify(file)),
    beside: new Map(paths.map((path, i) => [path, shards[i]!])),
    notes: written.notes,
  };
}

/** `lstm/kernel`, `bidirectional/forward_lstm/kernel`: what TensorFlow.js looks for. */
function variableName({ name, inner }: WrittenLayer, { within, name: variable }: LayerWeight): string {
  const directions = within.filter((part) => part !== 'cell').map((part) => part.replace('_layer', ''));
  return [name, ...directions.map((direction) => `${direction}_${inner!.name}`), variable].join('/');
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly quantization?: Readonly<Record<string, unknown>>;
}

function stored({ data, grid }: LayerWeight): Stored {
  const quantized = grid && onGrid(data, grid);
  if (quantized) return quantized;
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of data.entries()) view.setFloat32(i * 4, value, true);
  return { bytes };
}

/** The values as TensorFlow.js' codes q, meaning q·scale + min; undefined where they do not stand for the same numbers. */
function onGrid(data: Float32Array, grid: Grid): Stored | undefined {
  if (grid === 'float16') {
    if (data.some((value) => float16To(float16From(value)) !== value)) return undefined;
    const half = new Uint8Array(data.length * 2);
    const view = new DataView(half.buffer);
    for (const [i, value] of data.entries()) view.setUint16(i * 2, float16From(value), true);
    return { bytes: half, quantization: { dtype: 'float16', original_dtype: 'float32' } };
  }
  const { scale, offset, bits } = grid;
  const dtype = bits <= 8 ? 'uint8' : 'uint16';
  const half = 2 ** (bits - 1);
  const min = offset - half * scale;
  const codes = new (dtype === 'uint8' ? Uint8Array : Uint16Array)(data.length);
  for (const [i, value] of data.entries()) {
    const code = Math.round((value - min) / scale);
    // An offset is added in one rounding here, and in two in our encoding: a part in 2²³ at most.
    const error = Math.abs(Math.fround(code * scale + min) - value);
    if (!(code >= 0 && code < 2 * half) || error > 2 ** -22 * Math.max(Math.abs(offset), Math.abs(value)))
      return undefined;
    codes[i] = code;
  }
  const bytes = new Uint8Array(codes.byteLength);
  const view = new DataView(bytes.buffer);
  for (const [i, code] of codes.entries()) {
    if (dtype === 'uint8') bytes[i] = code;
    else view.setUint16(i * 2, code, true);
  }
  return { bytes, quantization: { dtype, scale, min, original_dtype: 'float32' } };
}

/** All parts one after the other, in pieces of the size of a shard. */
function split(parts: readonly Uint8Array[]): Uint8Array[] {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  const count = Math.max(1, Math.ceil(total / shardBytes));
  return Array.from({ length: count }, (_, i) => whole.slice(i * shardBytes, (i + 1) * shardBytes));
}
