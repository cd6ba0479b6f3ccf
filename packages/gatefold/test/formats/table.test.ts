import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { quantize } from '../../src/compress/index.ts';
import { readModel, writerFor } from '../../src/formats/index.ts';
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
  const { model } = quantize(smallModel(6, cellChoices.lstm!, { units: 16 }), { bits: 8, granularity: 'tensor' });
  let codes = 'float32 values';
  const written = await writer.write(model, {});
  const beside = async (file: string) => written.beside!.get(file)!;
  // A state dict has no graph: it is not read without being asked about.
  const back = await readModel(written.bytes, { beside }).catch(() => undefined);
  if (back && Object.values(back.model.weights).some(({ encoding }) => encoding.kind === 'affine')) codes = 'codes';
  return `${known} ${extensions.map((extension) => `\`.${extension}\``).join(', ')} | ${held.join(', ')} | ${codes} |`;
}

describe('docs/formats.md', () => {
  it('says what the code does', async () => {
    const rows = [];
    for (const { name } of formats) rows.push(await rowOf(name));
    const text = `# Formats

Told by content, not by name. What a format cannot hold is refused by the name of the node or weight. Made by
packages/gatefold/test/formats/table.test.ts, which tries every cell out (\`npx vitest run table -u\` writes it anew).

| format | read | written as | cells that can be written | 8-bit weights are written as |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

More on [ONNX](onnx.md) and on [files of weights without a graph](weights.md).
`;
    await expect(text).toMatchFileSnapshot('../../../../docs/formats.md');
  });
});
