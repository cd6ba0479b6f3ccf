import { elementwiseOps } from './elementwise.ts';
import { linearOps } from './linear.ts';
import { recurrent } from './recurrent.ts';
import { sequenceOps } from './sequence.ts';
import type { TrainOp } from './types.ts';

export type { CarriedState, TrainContext, Value } from './types.ts';

/** Ops that can be trained, or trained through, by the runtime's names. */
export const trainOps: ReadonlyMap<string, TrainOp> = new Map(
  Object.entries({ ...linearOps, ...elementwiseOps, ...sequenceOps, recurrent }),
);
