import { type Dim, fail, type Port } from '@gatefold/runtime';
import type { GraphBuilder } from '../graph-builder.ts';
import { isJson, type Json } from '../keras/config.ts';
import { show } from '../keras/json.ts';
import { readLayer } from './layers.ts';

const mostLayers = 1000;

export function inputPort(width: number): Port {
  const shape: Dim[] = ['batch', 'time', width];
  return { name: 'x', shape, dtype: 'float32' };
}

/** AIDA-X: gains are in decibels, and −90 dB is silence. */
function gain(json: Json, key: string): number {
  const value = json[key];
  if (value === undefined || value === null) return 1;
  if (typeof value !== 'number')
    return fail('FILE_CORRUPT', `"${key}" is no number`, { place: key, found: show(value) });
  return value > -90 ? 10 ** (value * 0.05) : 0;
}

/**
 * Adds a chain of layers as RTNeural's Keras exporter writes it, with the skip connection and the gains that AIDA-X
 * adds: y = (f(g·x) + g·x)·h. Returns its output.
 * @throws FILE_CORRUPT and what layers throw
 */
export function readChain(builder: GraphBuilder, json: Json): string {
  const { in_shape: shape, layers, in_skip: skip = 0 } = json;
  const width: unknown = Array.isArray(shape) ? shape.at(-1) : undefined;
  if (typeof width !== 'number' || !Number.isInteger(width) || width < 1)
    fail('FILE_CORRUPT', 'the file says no shape of its input', { place: 'in_shape', found: show(shape) });
  if (!Array.isArray(layers) || layers.length === 0)
    fail('FILE_CORRUPT', 'the file has no layers', { place: 'layers' });
  if (layers.length > mostLayers) fail('FILE_TOO_LARGE', 'the file has too many layers', { place: 'layers' });
  if (skip !== 0 && skip !== 1)
    fail('MODEL_UNSUPPORTED', `in_skip of ${show(skip)}`, { place: 'in_skip', expected: '0 | 1' });
  builder.addInput(inputPort(width));
  const [before, after] = [gain(json, 'in_gain'), gain(json, 'out_gain')];
  if (before !== 1 && width > 1) fail('MODEL_UNSUPPORTED', 'in_gain beside parameters', { place: 'in_gain' });
  const x = scale(builder, 'in_gain', 'x', before);
  let y = x;
  layers.forEach((layer: unknown, i) => {
    const name = `layers[${i}]`;
    if (!isJson(layer)) fail('FILE_CORRUPT', 'malformed layer', { place: name });
    const type = typeof layer.type === 'string' ? layer.type.slice(0, 40) : 'layer';
    y = readLayer({ builder, json: layer, name: `${i}-${type}`, x: y, width: builder.type(y).shape[0]! });
  });
  return scale(builder, 'out_gain', skip === 1 ? addSkip(builder, x, y) : y, after);
}

/** Adds the first feature of the input to the output, which must be one feature. */
export function addSkip(builder: GraphBuilder, x: string, y: string): string {
  const [width, outputs] = [builder.type(x).shape[0]!, builder.type(y).shape[0]!];
  if (outputs !== 1) {
    fail('MODEL_SHAPE', 'the input is added to an output of several features', { place: 'skip', found: `${outputs}` });
  }
  const first = width === 1 ? x : builder.add('slice', 'skip/first', { x }, { from: 0, to: 1 }).y!;
  return builder.add('binary', 'skip', { a: first, b: y }, { function: 'add' }).y!;
}

function scale(builder: GraphBuilder, name: string, x: string, factor: number): string {
  return factor === 1 ? x : builder.add('unary', name, { x }, { function: ['affine', factor, 0] }).y!;
}
