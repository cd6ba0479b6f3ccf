import { decode, GatefoldError, type Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { readModel, readParts, writerFor } from '../../src/formats/index.ts';
import { decodeMessage } from '../../src/formats/onnx/proto/decode.ts';
import { editMessage } from '../../src/formats/onnx/proto/edit.ts';
import { encodeMessage } from '../../src/formats/onnx/proto/encode.ts';
import { messages } from '../../src/formats/onnx/proto/schema.ts';
import { inPlaceFile, inPlaceFixtures, pruned, quantized, wholeFiles } from './onnx-in-place.ts';

const { write } = writerFor('onnx', 'test');

/** Contents of the fields of a number. */
function contents(bytes: Uint8Array, number: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  editMessage(bytes, (field, _, content) => {
    if (field === number) out.push(content);
    return undefined;
  });
  return out;
}

const graphOf = (bytes: Uint8Array) => contents(bytes, messages.Model.graph[0])[0]!;
const nodesOf = (bytes: Uint8Array) => contents(graphOf(bytes), messages.Graph.node[0]);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const opsOf = (bytes: Uint8Array) =>
  nodesOf(bytes).map((node) => decodeMessage('Node', node, { lenient: true }).opType!);

async function failure(work: Promise<unknown>): Promise<GatefoldError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(GatefoldError);
  return error as GatefoldError;
}

describe.each(inPlaceFixtures)('%s', (name) => {
  const source = inPlaceFile(name);

  it('is refused as a whole, and its layers are found', async () => {
    await failure(readModel(source));
    const { model, left, rest } = await readParts(source);
    expect({ weights: Object.keys(model.weights), left, rest }).toMatchSnapshot();
  });

  it('is the same file where nothing changed', async () => {
    const { model } = await readParts(source);
    expect(hex((await write(model, { source })).bytes)).toBe(hex(source));
  });

  it('quantized: nodes that are not compressed keep their bytes', async () => {
    const { bytes, parts, notes } = await quantized(source, { bits: 8 });
    expect(bytes.length).toBeLessThan(0.6 * source.length);
    expect(notes).toMatchSnapshot();
    const layers = new Set(Object.values(parts.model.graphs).flatMap(({ nodes }) => nodes.map((node) => node.name)));
    const now = new Set(nodesOf(bytes).map(hex));
    for (const node of nodesOf(source)) {
      const { name: own, opType } = decodeMessage('Node', node, { lenient: true });
      const isLayer = [own!, `${own}/forward`].some((each) => layers.has(each));
      const isMatrix = opType === 'Constant' || own === 'Transpose_18';
      if (!isLayer && !isMatrix && opType !== 'If') expect(now.has(hex(node)), own).toBe(true);
    }
    const kept = nodesOf(bytes).flatMap((node) => decodeMessage('Node', node, { lenient: true }).input);
    for (const key of Object.keys(parts.model.weights)) expect(kept).not.toContain(key.replace(/\/.*/, ''));
  });

  it('pruned: the same file with zeros', async () => {
    const { bytes, model } = await pruned(source, { threshold: 0.1 });
    expect(bytes.length).toBe(source.length);
    expect(opsOf(bytes)).toEqual(opsOf(source));
    const back = await readParts(bytes);
    for (const [key, weight] of Object.entries(back.model.weights)) {
      const values = decode(weight);
      expect(values).toEqual(decode(model.weights[key]!));
      expect(values.some((value) => value === 0)).toBe(true);
    }
  });
});

