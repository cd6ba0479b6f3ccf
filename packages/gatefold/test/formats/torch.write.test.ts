import { decode, denseWeight, type Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { quantize } from '../../src/compress/index.ts';
import { readModel, rereadModel, writerFor } from '../../src/formats/index.ts';
import { fixtures } from './fixtures.ts';
import { arraysOf, fileOf, worst } from './torch-fixtures.ts';

const write = (model: Model, extension: string, source?: Uint8Array) =>
  writerFor(extension, '-o').write(model, source ? { source } : {});

/** Every weight of both, as numbers. */
function expectSameWeights(actual: Model, expected: Model): void {
  expect(Object.keys(actual.weights)).toEqual(Object.keys(expected.weights));
  for (const [name, weight] of Object.entries(expected.weights)) {
    const own = actual.weights[name]!;
    expect(own.shape, name).toEqual(weight.shape);
    expect(decode(own), name).toEqual(decode(weight));
  }
}

const inferable = [
  'state.pt',
  'legacy.pt',
  'checkpoint.pt',
  'lightning.ckpt',
  'views.pt',
  'module.pt',
  'module-legacy.pt',
  'module-deep.pt',
  'module-lstm.pt',
  'script.pt',
  'tied.pt',
  'unchecked.pt',
];

describe('a file with new values in its storages', () => {
  it.each(inferable)('%s is the same file where nothing changed', async (file) => {
    const source = fileOf(file);
    const { model } = await readModel(source);
    const { bytes, notes } = await write(model, 'pt', source);
    expect(bytes).toEqual(source);
    expect(notes).toEqual([]);
  });

  it.each(inferable)('%s keeps its form and holds the quantized weights', async (file) => {
    const source = fileOf(file);
    const { model } = quantize((await readModel(source)).model, { bits: 6 });
    const { bytes, notes } = await write(model, 'pt', source);
    expect(bytes.length).toBe(source.length);
    expect(notes).toEqual([expect.stringContaining('floating-point values')]);
    const again = await readModel(bytes);
    expect(again.model.origin!.container).toBe(model.origin!.container);
    expectSameWeights(again.model, model);
  });

  it.each(['half.pt', 'bfloat16.pt', 'double.pt'])('%s rounds to its own type', async (file) => {
    const source = fileOf(file);
    const { model } = quantize((await readModel(source)).model, { bits: 8 });
    const { bytes } = await write(model, 'pt', source);
    const again = (await readModel(bytes)).model;
    const limit = file === 'bfloat16.pt' ? 2 ** -8 : file === 'half.pt' ? 2 ** -11 : 0;
    for (const [name, weight] of Object.entries(model.weights)) {
      const values = decode(again.weights[name]!);
      decode(weight).forEach((value, i) => {
        // Sums of two biases lose the rounding of neither: the second is zero.
        expect(Math.abs(values[i]! - value)).toBeLessThanOrEqual(limit * Math.abs(value) + (limit > 0 ? 1e-7 : 0));
      });
    }
  });
});

describe('a new state dict', () => {
  it.each(['pt', 'safetensors'])('.%s has the keys of the source and equal weights', async (extension) => {
    const { model } = await readModel(fileOf('checkpoint.pt'));
    const { bytes } = await write(model, extension);
    const again = (await readModel(bytes)).model;
    expectSameWeights({ ...again, weights: sorted(again) }, { ...model, weights: sorted(model) });
    const keys = (again.origin!.tensors as [string][]).map(([key]) => key);
    expect(keys).toEqual((model.origin!.tensors as [string][]).map(([key]) => key));
    expect(keys[0]).toBe('module.lstm.weight_ih_l0');
  });

  it('takes the place of a whole module whose shapes changed, and says so', async () => {
    const source = fileOf('module.pt');
    const { model } = await readModel(source);
    const { bytes, notes } = await write(withoutClass(model), 'pt', source);
    expect(notes).toEqual([expect.stringContaining('the file is a state dict')]);
    const again = (await readModel(bytes)).model;
    expect(again.weights['fc/kernel']!.shape).toEqual([3, 12]);
    expect(Object.keys(again.weights).length).toBe(Object.keys(model.weights).length);
  });

  it('is the same from a .safetensors source, whose metadata stay', async () => {
    const source = fileOf('state.safetensors');
    const { model } = await readModel(source);
    expectSameWeights((await readModel((await write(model, 'safetensors', source)).bytes)).model, model);
  });

  it('keeps the counters of a normalization and folds nothing twice', async () => {
    const source = fileOf('module-deep.pt');
    const { model } = await readModel(source);
    const weights = { ...model.weights, 'norm/scale': twice(model.weights['norm/scale']!) };
    const doubled: Model = { ...model, weights };
    const again = (await readModel((await write(doubled, 'pt', source)).bytes)).model;
    for (const name of ['norm/scale', 'norm/shift']) {
      const values = decode(again.weights[name]!);
      decode(doubled.weights[name]!).forEach((value, i) => {
        expect(values[i]!).toBeCloseTo(value, 5);
      });
    }
    const fresh = await write(doubled, 'safetensors');
    expect(new TextDecoder().decode(fresh.bytes.subarray(0, 2000))).toContain('norm.num_batches_tracked');
  });
});

function sorted({ weights }: Model): Model['weights'] {
  return Object.fromEntries(Object.entries(weights).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The last class of the head taken away. */
function withoutClass(model: Model): Model {
  const cut = (name: string, shape: number[]) => [
    name,
    denseWeight(
      shape,
      decode(model.weights[name]!).slice(
        0,
        shape.reduce((a, b) => a * b, 1),
      ),
    ),
  ];
  return {
    ...model,
    weights: { ...model.weights, ...Object.fromEntries([cut('fc/kernel', [3, 12]), cut('fc/bias', [3])]) },
  };
}

function twice(weight: Model['weights'][string]) {
  return denseWeight(
    weight.shape,
    decode(weight).map((value) => 2 * value),
  );
}

/** What PyTorch has no module for, in the Keras fixtures. */
const impossible = /PyTorch has no module|same key in a state dict|without weights/;

describe('models of Keras as state dicts', () => {
  const cases = fixtures();
  it('are written where PyTorch has their modules, and read back with the same weights', async () => {
    const counts = { written: 0, refused: 0 };
    for (const { bytes, architecture } of cases) {
      const { model } = await readModel(bytes, architecture ? { architecture } : {});
      try {
        const file = await write(model, 'pt');
        expectSameWeights((await rereadModel(file.bytes, model)).model, model);
        counts.written++;
      } catch (error) {
        expect((error as Error).message).toMatch(impossible);
        counts.refused++;
      }
    }
    expect(counts.written).toBeGreaterThan(cases.length / 3);
  });
});

it('a written file runs as its model does', async () => {
  const source = fileOf('state.pt');
  const { model } = quantize((await readModel(source)).model, { bits: 12, operand: 'f32' });
  const again = (await readModel((await write(model, 'pt', source)).bytes)).model;
  const arrays = arraysOf('state.npz');
  expect(worst(again, arrays.get('in')!, [arrays.get('out')!])).toBeLessThan(0.01);
});

it('an origin that does not fit is refused', async () => {
  const { model } = await readModel(fileOf('state.pt'));
  const bindings = (model.origin!.bindings as { keys: string[] }[]).map((binding) => ({
    ...binding,
    form: { kind: 'taps', taps: 7 },
  }));
  await expect(write({ ...model, origin: { ...model.origin, bindings } }, 'pt')).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
  });
});
