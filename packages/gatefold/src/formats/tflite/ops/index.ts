import { cellHandlers } from './cell.ts';
import { elementwiseHandlers } from './elementwise.ts';
import { joinHandlers } from './join.ts';
import { linearHandlers } from './linear.ts';
import { recurrentHandlers } from './recurrent.ts';
import { shapeHandlers } from './shape.ts';
import type { Handler } from './types.ts';

/** What each operator means. A new one is a handler and a line in its file. */
export const handlers: ReadonlyMap<string, Handler> = new Map(
  Object.entries({
    ...shapeHandlers,
    ...joinHandlers,
    ...elementwiseHandlers,
    ...linearHandlers,
    ...recurrentHandlers,
    ...cellHandlers,
  }),
);
