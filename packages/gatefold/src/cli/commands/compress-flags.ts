import type { LoadOptions } from '../../node/load.ts';
import type { DataFlags } from '../data-options.ts';
import type { StatesFlag } from './convert.ts';

/** Options of the commands that compress. */
export interface CompressFlags extends DataFlags, LoadOptions {
  readonly output: string;
  readonly recipe?: string;
  readonly preset?: string;
  readonly train?: string;
  readonly html?: string;
  readonly maxDrop?: number;
  readonly maxBytes?: number;
  readonly threads?: number;
  readonly resume?: boolean;
  readonly integerPorts?: boolean;
  readonly states?: StatesFlag;
}
