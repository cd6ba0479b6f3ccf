import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, GatefoldError } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { mutate, randomSource } from '../../../../scripts/lib/mutate.mjs';
import { type ReadOptions, readModel } from '../../src/formats/index.ts';
import { encodeMessage } from '../../src/formats/onnx/proto/encode.ts';
import type { Draft } from '../../src/formats/onnx/proto/schema.ts';

const folder = fileURLToPath(new URL('../../../../fixtures/onnx/', import.meta.url));

async function failure(bytes: Uint8Array, options?: ReadOptions): Promise<GatefoldError> {
  const error = await readModel(bytes, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(GatefoldError);
  return error as GatefoldError;
}

const port = (name: string, dims: readonly (number | string)[], elemType = 1): Draft<'ValueInfo'> => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: dims.map((dim) => (typeof dim === 'number' ? { dimValue: dim } : { dimParam: dim })) },
    },
  },
});
const floats = (name: string, dims: readonly number[], value = 0.5): Draft<'Tensor'> => ({
  name,
  dims,
  dataType: 1,
  rawData: new Uint8Array(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value).buffer),
});
const text = (word: string) => new TextEncoder().encode(word);
const node = (
  opType: string,
  input: readonly string[],
  attribute: readonly Draft<'Attribute'>[] = [],
  output = ['y'],
): Draft<'Node'> => ({
  opType,
  name: `the-${opType}`,
  input,
  output,
  attribute,
});

/** A model of [batch, time, 3] → y, with something in it that is to be refused. */
function model(
  nodes: readonly Draft<'Node'>[],
  initializer: readonly Draft<'Tensor'>[] = [],
  change: Partial<Draft<'Model'>> & { input?: readonly Draft<'ValueInfo'>[] } = {},
): Uint8Array {
  const { input = [port('x', ['batch', 'time', 3])], ...rest } = change;
  return encodeMessage('Model', {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: { name: 'g', node: nodes, initializer, input, output: [port('y', [])] },
    ...rest,
  });
}

const lstm = (attribute: readonly Draft<'Attribute'>[], inputs = ['x', 'W', 'R']) => [
  node('LSTM', inputs, attribute, ['', 'y']),
];
const lstmWeights = [floats('W', [1, 8, 3]), floats('R', [1, 8, 2])];
const branch = (name: string, opType: string): Draft<'Attribute'> => ({
  name,
  type: 5,
  g: { name, node: [{ opType, input: ['x'], output: [`${name}-y`] }], output: [port(`${name}-y`, [])] },
});

