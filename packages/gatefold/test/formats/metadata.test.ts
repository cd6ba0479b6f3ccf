import { createSession, type Model } from '@gatefold/runtime';
import { strToU8 } from 'fflate';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { readModel, writerFor } from '../../src/formats/index.ts';

const metadata = {
  vocabulary: ['a', 'ß', '\u0000', '"', '漢'],
  classes: ['yes', 'no', 'other'],
  note: '[text that looks like a list]',
  words: 'plain words',
  rate: 16_000,
  recipes: [{ version: 1, steps: [{ pass: 'quantize', bits: 8 }] }],
};
const model: Model = { ...smallModel(3, cellChoices.lstm!, { features: 4, units: 6 }), metadata };

describe.each(['gatefold', 'h5', 'keras', 'json', 'onnx'])('.%s', (extension) => {
  const write = async (m: Model) => {
    const { bytes, beside } = await writerFor(extension, 'test').write(m, {});
    return { bytes, beside: async (path: string) => beside!.get(path)! };
  };

  it('keeps what a model says of itself', async () => {
    const { bytes, beside } = await write(model);
    const back = (await readModel(bytes, { beside })).model;
    expect(back.metadata).toEqual(metadata);
    expect(createSession(back).inputs).toHaveLength(1);
  });

  it('says nothing where there is nothing to say', async () => {
    const { bytes, beside } = await write({ ...model, metadata: {} });
    expect((await readModel(bytes, { beside })).model.metadata).toEqual({});
  });
});

it('metadata that are no object are refused', async () => {
  const { bytes, beside } = await writerFor('json', 'test').write(model, {});
  const file = JSON.parse(new TextDecoder().decode(bytes)) as { userDefinedMetadata: { gatefold: unknown } };
  file.userDefinedMetadata.gatefold = 7;
  const text = JSON.stringify(file);
  const reading = readModel(strToU8(text), { beside: async (path) => beside!.get(path)! });
  await expect(reading).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
});
