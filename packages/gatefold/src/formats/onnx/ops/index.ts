import { arithmeticHandlers } from './arithmetic.ts';
import { constantHandlers } from './constants.ts';
import { convHandlers } from './conv.ts';
import { cutHandlers } from './cut.ts';
import { gatherHandlers } from './gather.ts';
import { joinHandlers } from './join.ts';
import { layoutHandlers } from './layout.ts';
import { linearHandlers } from './linear.ts';
import { normalizationHandlers } from './normalization.ts';
import { padHandlers } from './pad.ts';
import { recurrentHandlers } from './recurrent.ts';
import { reduceHandlers } from './reduce.ts';
import type { Handler } from './types.ts';

/** What the ops of the file mean. A new one is one entry in the file of its kind. */
export const handlers: ReadonlyMap<string, Handler> = new Map(
  Object.entries({
    ...arithmeticHandlers,
    ...constantHandlers,
    ...convHandlers,
    ...cutHandlers,
    ...gatherHandlers,
    ...joinHandlers,
    ...layoutHandlers,
    ...linearHandlers,
    ...normalizationHandlers,
    ...padHandlers,
    ...recurrentHandlers,
    ...reduceHandlers,
  }),
);