describe('codes in place', () => {
  const source = inPlaceFile('custom');

  it('mean what the weights mean', async () => {
    const { bytes, model } = await quantized(source, { bits: 8 });
    const { graph } = decodeMessage('Model', bytes, { lenient: true });
    const tensor = (name: string) => graph!.initializer.find((each) => each.name!.startsWith(name))!;
    const codes = tensor('dense/codes');
    const scales = new Float32Array(Uint8Array.from(tensor('dense/scales').rawData!).buffer);
    const [inputs, outputs] = codes.dims as [number, number];
    const values = decode(model.weights.dense!);
    const file = values.map((_, i) => {
      const [row, column] = [Math.floor(i / inputs), i % inputs];
      return Math.fround((codes.rawData![column * outputs + row]! - 128) * scales[row]!);
    });
    expect(file).toEqual(values);
  });

  it('hand on fields that no version knows, and say which recipe made them', async () => {
    const { model } = await readParts(source);
    const metadata = { recipes: [{ version: 1, steps: [] }] };
    const { bytes } = await write({ ...model, metadata }, { source });
    const again = (await write({ ...model, metadata }, { source: bytes })).bytes;
    expect(hex(again)).toBe(hex(bytes));
    for (const words of ['of the graph', 'of the model']) expect(Buffer.from(bytes).includes(words)).toBe(true);
    expect(decodeMessage('Model', bytes, { lenient: true }).metadataProps).toEqual([
      { key: 'recipes', value: JSON.stringify(metadata.recipes) },
    ]);
  });

  it.each([
    ['custom', { bits: 4 }, 'Int4'],
    ['custom', { bits: 12 }, 'DequantizeLinear'],
    ['old', { bits: 12 }, 'Mul'],
    ['old', { bits: 3, scheme: 'codebook' }, 'Gather'],
    ['old', { scheme: 'f16' }, 'Cast'],
  ] as const)('%s with %o', async (name, options, sign) => {
    const { bytes } = await quantized(inPlaceFile(name), options);
    if (sign === 'Int4') {
      const { initializer } = decodeMessage('Model', bytes, { lenient: true }).graph!;
      expect(initializer.some(({ dataType }) => dataType === 22)).toBe(true);
    } else expect(opsOf(bytes)).toContain(sign);
  });

  it('refuse what the operator set cannot hold, files that are others, and files without layers', async () => {
    expect((await failure(quantized(inPlaceFile('old'), { bits: 4 }))).message).toContain('opset 9');
    const { model } = await readParts(source);
    expect((await failure(write(model, { source: inPlaceFile('old') }))).code).toBe('MODEL_INVALID');
    expect((await failure(write(model, {}))).code).toBe('MODEL_UNSUPPORTED');
    const empty = encodeMessage('Model', { opsetImport: [{ version: 17 }], graph: { name: 'none' } });
    expect((await failure(readParts(empty))).code).toBe('MODEL_UNSUPPORTED');
    const trains = encodeMessage('Model', {
      opsetImport: [{ version: 17 }],
      graph: { name: 'none' },
      trainingInfo: [new Uint8Array(0)],
    });
    expect((await failure(readParts(trains))).message).toContain('trains');
  });

  it('take tensors from beside the file into it', async () => {
    const raw = new Uint8Array(new Float32Array(12).fill(0.25).buffer);
    const tensor = (name: string, dims: readonly number[], offset: number) => ({
      ...{ name, dims, dataType: 1, dataLocation: 1 },
      externalData: [
        { key: 'location', value: 'big.bin' },
        { key: 'offset', value: String(offset) },
        { key: 'length', value: '48' },
      ],
    });
    const own = encodeMessage('Model', {
      irVersion: 8,
      opsetImport: [{ version: 17 }],
      graph: {
        node: [
          { opType: 'Constant', name: 'k', output: ['c'], attribute: [{ name: 'value', t: tensor('', [3, 4], 0) }] },
          { opType: 'MatMul', name: 'm', input: ['x', 'w'], output: ['a'] },
          { opType: 'Odd', domain: 'mine', name: 'o', input: ['a', 'v', 'c'], output: ['y'] },
        ],
        initializer: [tensor('w', [3, 4], 0), tensor('v', [4, 3], 48)],
        input: [{ name: 'x' }],
        output: [{ name: 'y' }],
      },
    });
    const beside = async () => Uint8Array.from([...raw, ...raw]);
    const { model } = await readParts(own, { beside });
    const { bytes } = await write(model, { source: own, beside });
    const { initializer, node } = decodeMessage('Model', bytes).graph!;
    const stored = [...initializer, node[0]!.attribute[0]!.t!];
    expect(stored.map(({ rawData, externalData, dataLocation }) => [rawData, externalData, dataLocation])).toEqual(
      Array.from({ length: 3 }, () => [raw, [], undefined]),
    );
  });

  it('leave out all layers of a chain whose first matrix somebody else needs', async () => {
    const many = 8000;
    const places = Array.from({ length: many + 1 }, (_, i) => `w${i}`);
    const chain = encodeMessage('Model', {
      irVersion: 8,
      opsetImport: [{ version: 17 }],
      graph: {
        node: [
          { opType: 'Odd', domain: 'mine', name: 'o', input: ['w0'], output: ['y'] },
          ...places.slice(1).map((next, i) => ({ opType: 'RNN', name: 'r', input: ['x', places[i]!, next] })),
          { opType: 'MatMul', name: 'm', input: ['x', 'own'], output: ['z'] },
        ],
        initializer: [
          ...places.map((name) => ({ name, dims: [1, 2, 2], dataType: 1, rawData: new Uint8Array(16) })),
          { name: 'own', dims: [2, 2], dataType: 1, rawData: new Uint8Array(16) },
        ],
        input: [{ name: 'x' }],
      },
    });
    const { model, left } = await readParts(chain);
    expect(Object.keys(model.weights)).toEqual(['own']);
    expect(left.map(({ name }) => name)).toEqual(['r', ...places.slice(1, many).map((_, i) => `r@${i + 1}`)]);
    expect(left[0]!.reason).toContain('Odd "o"');
    expect(left.at(-1)!.reason).toContain(`"w${many - 1}"`);
  });
});

const matricesOf = ({ weights }: Model) =>
  Object.values(weights)
    .filter(({ shape }) => shape.length === 2)
    .map((weight) => hex(new Uint8Array(decode(weight).buffer)));

// The reader of whole models is held to onnxruntime's outputs: gates, directions and layouts in place must be the same.
describe('files that are understood as a whole', () => {
  it.each(wholeFiles())('%s: the same matrices in place, before and after', async (_, source) => {
    expect(matricesOf((await readModel(source)).model)).toEqual(
      expect.arrayContaining(matricesOf((await readParts(source)).model)),
    );
    for (const bits of [8, 12]) {
      const { bytes, model } = await quantized(source, { bits });
      const { model: back } = await readModel(bytes);
      expect(matricesOf(back)).toEqual(expect.arrayContaining(matricesOf(model)));
    }
    const { bytes, model } = await pruned(source, { threshold: 0.1 });
    expect(matricesOf((await readModel(bytes)).model)).toEqual(expect.arrayContaining(matricesOf(model)));
  });
});
