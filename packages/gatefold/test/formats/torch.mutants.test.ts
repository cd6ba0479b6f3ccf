import { GatefoldError } from '@gatefold/runtime';
import { unzipSync, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { mutate, randomSource } from '../../../../scripts/lib/mutate.mjs';
import { architectureTemplate, readModel } from '../../src/formats/index.ts';
import { fileOf } from './torch-fixtures.ts';

/** An archive whose program is changed while its checksums hold: the mutant reaches the interpreter. */
function withProgram(archive: Uint8Array, change: (program: Uint8Array) => Uint8Array): Uint8Array {
  const members = unzipSync(archive);
  const name = Object.keys(members).find((member) => member.endsWith('/data.pkl'))!;
  return zipSync({ ...members, [name]: change(members[name]!) }, { level: 0 });
}

const files = ['legacy.pt', 'module-legacy.pt', 'state.pt', 'module-deep.pt', 'script.pt', 'state.safetensors'];
const mutantsOfEach = 70;

describe('mutants are read or refused, soon', () => {
  it.each(files)('%s', async (file) => {
    const seed = fileOf(file);
    const isZip = seed[0] === 0x50;
    const architecture = architectureTemplate(seed);
    const outcomes = new Map<string, number>();
    for (let i = 0; i < mutantsOfEach; i++) {
      const random = randomSource(1000 + i);
      const bytes = isZip
        ? withProgram(seed, (program) => mutate(program, [program], random))
        : mutate(seed, [seed], random);
      const start = performance.now();
      const outcome = await outcomeOf(() => readModel(bytes, i % 2 === 0 ? {} : { architecture }));
      expect(performance.now() - start, `mutant ${i}`).toBeLessThan(2000);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect([...outcomes.keys()].every((code) => code === 'read' || /^[A-Z]+_[A-Z_]+$/.test(code))).toBe(true);
    expect(outcomes.size).toBeGreaterThan(2);
  });
});

async function outcomeOf(read: () => Promise<unknown>): Promise<string> {
  try {
    await read();
    return 'read';
  } catch (error) {
    if (error instanceof GatefoldError) return error.code;
    throw error;
  }
}
