import type { Engine } from '../types.ts';
import { WasmEngine } from './engine.ts';
import { relaxed, simd128 } from './generated/kernels.ts';
import { probeBytes, probeDotProducts } from './probe.ts';

/** The kernels for every WebAssembly with SIMD. */
export const simd128Engine: Engine = new WasmEngine('simd128', simd128);

/** The kernels with relaxed dot products: faster on integers, the same bits. */
export const relaxedEngine: Engine = new WasmEngine('relaxed', relaxed, (engine) =>
  probeDotProducts(engine.instantiate(probeBytes)),
);

/** The fastest engine that is exact here. */
export function bestEngine(): Engine {
  return relaxedEngine.unavailable() === undefined ? relaxedEngine : simd128Engine;
}
