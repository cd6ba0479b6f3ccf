import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createSession, type ErrorCode, GatefoldError, simd128Engine } from '@gatefold/runtime';
import { unzipSync, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { openHdf5 } from '../../src/formats/hdf5/index.ts';
import { type ReadOptions, readModel } from '../../src/formats/index.ts';
import type { Loose as Config } from '../support/loose.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const fixture = (name: string) => new Uint8Array(readFileSync(at(`../../../../fixtures/keras/${name}`)));
const fixtureText = (name: string) => readFileSync(at(`../../../../fixtures/keras/${name}`), 'utf8');

interface Members {
  config: Config;
  metadata: Config;
  weights: Uint8Array;
}

/** A small Keras 3 file with something changed. */
function edited(change: (members: Members) => void, name = 'k3-trained.keras'): Uint8Array {
  const files = unzipSync(fixture(name));
  const json = (member: string) => JSON.parse(new TextDecoder().decode(files[member]));
  const members = { config: json('config.json'), metadata: json('metadata.json'), weights: files['model.weights.h5']! };
  change(members);
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return zipSync({
    'config.json': text(members.config),
    'metadata.json': text(members.metadata),
    'model.weights.h5': members.weights,
  });
}

/** The layers of `k3-trained`: an input, an LSTM named "lstm", a Dense named "dense". */
const layersOf = ({ config }: Members): Config[] => config.config.layers;

async function failure(bytes: Uint8Array, options?: ReadOptions): Promise<GatefoldError> {
  const error = await readModel(bytes, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(GatefoldError);
  return error as GatefoldError;
}

describe('refuses by name, with what to do', () => {
  it.each<[string, Uint8Array, ErrorCode, RegExp]>([
    [
      'a Lambda',
      fixture('refused/k3-lambda.keras'),
      'MODEL_UNSUPPORTED',
      /"lambda" \(Lambda\)[\s\S]*Python code[\s\S]*Rescaling/,
    ],
    ['a Lambda of Keras 2', fixture('refused/k2-lambda.h5'), 'MODEL_UNSUPPORTED', /"lambda" \(Lambda\)/],
    ['a custom class', fixture('refused/k3-custom.keras'), 'MODEL_UNSUPPORTED', /"scale"[\s\S]*custom code/],
    ['a custom class of Keras 2', fixture('refused/k2-custom.h5'), 'MODEL_UNSUPPORTED', /"scale"[\s\S]*custom code/],
    [
      'a layer far from sequences',
      fixture('refused/k3-unsupported.keras'),
      'MODEL_UNSUPPORTED',
      /"conv2d" \(Conv2D\)[\s\S]*known: LSTM/,
    ],
    [
      'a custom class with the name of a known one',
      edited((members) => {
        layersOf(members)[1].registered_name = 'mine>LSTM';
      }),
      'MODEL_UNSUPPORTED',
      /"lstm" \(custom LSTM\)[\s\S]*custom code/,
    ],
    [
      'an activation inside a cell',
      edited((members) => {
        layersOf(members)[1].config.activation = 'softmax';
      }),
      'MODEL_UNSUPPORTED',
      /"lstm"[\s\S]*"softmax" inside a recurrent cell/,
    ],
    [
      'an unknown activation',
      edited((members) => {
        layersOf(members)[2].config.activation = 'constructor';
      }),
      'MODEL_UNSUPPORTED',
      /"dense"[\s\S]*"constructor" is not known[\s\S]*known: linear, tanh/,
    ],
    [
      'an old version',
      edited(({ metadata }) => {
        metadata.keras_version = '1.2.2';
      }),
      'MODEL_UNSUPPORTED',
      /Keras 1\.2\.2[\s\S]*2\.x or 3\.x/,
    ],
  ])('%s', async (_, bytes, code, message) => {
    const error = await failure(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('a call that stays random at inference, and unknown arguments', async () => {
    const call = (kwargs: object) =>
      edited((members) => {
        const layer = layersOf(members).find(({ class_name: name }) => name === 'LSTM');
        Object.assign(layer.inbound_nodes[0].kwargs, kwargs);
      }, 'k3-encoder-decoder.keras');
    expect((await failure(call({ training: true }))).message).toMatch(/"encoder"[\s\S]*training=True/);
    const tensor = { class_name: '__keras_tensor__', config: { keras_history: ['source', 0, 0] } };
    expect((await failure(call({ constants: [tensor] }))).message).toMatch(
      /"encoder"[\s\S]*is called with "constants"/,
    );
  });
});

describe('refuses files that do not fit together', () => {
  it.each<[string, Uint8Array, ErrorCode, RegExp]>([
    [
      'a weight of another shape',
      edited((members) => {
        layersOf(members)[2].config.units = 3;
      }),
      'MODEL_SHAPE',
      /dense\/kernel[\s\S]*\[5, 3\][\s\S]*\[5, 2\]/,
    ],
    [
      'a weight that no layer uses',
      edited((members) => {
        layersOf(members).pop();
      }),
      'FILE_UNUSED',
      /layers\/dense\/vars\/0/,
    ],
    [
      'a layer without its weights',
      edited((members) => {
        layersOf(members).push({ ...layersOf(members)[2], config: { ...layersOf(members)[2].config, name: 'other' } });
      }),
      'FILE_CORRUPT',
      /lacks the weight "kernel"/,
    ],
    [
      'two layers of one name',
      edited((members) => {
        layersOf(members).push(layersOf(members)[2]);
      }),
      'FILE_CORRUPT',
      /same name/,
    ],
    [
      'a call of nothing',
      edited((members) => {
        const layer = layersOf(members).find(({ name }) => name === 'from');
        layer.inbound_nodes[0].args[0].config.keras_history[0] = 'nowhere';
      }, 'k3-shared.keras'),
      'FILE_CORRUPT',
      /tensors that nothing makes/,
    ],
    ['HDF5 that is no model', new Uint8Array(readFileSync(at('data/layouts.h5'))), 'FILE_FORMAT', /no Keras model/],
    [
      'weights alone',
      fixture('k2-weights-sequential.weights-only.h5'),
      'MODEL_NO_ARCHITECTURE',
      /embedding, bidirectional[\s\S]*to_json/,
    ],
    ['weights alone of Keras 3', fixture('refused/k3-no-architecture.weights.h5'), 'MODEL_NO_ARCHITECTURE', /to_json/],
    ['half an archive', fixture('k3-trained.keras').slice(0, 9000), 'FILE_TRUNCATED', /no directory/],
  ])('%s', async (_, bytes, code, message) => {
    const error = await failure(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('a weight of %d', async (value) => {
    const error = await failure(
      edited(({ weights }) => {
        const known = new Uint8Array(openHdf5(weights).arrays('').get('layers/dense/vars/1')!.read().buffer);
        const view = new DataView(weights.buffer, weights.byteOffset, weights.byteLength);
        for (let i = 0; i + 8 <= weights.length; i++) {
          if (known.every((byte, k) => weights[i + k] === byte)) view.setFloat32(i, value, true);
        }
      }),
    );
    expect(error.code).toBe('MODEL_VALUE');
    expect(error.message).toContain('dense/bias');
  });
});

describe('hostile configurations', () => {
  it('nested beyond any use', async () => {
    const deep = edited(({ config }) => {
      let value: Config = {};
      for (let i = 0; i < 1000; i++) value = [value];
      config.config.extra = value;
    });
    expect((await failure(deep)).code).toBe('FILE_CORRUPT');
  });

  it('models that call a model twice that calls a model twice …', async () => {
    const tensor = (layer: string, call = 0) => ({
      class_name: '__keras_tensor__',
      config: { keras_history: [layer, call, 0] },
    });
    const input = {
      module: 'keras.layers',
      class_name: 'InputLayer',
      config: { batch_shape: [null, 4], name: 'x' },
      name: 'x',
      inbound_nodes: [],
    };
    const twice = (inner: Config): Config => ({
      module: 'keras.models',
      class_name: 'Functional',
      config: {
        name: 'model',
        layers: [
          input,
          {
            ...inner,
            name: 'inner',
            inbound_nodes: [
              { args: [tensor('x')], kwargs: {} },
              { args: [tensor('inner')], kwargs: {} },
            ],
          },
        ],
        input_layers: [['x', 0, 0]],
        output_layers: [['inner', 1, 0]],
      },
    });
    let model: Config = {
      module: 'keras.layers',
      class_name: 'Activation',
      config: { name: 'tanh', trainable: true, activation: 'tanh' },
    };
    for (let i = 0; i < 20; i++) model = twice(model);
    const start = performance.now();
    const error = await failure(
      edited((members) => {
        members.config = model;
      }),
    );
    expect(error.code).toBe('FILE_TOO_LARGE');
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

it('weights of layers with other names are matched in order, as Keras does', async () => {
  const architecture = fixtureText('k2-weights-sequential.json');
  const renamed = architecture.replaceAll(/"name": "(\w+)"/g, '"name": "my_$1"');
  const run = async (text: string) => {
    const { model } = await readModel(fixture('k2-weights-sequential.weights-only.h5'), { architecture: text });
    const session = createSession(model, { engine: simd128Engine });
    return Object.values(session.run([1, 2, 3, 4, 5, 6]))[0]!.data;
  };
  expect(renamed).not.toBe(architecture);
  expect(await run(renamed)).toEqual(await run(architecture));
});
