import { fail } from '@gatefold/runtime';
import { PickleCursor } from './cursor.ts';
import { instructions } from './instructions.ts';
import { type PickleHost, PickleState } from './state.ts';
import type { PickleValue } from './values.ts';

const mostSteps = 10_000_000;
const stop = 0x2e;

/**
 * Interprets one pickle as data. Its program can make plain values, inert objects of any class, and the values that the
 * host makes for calls it knows; a call of anything else is refused by name before any later instruction is read.
 * @returns the value and where the pickle ends
 * @throws FILE_TRUNCATED, FILE_CORRUPT, FILE_TOO_LARGE, MODEL_UNSUPPORTED naming what the pickle wants to call
 */
export function readPickle(
  bytes: Uint8Array,
  host: PickleHost,
  place: string,
  from = 0,
): { readonly value: PickleValue; readonly end: number } {
  const cursor = new PickleCursor(bytes, from, place);
  const state = new PickleState(cursor, host);
  for (let step = 0; step < mostSteps; step++) {
    const opcode = cursor.u8();
    if (opcode === stop) return { value: state.result(), end: cursor.at };
    const execute = instructions.get(opcode);
    if (!execute) return state.corrupt(`the pickle has an instruction that is not known: 0x${opcode.toString(16)}`);
    execute(state, cursor);
  }
  return fail('FILE_TOO_LARGE', 'the pickle has too many instructions', { place });
}
