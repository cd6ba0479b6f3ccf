import type { Call } from '../graph/call.ts';
import type { Tensor } from '../graph/tensor.ts';

/** What one op of the file means: its attributes, and its outputs in the file's order. */
export interface Handler {
  readonly attributes: readonly string[];
  run(call: Call): readonly (Tensor | undefined)[];
}
