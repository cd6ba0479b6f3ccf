import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ErrorCode } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/formats/index.ts';
import type { Loose as Json } from '../support/loose.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/tfjs/', import.meta.url));

/** A fixture with something changed. */
async function read(
  change: (json: Json, files: Map<string, Uint8Array>) => void,
  { from = 'lstm-stack', beside = true } = {},
): Promise<unknown> {
  const json: Json = JSON.parse(readFileSync(`${folder}${from}/model.json`, 'utf8'));
  const paths: string[] = json.weightsManifest.flatMap((group: Json) => group.paths);
  const files = new Map(paths.map((path) => [path, new Uint8Array(readFileSync(`${folder}${from}/${path}`))]));
  change(json, files);
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  const lookUp = async (path: string) => files.get(path) ?? Promise.reject(new Error(`no ${path}`));
  return readModel(bytes, beside ? { beside: lookUp } : {});
}

const weightOf = (json: Json, i: number) => json.weightsManifest[0].weights[i];

describe('refuses', () => {
  it.each<[string, (json: Json, files: Map<string, Uint8Array>) => void, ErrorCode, RegExp]>([
    ['graph models', (json) => Object.assign(json, { format: 'graph-model' }), 'MODEL_UNSUPPORTED', /graph model/],
    [
      'graphs of TensorFlow without a format',
      (json) => Object.assign(json, { modelTopology: { node: [] } }),
      'MODEL_UNSUPPORTED',
      /graph model/,
    ],
    ['weights alone', (json) => delete json.modelTopology, 'MODEL_NO_ARCHITECTURE', /no architecture/],
    ['no manifest', (json) => delete json.weightsManifest, 'FILE_CORRUPT', /weightsManifest/],
    [
      'a shard that is too short',
      (_, files) => files.set('group1-shard2of3.bin', new Uint8Array(999)),
      'FILE_TRUNCATED',
      /expected 2556 bytes[\s\S]*2555/,
    ],
    [
      'a shard that is too long',
      (_, files) => files.set('group1-shard3of3.bin', new Uint8Array(557)),
      'FILE_UNUSED',
      /more than the weights/,
    ],
    [
      'a shard listed twice',
      (json) => json.weightsManifest[0].paths.push('group1-shard1of3.bin'),
      'FILE_CORRUPT',
      /twice[\s\S]*group1-shard1of3/,
    ],
    [
      'a weight listed twice',
      (json) => Object.assign(weightOf(json, 1), { name: weightOf(json, 0).name }),
      'FILE_CORRUPT',
      /twice[\s\S]*kernel/,
    ],
    [
      'a weight of no layer',
      (json) => Object.assign(weightOf(json, 9), { name: 'other/bias' }),
      'FILE_CORRUPT',
      /lacks the weight "bias"/,
    ],
    [
      'a weight too many',
      (json) => json.weightsManifest[0].weights.push({ name: 'idle', shape: [0], dtype: 'float32' }),
      'FILE_UNUSED',
      /idle/,
    ],
    ['texts', (json) => Object.assign(weightOf(json, 0), { dtype: 'string' }), 'MODEL_UNSUPPORTED', /"string"/],
    ['shapes of other things', (json) => Object.assign(weightOf(json, 0), { shape: [-1] }), 'FILE_CORRUPT', /shape/],
    ['sizes beyond memory', (json) => Object.assign(weightOf(json, 0), { shape: [1e9, 4] }), 'FILE_CORRUPT', /shape/],
    [
      'shapes that do not fit the layer',
      (json) => Object.assign(weightOf(json, 0), { shape: [24, 3] }),
      'MODEL_SHAPE',
      /kernel/,
    ],
    [
      'an unknown quantization',
      (json) => Object.assign(weightOf(json, 0), { quantization: { dtype: 'int4', scale: 1, min: 0 } }),
      'MODEL_UNSUPPORTED',
      /int4/,
    ],
    [
      'a quantization without scale',
      (json) => Object.assign(weightOf(json, 0), { quantization: { dtype: 'uint8', min: 0 } }),
      'FILE_CORRUPT',
      /scale/,
    ],
    [
      'weights that are not finite',
      (_, files) => files.get('group1-shard1of3.bin')!.fill(0xff, 0, 4),
      'MODEL_VALUE',
      /not finite/,
    ],
  ])('%s', async (_, change, code, message) => {
    const error = await read(change).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('to read without the files beside', async () => {
    await expect(read(() => {}, { beside: false })).rejects.toMatchObject({ code: 'FILE_READ' });
  });
});

it('passes over the state of an optimizer', async () => {
  await read((json, files) => {
    json.weightsManifest[0].weights.push({ name: 'iter', shape: [], dtype: 'int32', group: 'optimizer' });
    files.set('group1-shard3of3.bin', new Uint8Array([...files.get('group1-shard3of3.bin')!, 1, 0, 0, 0]));
  });
});
