import type { Model } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { writerFor } from '../../src/formats/index.ts';
import { formats } from '../../src/formats/registry.ts';

const cells: Readonly<Record<string, string>> = {
  lstm: 'LSTM',
  gruAfter: 'GRU (reset after)',
  gruBefore: 'GRU (reset before)',
  rnn: 'RNN',
  lstmPeephole: 'peepholes',
  lstmProjected: 'projection',
  lstmCoupled: 'coupled gates',
  lstmHard: 'hard sigmoid',
};

/** What a format can be given, tried out. */
async function rowOf(name: string): Promise<string> {
  const { title, extensions, write } = formats.find((format) => format.name === name)!;
  const known = `| ${title} | yes |`;
  if (!write) return `${known} no | | |`;
  const writer = writerFor(name, 'table');
  const held: string[] = [];
  for (const [choice, words] of Object.entries(cells)) {
    try {
      await writer.write(smallModel(6, cellChoices[choice]!, { units: 8 }), {});
      held.push(words);
    } catch {
      // Left out of the list.
    }
  }
  const float = smallModel(6, cellChoices.lstm!, { units: 64, features: 32 });
  const size = async (model: Model) => {
    const { bytes, beside } = await writer.write(model, {});
    return [bytes, ...(beside?.values() ?? [])].reduce((sum, { length }) => sum + length, 0);
  };
  const small = await size(quantize(float, { bits: 8, granularity: 'tensor' }).model);
  const codes = small < 0.6 * (await size(float)) ? '8 bits' : 'float32';
  const data = [{ inputs: { x: Float32Array.from({ length: 320 }, (_, i) => Math.sin(i)) }, batch: 1 }];
  const integers = async (operand: 'u7' | 'u14') => {
    const model = quantize(float, { bits: 8, granularity: 'tensor', operand }).model;
    const [plain, calibrated] = [await writer.write(model, {}), await writer.write(model, { calibration: () => data })];
    return plain.notes?.join() === calibrated.notes?.join() ? [] : [{ u7: 8, u14: 16 }[operand]];
  };
  const bits = [...(await integers('u7')), ...(await integers('u14'))];
  const activations = bits.length > 0 ? `, activations ${bits.join(' or ')} bits with data` : '';
  return `${known} ${extensions.map((extension) => `\`.${extension}\``).join(', ')} | ${held.join(', ')} | ${codes}${activations} |`;
}

describe('docs/formats.md', () => {
  it('says what the code does', async () => {
    const rows = [];
    for (const { name } of formats) rows.push(await rowOf(name));
    const text = `# Formats

Told by content, not by name. What a format cannot hold is refused by the name of the node or weight. Made by
packages/gatefold/test/formats/table.test.ts, which tries every cell out (\`npx vitest run table -u\` writes it anew).

| format | read | written as | cells that can be written | 8-bit weights take |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

More on [ONNX](onnx.md), on [TensorFlow Lite](tflite.md) and on [files of weights without a graph](weights.md); what becomes of [files from the wild](corpus.md).
`;
    await expect(text).toMatchFileSnapshot('../../../../docs/formats.md');
  });
});
