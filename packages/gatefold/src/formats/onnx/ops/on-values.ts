import type { Call } from '../graph/call.ts';
import { type Fill, showTensor, type Tensor, type Value } from '../graph/tensor.ts';
import type { Handler } from './types.ts';

/** Runs on values; tensors of one number everywhere only change their shape. */
export function layout(
  attributes: readonly string[],
  onValue: (call: Call, x: Value) => readonly Tensor[],
  onFill: (call: Call, x: Fill) => readonly Tensor[] = (call) => call.refuse('works on a tensor of unknown length'),
): Handler {
  return {
    attributes,
    run(call) {
      const x = call.input(0);
      if (x.kind === 'value') return onValue(call, x);
      return x.kind === 'fill'
        ? onFill(call, x)
        : call.refuse('works on a constant beside values', { found: showTensor(x) });
    },
  };
}

export const at = <T>(items: readonly T[], i: number): T => items[i]!;