describe('refuses by name, with what to do', () => {
  it.each<[string, Uint8Array, ErrorCode, RegExp, ReadOptions?]>([
    ['an unknown op', model([node('Einsum', ['x'])]), 'MODEL_UNSUPPORTED', /Einsum node "the-Einsum"/],
    [
      'an op of another domain',
      model([{ ...node('Attention', ['x']), domain: 'com.microsoft' }]),
      'MODEL_UNSUPPORTED',
      /com\.microsoft\.Attention/,
    ],
    [
      'an unknown attribute',
      model([node('Relu', ['x'], [{ name: 'leak', f: 1, type: 1 }])]),
      'MODEL_UNSUPPORTED',
      /unknown attribute "leak"/,
    ],
    [
      'an attribute of another type',
      model([node('LeakyRelu', ['x'], [{ name: 'alpha', i: 1, type: 2 }])]),
      'FILE_CORRUPT',
      /attribute "alpha"/,
    ],
    ['a tensor that nothing makes', model([node('Relu', ['nowhere'])]), 'FILE_CORRUPT', /"nowhere"/],
    ['a tensor that no node uses', model([node('Relu', ['x'])], [floats('idle', [2])]), 'FILE_UNUSED', /idle/],
    [
      'weights that are not finite',
      model([node('MatMul', ['x', 'w'])], [floats('w', [3, 2], Number.NaN)]),
      'MODEL_VALUE',
      /kernel/,
    ],
    [
      'weights that do not fit',
      model([node('MatMul', ['x', 'w'])], [floats('w', [4, 2])]),
      'MODEL_SHAPE',
      /expected 3 inputs/,
    ],
    [
      'a tensor shorter than its shape',
      model([node('MatMul', ['x', 'w'])], [{ ...floats('w', [3, 2]), dims: [3, 3] }]),
      'FILE_CORRUPT',
      /36 bytes/,
    ],
    [
      'a negative dimension',
      model([node('MatMul', ['x', 'w'])], [{ ...floats('w', [3, 2]), dims: [-3, -2] }]),
      'FILE_CORRUPT',
      /malformed shape/,
    ],
    [
      'a huge tensor',
      model([node('MatMul', ['x', 'w'])], [{ ...floats('w', [3, 2]), dims: [1 << 20, 1 << 20] }]),
      'FILE_TOO_LARGE',
      /too large/,
    ],
    [
      'strings',
      model([node('MatMul', ['x', 'w'])], [{ name: 'w', dims: [1], dataType: 8, stringData: [text('no')] }]),
      'MODEL_UNSUPPORTED',
      /ONNX type 8/,
    ],
    [
      'weights that are inputs',
      model(lstm([]), [lstmWeights[1]!], { input: [port('x', ['time', 'batch', 3]), port('W', [1, 8, 3])] }),
      'MODEL_UNSUPPORTED',
      /its W must be constant[\s\S]*--fix/,
    ],
    [
      'another function for the output',
      model(lstm([{ name: 'activations', strings: ['Sigmoid', 'Tanh', 'Relu'].map(text), type: 8 }]), lstmWeights),
      'MODEL_UNSUPPORTED',
      /for its cell than for its output/,
    ],
    [
      'a function without meaning',
      model(
        lstm([{ name: 'activations', strings: ['Sigmoid', 'ScaledTanh', 'ScaledTanh'].map(text), type: 8 }]),
        lstmWeights,
      ),
      'MODEL_UNSUPPORTED',
      /"ScaledTanh"/,
    ],
    [
      'a direction without meaning',
      model(lstm([{ name: 'direction', s: text('sideways'), type: 3 }]), lstmWeights),
      'MODEL_UNSUPPORTED',
      /sideways/,
    ],
    [
      'a hidden size that is not that of the weights',
      model(lstm([{ name: 'hidden_size', i: 5, type: 2 }]), lstmWeights),
      'MODEL_SHAPE',
      /hidden_size/,
    ],
    ['a product of two values', model([node('MatMul', ['x', 'x'])]), 'MODEL_UNSUPPORTED', /multiplies two values/],
    [
      'a branch that hangs on the data',
      model(
        [
          node('Equal', ['r', 'r'], [], ['c']),
          node('If', ['c'], [branch('then_branch', 'Relu'), branch('else_branch', 'Neg')]),
        ],
        [],
        { input: [port('x', ['batch', 'time', 3]), port('r', [], 7)] },
      ),
      'MODEL_UNSUPPORTED',
      /chooses by what is not known[\s\S]*--fix/,
    ],
    [
      'a reshape that mixes batch and features',
      model([node('Reshape', ['x', 's'])], [{ name: 's', dims: [2], dataType: 7, int64Data: [3, -1] }]),
      'MODEL_UNSUPPORTED',
      /mixes batch, time and features/,
    ],
    [
      'a square convolution',
      model([node('Conv', ['x', 'w'])], [floats('w', [2, 3, 3, 3])], { input: [port('x', ['batch', 3, 9, 9])] }),
      'MODEL_UNSUPPORTED',
      /more than one dimension/,
    ],
    [
      'an old operator set',
      model([node('Relu', ['x'])], [], { opsetImport: [{ domain: '', version: 7 }] }),
      'FILE_VERSION',
      /opset 7/,
    ],
    [
      'functions of its own',
      model([node('Relu', ['x'])], [], { functions: [new Uint8Array([0])] }),
      'MODEL_UNSUPPORTED',
      /functions of its own/,
    ],
    [
      'an input without a shape',
      model([node('Relu', ['x'])], [], { input: [{ name: 'x', type: { tensorType: { elemType: 1 } } }] }),
      'MODEL_UNSUPPORTED',
      /no shape/,
    ],
    [
      'external data without a folder',
      model(
        [node('MatMul', ['x', 'w'])],
        [
          {
            name: 'w',
            dims: [3, 2],
            dataType: 1,
            dataLocation: 1,
            externalData: [{ key: 'location', value: 'w.bin' }],
          },
        ],
      ),
      'FILE_READ',
      /w\.bin/,
    ],
    [
      'a name that there is not to fix',
      model([node('Relu', ['x'])]),
      'OPTION_INVALID',
      /--fix length/,
      { fix: { length: 3 } },
    ],
    [
      'a length that is none',
      model([node('Relu', ['x'])]),
      'OPTION_INVALID',
      /positive whole number/,
      { fix: { time: -3 } },
    ],
  ])('%s', async (_, bytes, code, message, options) => {
    const error = await failure(bytes, options);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });
});

