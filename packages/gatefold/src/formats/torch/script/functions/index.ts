import { activations } from './activations.ts';
import type { Handler } from './arguments.ts';
import { layers } from './layers.ts';
import { logic } from './logic.ts';
import { recurrents } from './recurrent.ts';
import { shapes } from './shapes.ts';

export type { Arguments } from './arguments.ts';
export { questions } from './logic.ts';
export { addRecurrent, cellStates, isZero } from './recurrent.ts';

/** Functions of torch by their names behind "torch.". */
export const functions: ReadonlyMap<string, Handler> = new Map(
  [activations, layers, recurrents, shapes, logic].flatMap((table) => Object.entries(table)),
);
