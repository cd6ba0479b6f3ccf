import { gru } from './gru.ts';
import { lstm } from './lstm.ts';
import { rnn } from './rnn.ts';
import type { Cell } from './types.ts';

export type { Cell, CellOptions, CellWeight, StepOps, StepResult } from './types.ts';

export const cells: ReadonlyMap<string, Cell> = new Map([lstm, gru, rnn].map((cell) => [cell.name, cell]));