describe('damaged protocol buffers', () => {
  const good = model([node('Relu', ['x'])]);
  const field = (number: number, wire: number, ...rest: number[]) =>
    Uint8Array.from([...good, ((number << 3) | wire) & 255, ...rest]);

  it.each<[string, Uint8Array, ErrorCode]>([
    ['a wrong wire type', field(8, 0, 1), 'FILE_CORRUPT'],
    ['a length past the end', field(8, 2, 127), 'FILE_TRUNCATED'],
    ['a number that does not end', field(1, 0, 255, 255), 'FILE_TRUNCATED'],
    ['a number of eleven bytes', field(1, 0, ...new Array(11).fill(255)), 'FILE_CORRUPT'],
    ['an unknown field', field(13, 0, 1), 'FILE_VERSION'],
    ['a text that is no UTF-8', field(2, 2, 1, 255), 'FILE_CORRUPT'],
  ])('%s', async (_, bytes, code) => {
    expect((await failure(bytes)).code).toBe(code);
  });

  it('refuses graphs within graphs beyond any depth', async () => {
    let graph: Draft<'Graph'> = { name: 'innermost', output: [port('y', [])] };
    for (let i = 0; i < 60; i++)
      graph = { name: 'g', node: [node('If', ['c'], [{ name: 'then_branch', type: 5, g: graph }])] };
    expect((await failure(encodeMessage('Model', { irVersion: 8, graph }))).code).toBe('FILE_TOO_LARGE');
  });

  it('constants that grow from each other end', async () => {
    // Each doubles the one before.
    const nodes = Array.from({ length: 60 }, (_, i) =>
      node('Concat', [`c${i}`, `c${i}`], [{ name: 'axis', i: 0, type: 2 }], [`c${i + 1}`]),
    );
    const bytes = model([...nodes, node('Add', ['x', 'c60'])], [floats('c0', [4])]);
    expect((await failure(bytes)).code).toBe('FILE_TOO_LARGE');
  });

  it('every mutant is read or refused with a coded error', { timeout: 120_000 }, async () => {
    const seeds = readdirSync(folder)
      .filter((name) => name.endsWith('.onnx'))
      .map((name) => new Uint8Array(readFileSync(folder + name)));
    const outcomes = new Set<string>();
    for (let i = 0; i < 600; i++) {
      const random = randomSource(77_000 + i);
      const bytes = mutate(seeds[i % seeds.length]!, seeds, random);
      try {
        await readModel(bytes);
        outcomes.add('read');
      } catch (error) {
        if (!(error instanceof GatefoldError)) throw error;
        outcomes.add(error.code);
      }
    }
    expect(outcomes.size).toBeGreaterThan(5);
  });
});
