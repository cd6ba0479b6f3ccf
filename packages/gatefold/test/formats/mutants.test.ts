import { GatefoldError } from '@gatefold/runtime';
import { describe, expect, it } from 'vitest';
import { fuzzSeeds } from '../../../../scripts/lib/fuzz-seeds.mjs';
import { mutant } from '../../../../scripts/lib/mutant.mjs';
import { randomSource } from '../../../../scripts/lib/mutate.mjs';
import { readModel } from '../../src/formats/index.ts';

// `npm run fuzz` reads tens of thousands of mutants; these are enough to see that a reader minds what it reads.
const mutants = 300;

describe.each(['tfjs', 'rtneural', 'ml5'])('mutants of %s', (reader) => {
  it('are read or refused with a code, in time', async () => {
    const seeds = await fuzzSeeds(reader);
    let refused = 0;
    for (let i = 0; i < mutants; i++) {
      const origin = seeds[i % seeds.length]!;
      const { bytes, beside } = mutant(origin, seeds, randomSource(7_000_003 + i));
      const start = performance.now();
      const error = await readModel(bytes, beside ? { beside } : {}).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) refused++;
      if (error !== undefined && !(error instanceof GatefoldError))
        throw new Error(`mutant ${i} of ${origin.name}`, { cause: error });
      expect(performance.now() - start).toBeLessThan(2000);
    }
    expect(refused).toBeGreaterThan(mutants / 4);
  });
});
