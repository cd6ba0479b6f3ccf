import { configDefaults, defineConfig } from 'vitest/config';
import { alias } from './vitest.shared.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/*.corpus.test.ts', '**/*.interop.test.ts'],
    testTimeout: 30_000,
  },
});
