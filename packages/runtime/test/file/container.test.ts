import { crc32 } from 'node:zlib';
import { isGatefold, isSafetensors, type Model, readGatefold, writeGatefold } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, codings, smallModel } from '../support/models.ts';
import { hex, takeApart } from './forge.ts';

const sizes: Readonly<Record<string, number>> = { F32: 4, F16: 2, U8: 1 };

describe.each(Object.keys(codings))('a container of %s weights', (coding) => {
  const model = smallModel(3, cellChoices.lstm!, { coding: coding as keyof typeof codings });
  const bytes = writeGatefold(model);
  const parts = takeApart(bytes);

  it('is a safetensors file', () => {
    expect(isSafetensors(bytes)).toBe(true);
    expect(isGatefold(bytes)).toBe(true);
    // The header begins with "{", is padded with spaces only, and ends where the data start at a multiple of 8.
    expect(bytes[8]).toBe(0x7b);
    expect(parts.start % 8).toBe(0);
    let end = 0;
    for (const { dtype, shape, data_offsets: offsets } of Object.values(parts.entries)) {
      expect(offsets[0]).toBe(end);
      end = offsets[1];
      expect(end - offsets[0]).toBe(shape.reduce((product, n) => product * n, sizes[dtype]!));
    }
    expect(end).toBe(parts.data.length);
  });

  it('carries a true checksum of the graph and of every tensor', () => {
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, parts.start)));
    expect(Object.values(header.__metadata__).every((text) => typeof text === 'string')).toBe(true);
    expect(parts.crc).toBe(hex(crc32(header.__metadata__.gatefold)));
    const sums = Object.entries(parts.entries).map(([name, { data_offsets: offsets }]) => [
      name,
      hex(crc32(parts.data.subarray(...offsets))),
    ]);
    expect(Object.fromEntries(sums)).toEqual(parts.graph.checksums);
  });

  it('has the same bytes for the same model', () => {
    const again = smallModel(3, cellChoices.lstm!, { coding: coding as keyof typeof codings });
    expect(writeGatefold(again)).toEqual(bytes);
    expect(writeGatefold(readGatefold(bytes))).toEqual(bytes);
  });

  it('is read from the middle of a larger buffer', () => {
    // At an odd offset: a reader that makes typed arrays over the file's own buffer would fail.
    const large = new Uint8Array(bytes.length + 7);
    large.set(bytes, 3);
    expect(writeGatefold(readGatefold(large.subarray(3, 3 + bytes.length)))).toEqual(bytes);
  });
});

describe('names', () => {
  const base = smallModel(3, cellChoices.lstm!);

  /** The base model with its kernel under another name. */
  function renamed(name: string): Model {
    const { kernel, ...others } = base.weights;
    const graph = base.graphs.main!;
    const nodes = graph.nodes.map((node) =>
      node.name === 'dense' ? { ...node, weights: { ...node.weights, kernel: name } } : node,
    );
    const weights = Object.fromEntries([...Object.entries(others), [name, kernel!]]);
    return { ...base, weights, graphs: { main: { ...graph, nodes } } };
  }

  // Names come from layers of other tools: whatever they are, a file must give back the model or be refused.
  it.each(['__proto__', 'constructor', 'toString', '', 'größe/κ', '\u0000', '"', '💡', '1'])(
    'a weight named %j survives',
    (name) => {
      const again = readGatefold(writeGatefold(renamed(name)));
      expect(Object.keys(again.weights).sort()).toEqual(Object.keys(renamed(name).weights).sort());
      expect(writeGatefold(again)).toEqual(writeGatefold(renamed(name)));
    },
  );

  it('a weight with the name that the format keeps for itself is refused', () => {
    expect(() => writeGatefold(renamed('__metadata__'))).toThrow(expect.objectContaining({ code: 'MODEL_INVALID' }));
  });

  it('two weights whose tensors would have one name are not written over each other', () => {
    const coded = smallModel(3, cellChoices.lstm!, { coding: 'int8' });
    const graph = coded.graphs.main!;
    const nodes = graph.nodes.map((node) =>
      node.name === 'dense' ? { ...node, weights: { ...node.weights, bias: 'kernel.scales' } } : node,
    );
    const { bias, ...others } = coded.weights;
    const model = { ...coded, weights: { ...others, 'kernel.scales': bias! }, graphs: { main: { ...graph, nodes } } };
    // Refused while writing, or written such that it comes back: never a file that says something else.
    let bytes: Uint8Array;
    try {
      bytes = writeGatefold(model);
    } catch (error) {
      expect((error as Error).name).toBe('GatefoldError');
      return;
    }
    expect(readGatefold(bytes).weights['kernel.scales']!.encoding).toEqual(bias!.encoding);
    expect(readGatefold(bytes).weights.kernel!.encoding).toEqual(coded.weights.kernel!.encoding);
  });
});

describe('what is told apart', () => {
  const others: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['HDF5', Uint8Array.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0])],
    ['zip', Uint8Array.from([0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0, 0, 0])],
    ['JSON', new TextEncoder().encode('{"__metadata__":{"gatefold":"{}"}}')],
  ];

  it.each(others)('%s is no container', (_, bytes) => {
    expect(isSafetensors(bytes)).toBe(false);
    expect(isGatefold(bytes)).toBe(false);
  });

  it('a plain state dict is safetensors, but no container', () => {
    const json = new TextEncoder().encode('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
    const bytes = new Uint8Array(8 + json.length + 4);
    bytes[0] = json.length;
    bytes.set(json, 8);
    expect(isSafetensors(bytes)).toBe(true);
    expect(isGatefold(bytes)).toBe(false);
  });
});
