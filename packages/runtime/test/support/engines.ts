import type { Engine } from '@gatefold/runtime';
import { relaxedEngine, simd128Engine } from '@gatefold/runtime';
import { referenceEngine } from '@gatefold/runtime/reference';

/**
 * The engines that run here. The relaxed build runs only where its probe is exact; with GATEFOLD_REQUIRE_RELAXED its
 * absence is a failure, so that a run meant to test it cannot pass without it.
 */
export function enginesHere(): Engine[] {
  const relaxedReason = relaxedEngine.unavailable();
  if (relaxedReason !== undefined && process.env.GATEFOLD_REQUIRE_RELAXED === '1') {
    throw new Error(`the relaxed engine is required but does not run: ${relaxedReason}`);
  }
  return [referenceEngine, simd128Engine, ...(relaxedReason === undefined ? [relaxedEngine] : [])];
}
