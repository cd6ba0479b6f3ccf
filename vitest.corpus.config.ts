import { defineConfig } from 'vitest/config';
import { alias, maxWorkers } from './vitest.shared.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    maxWorkers,
    include: ['packages/*/test/**/*.corpus.test.ts', 'test/**/*.corpus.test.ts'],
    globalSetup: 'test/corpus-setup.ts',
    testTimeout: 120_000,
  },
});
