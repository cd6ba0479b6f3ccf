import type { Call } from '../graph/call.ts';

export interface AxisSlice {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** What a Slice node cuts, from its attributes (opset 9) or its inputs (from 10 on). */
export function slicesOf(call: Call, rank: number): AxisSlice[] {
  const starts = call.list('starts', 1) ?? call.refuse('needs starts');
  const ends = call.list('ends', 2) ?? call.refuse('needs ends');
  const axes = call.list('axes', 3) ?? starts.map((_, i) => i);
  const steps = call.list('steps', 4) ?? starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
    call.fail('MODEL_SHAPE', 'starts, ends, axes and steps differ in length');
  }
  if (steps.includes(0)) call.fail('MODEL_SHAPE', 'a step is 0');
  return axes.map((axis, i) => ({ axis: call.axis(axis, rank), start: starts[i]!, end: ends[i]!, step: steps[i]! }));
}
