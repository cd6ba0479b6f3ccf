import { describe, expect, it } from 'vitest';
import { architectureTemplate, readModel } from '../../src/formats/index.ts';
import { arraysOf, fileOf, textOf, worst } from './torch-fixtures.ts';

const options = JSON.parse(textOf('cells.json')) as Record<string, Record<string, string>>;

describe('every recurrent module equals PyTorch', () => {
  const bytes = fileOf('cells.pt');
  const arrays = arraysOf('cells.npz');
  it.each(Object.entries(options))('%s', async (name, layer) => {
    const architecture = JSON.stringify({
      version: 1,
      input: { features: 3 },
      layers: [
        { ...layer, name: 'y', weights: name },
        { type: 'finalState', name: 'h' },
      ],
      outputs: ['y', 'h'],
      ignore: ['*'],
    });
    const { model } = await readModel(bytes, { architecture });
    const expected = [arrays.get(`${name}/y`)!, arrays.get(`${name}/h`)!];
    expect(worst(model, arrays.get(`${name}/in`)!, expected)).toBeLessThanOrEqual(1e-5);
  });
});

/** The function that a file of weights alone cannot tell. */
const deepArchitecture = `
version: 1
input: { features: 4 }
layers:
  - { type: conv1d, weights: conv, stride: 2, padding: 1, dilation: 1 }
  - { type: batchNorm, weights: norm, epsilon: 1e-5 }
  - { type: activation, function: [relu, 0.1, null, 0] }
  - { type: gru, weights: rnn }
  - { type: last }
  - { type: linear, weights: head.0 }
  - { type: activation, function: relu }
  - { type: linear, weights: head.3 }
  - { type: activation, function: sigmoid }
`;

const ofModule = [
  expect.stringContaining('in the order of the file, and forward() calls no other function: '),
  expect.stringContaining('last step, out[:, -1] (not on the final states'),
];
const bidirectional = [...ofModule, expect.stringContaining('eps 1e-5')];

const files: { file: string; architecture?: string; assumptions?: unknown[] | undefined; container?: string }[] = [
  { file: 'state.pt', assumptions: bidirectional, container: 'zip' },
  { file: 'legacy.pt', assumptions: bidirectional, container: 'legacy' },
  { file: 'checkpoint.pt', assumptions: bidirectional },
  { file: 'lightning.ckpt', assumptions: bidirectional },
  { file: 'parts.pt', assumptions: bidirectional },
  { file: 'views.pt', assumptions: bidirectional },
  { file: 'half.pt', assumptions: bidirectional },
  { file: 'bfloat16.pt', assumptions: bidirectional },
  { file: 'double.pt', assumptions: bidirectional },
  { file: 'state.safetensors', assumptions: bidirectional, container: 'safetensors' },
  { file: 'module.pt', assumptions: ofModule, container: 'zip, whole module' },
  { file: 'module-legacy.pt', assumptions: ofModule, container: 'legacy, whole module' },
  { file: 'module-time-first.pt', assumptions: ofModule },
  { file: 'module-lstm.pt' },
  { file: 'module-rnn.pt' },
  { file: 'module-deep.pt' },
  { file: 'script.pt', container: 'torchscript' },
  { file: 'deep.pt', architecture: deepArchitecture, assumptions: undefined },
  { file: 'tied.pt' },
  { file: 'unchecked.pt' },
];

describe('files of every form equal PyTorch', () => {
  it.each(files)('$file', async ({ file, architecture, container, ...rest }) => {
    const { model } = await readModel(fileOf(file), architecture === undefined ? {} : { architecture });
    const arrays = arraysOf(`${file.replace(/\.(pt|ckpt|safetensors)$/, '')}.npz`);
    expect(worst(model, arrays.get('in')!, [arrays.get('out')!])).toBeLessThanOrEqual(1e-5);
    if (container) expect(model.origin!.container).toBe(container);
    if ('assumptions' in rest) expect(model.origin!.assumptions).toEqual(rest.assumptions);
  });

  it('ties the weights that PyTorch tied', async () => {
    const { model } = await readModel(fileOf('tied.pt'));
    expect(Object.keys(model.weights).sort()).toEqual(
      ['embedding/table', 'gru/W', 'gru/U', 'gru/b', 'gru/bR', 'decoder/bias'].sort(),
    );
  });
});

describe('a template', () => {
  it.each(['state.pt', 'module-deep.pt', 'state.safetensors', 'script.pt'])(
    'of %s reads the file as the file itself does',
    async (file) => {
      const bytes = fileOf(file);
      const { model } = await readModel(bytes, { architecture: architectureTemplate(bytes) });
      const arrays = arraysOf(`${file.replace(/\.(pt|safetensors)$/, '')}.npz`);
      expect(worst(model, arrays.get('in')!, [arrays.get('out')!])).toBeLessThanOrEqual(1e-5);
    },
  );

  it('says what a file of weights does not tell', async () => {
    const text = architectureTemplate(fileOf('deep.pt'));
    expect(text).toContain('# To decide:');
    expect(text).toContain('stride, padding and dilation');
    expect(text).toContain('between head.0 and head.3 (relu?)');
  });
});
