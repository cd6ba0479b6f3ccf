import { type Model, utf8Decode } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { listZip, unzip } from '../../src/data/zip.ts';
import { openHdf5 } from '../../src/formats/hdf5/index.ts';
import { readArchitecture, readModel } from '../../src/formats/index.ts';
import { fixtures } from './fixtures.ts';

/** What Keras' `to_json()` gives, out of a whole file. */
function jsonOf({ bytes, architecture }: ReturnType<typeof fixtures>[number]): string | undefined {
  if (architecture !== undefined) return architecture;
  if (bytes[0] === 0x50) return utf8Decode(unzip(bytes, listZip(bytes).get('config.json')!, 2 ** 20));
  const file = openHdf5(bytes);
  const [config, version] = ['model_config', 'keras_version'].map((name) => file.text('', name));
  return config && JSON.stringify({ ...JSON.parse(config), keras_version: version });
}

/** Ops and shapes in order. */
const outline = ({ graphs, weights }: Model) => ({
  nodes: graphs.main!.nodes.map(({ name, op, attributes }) => ({ name, op, attributes })),
  weights: Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, shape])),
});

const read = (json: unknown) => readArchitecture(new TextEncoder().encode(JSON.stringify(json)));

describe("Keras' JSON of an architecture", () => {
  // Batch normalization is folded where its statistics are known, and adapted statistics are no weights.
  const all = fixtures().filter(({ name }) => !/normalizations|mask-flow|preprocessing/.test(name));
  it.each(all.map((fixture) => [fixture.name, fixture] as const))(
    '%s: the graph that the file gives',
    async (_, one) => {
      const json = jsonOf(one);
      if (json === undefined) return;
      const { architecture } = one;
      const { model } = await readModel(one.bytes, architecture === undefined ? {} : { architecture });
      const alone = await readArchitecture(new TextEncoder().encode(json));
      const zipVersion = one.bytes[0] === 0x50 || architecture !== undefined;
      const [expected, found] = [outline(model), outline(alone)];
      // Some defaults depend on the version, which stands elsewhere in these.
      if (zipVersion) expect(found.nodes.map(({ op }) => op)).toEqual(expected.nodes.map(({ op }) => op));
      else expect(found).toEqual(expected);
      expect(found.weights).toEqual(expected.weights);
    },
  );

  const layers = (...more: unknown[]) => ({
    class_name: 'Sequential',
    config: { layers: [{ class_name: 'InputLayer', config: { name: 'x', batch_shape: [null, 5, 3] } }, ...more] },
  });
  const layer = (class_name: string, config: object) => ({
    class_name,
    config: { name: class_name, trainable: true, ...config },
  });

  it('keeps statistics of batches apart, so that training can follow them', async () => {
    const { graphs } = await read(
      layers(layer('BatchNormalization', { epsilon: 0.01 }), layer('GRU', { units: 4, return_sequences: true })),
    );
    expect(graphs.main!.nodes.map(({ name, op, attributes }) => [name, op, attributes.epsilon])).toEqual([
      ['BatchNormalization/statistics', 'scaleShift', 0.01],
      ['BatchNormalization', 'scaleShift', undefined],
      ['GRU', 'recurrent', undefined],
    ]);
  });

  it.each([
    ['too many weights', layer('Dense', { units: 2 ** 30 }), { code: 'FILE_TOO_LARGE', detail: { place: 'kernel' } }],
    ['a negative number of them', layer('LSTM', { units: -4 }), { code: expect.stringMatching(/^MODEL_/) }],
    ['a layer that is unknown', layer('Attention', {}), { code: 'MODEL_UNSUPPORTED', detail: { place: 'Attention' } }],
  ])('refuses %s', async (_, odd, expected) => {
    await expect(read(layers(odd))).rejects.toMatchObject(expected);
  });

  it('is no model where weights are needed', async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(layers(layer('Dense', { units: 2 }))));
    await expect(readModel(bytes)).rejects.toMatchObject({ code: 'FILE_FORMAT' });
  });
});
