import { defineConfig } from 'vitest/config';
import { alias } from './vitest.shared.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['packages/*/test/**/*.interop.test.ts'],
    testTimeout: 120_000,
  },
});
