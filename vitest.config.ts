import { configDefaults, defineConfig } from 'vitest/config';
import { alias, maxWorkers } from './vitest.shared.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    maxWorkers,
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/*.corpus.test.ts', '**/*.interop.test.ts'],
    testTimeout: 30_000,
  },
});
