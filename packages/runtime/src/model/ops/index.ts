import type { OpDefinition } from '../context.ts';
import { elementwiseOps } from './elementwise.ts';
import { linearOps } from './linear.ts';
import { recurrent } from './recurrent.ts';
import { sequenceOps } from './sequence.ts';

export const ops: ReadonlyMap<string, OpDefinition> = new Map(
  [recurrent, ...linearOps, ...elementwiseOps, ...sequenceOps].map((op) => [op.op, op]),
);
