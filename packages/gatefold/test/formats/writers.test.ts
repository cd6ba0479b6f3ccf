import { createSession } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';
import { randomSource, randomValues } from '../../../runtime/test/support/random.ts';
import { readModel, writerFor } from '../../src/formats/index.ts';
import { formats } from '../../src/formats/registry.ts';

const writers = formats.filter(({ write, name }) => write && name !== 'torch' && name !== 'safetensors');

describe('every cell in every format', () => {
  // What was written is read back and computes the same, or was refused by name: never something else in silence.
  // (State dicts hold no graph; they have tests of their own.)
  it.each(writers.flatMap(({ name }) => Object.keys(cellChoices).map((cell) => [cell, name] as const)))(
    '%s as %s',
    async (cell, format) => {
      const model = smallModel(6, cellChoices[cell]!, { units: 8 });
      const x = randomValues(randomSource(2), 6 * 5);
      let written: Awaited<ReturnType<ReturnType<typeof writerFor>['write']>>;
      try {
        written = await writerFor(format, '--to').write(model, {});
      } catch (error) {
        expect(error).toMatchObject({ code: 'MODEL_UNSUPPORTED' });
        expect((error as { detail: { place?: string } }).detail.place).toBeTruthy();
        return;
      }
      const beside = async (name: string) => written.beside!.get(name)!;
      const { model: back } = await readModel(written.bytes, { beside });
      const wanted = createSession(model).run(x).y!.data;
      const session = createSession(back);
      const found = session.run(x)[session.outputs[0]!.name]!.data;
      expect(found.length % wanted.length).toBe(0);
      wanted.forEach((value, i) => {
        expect(Math.abs(value - found[i]!)).toBeLessThan(1e-5);
      });
    },
  );
});
