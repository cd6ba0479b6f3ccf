import { spectral } from '../spectral/index.ts';
import { gradient, taylor } from './gradient.ts';
import { magnitude } from './magnitude.ts';
import { random } from './random.ts';
import type { Criterion } from './types.ts';

export type { Ranking } from './types.ts';

export const criteria = { magnitude, random, gradient, taylor, spectral } as const satisfies Record<string, Criterion>;
export type CriterionName = keyof typeof criteria;
