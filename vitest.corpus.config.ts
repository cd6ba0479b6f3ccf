import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { alias } from './vitest.shared.ts';

const corpus = process.env.GATEFOLD_CORPUS;
if (!corpus || !existsSync(corpus)) {
  const found = corpus ? `'${corpus}', which does not exist` : 'nothing';
  throw new Error(`GATEFOLD_CORPUS must name the folder of real-world models and data these tests read; found ${found}.`);
}

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['packages/*/test/**/*.corpus.test.ts', 'test/**/*.corpus.test.ts'],
    testTimeout: 120_000,
  },
});
