import { fail } from '@gatefold/runtime';
import type { Recipe } from './schema.ts';

const preset = (name: string, description: string, steps: Recipe['steps']): Recipe => ({
  version: 1,
  name,
  description,
  steps,
});

/** Recipes that come with Gatefold. */
export const presets: readonly Recipe[] = [
  preset('int8', 'Eight bits everywhere: about 4 times smaller, 1.5 to 3 times as fast, practically lossless', [
    { pass: 'quantize', bits: 8 },
  ]),
  preset('int4', 'Four bits per weight, embeddings in eight: about 7 times smaller; give calibration data', [
    { pass: 'quantize', bits: 4, mixed: [{ target: '*/table', bits: 8 }] },
  ]),
  preset('int4-safe', 'Four bits for the matrices of recurrent layers, eight for all others', [
    {
      pass: 'quantize',
      bits: 4,
      mixed: [
        { target: '*/kernel', bits: 8 },
        { target: '*/table', bits: 8 },
      ],
    },
  ]),
  preset('int3', 'Three bits per weight: for when size is everything', [{ pass: 'quantize', bits: 3 }]),
  preset('log4', 'Four-bit logarithmic levels: for weights with long tails', [
    { pass: 'quantize', bits: 4, scheme: 'log' },
  ]),
  preset('codebook4', 'Sixteen levels per gate, fitted to the weights', [
    { pass: 'quantize', bits: 4, scheme: 'codebook' },
  ]),
  preset(
    'sparse-int8',
    'Nine of ten weights removed while the rest is trained, then eight bits: about 20 times smaller; give --train',
    [
      {
        pass: 'prune',
        sparsity: 0.9,
        scope: 'measured',
        reorder: true,
        schedule: { shape: 'cubic', end: 0.35 },
        train: { epochs: 6, batch: 100, rate: 0.004 },
      },
      { pass: 'quantize', bits: 8, vectors: 'f16' },
    ],
  ),
  preset('f16', 'Half precision: 2 times smaller, decoded to float32 at load', [{ pass: 'quantize', scheme: 'f16' }]),
];

/** @throws OPTION_INVALID naming the presets there are */
export function presetByName(name: string): Recipe {
  const found = presets.find((recipe) => recipe.name === name);
  return (
    found ??
    fail('OPTION_INVALID', `no preset "${name}"`, {
      place: '--preset',
      expected: presets.map((recipe) => recipe.name).join(', '),
    })
  );
}
