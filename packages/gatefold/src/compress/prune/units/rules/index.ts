import { elementwiseRules } from './elementwise.ts';
import { linearRules } from './linear.ts';
import { recurrent } from './recurrent.ts';
import { sequenceRules } from './sequence.ts';
import type { ChannelRule } from './types.ts';

export type { ChannelRule, UnitAxis } from './types.ts';

/** How channels go through every op of the runtime, by its name. */
export const channelRules: ReadonlyMap<string, ChannelRule> = new Map(
  Object.entries({ ...elementwiseRules, ...linearRules, ...sequenceRules, recurrent }),
);
