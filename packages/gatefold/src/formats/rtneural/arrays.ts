import { fail, sizeOf } from '@gatefold/runtime';
import type { PlainArray } from '../gates.ts';
import { show } from '../keras/json.ts';

/** Numbers above this in one array are no layer of a model that runs while it plays. */
const mostNumbers = 2 ** 26;

/** The shape that the first elements of nested lists have: what an array claims to be. */
export function claimedShape(value: unknown): number[] {
  const shape: number[] = [];
  for (let at = value; Array.isArray(at) && shape.length < 8; at = at[0]) shape.push(at.length);
  return shape;
}

/**
 * Nested lists of numbers of a shape; −1 stands for any length.
 * @throws MODEL_SHAPE, MODEL_VALUE naming `place`
 */
export function arrayOf(value: unknown, shape: readonly number[], place: string): PlainArray {
  const claimed = claimedShape(value);
  const fits =
    claimed.length === shape.length && shape.every((n, i) => n === claimed[i] || (n === -1 && claimed[i]! > 0));
  if (!fits || sizeOf(claimed) > mostNumbers) {
    fail('MODEL_SHAPE', 'an array of the file does not fit its layer', {
      place,
      expected: `[${shape.map((n) => (n === -1 ? 'any' : n)).join(', ')}]`,
      found: `[${claimed.join(', ')}]`,
    });
  }
  const data = new Float32Array(sizeOf(claimed));
  let at = 0;
  const fill = (list: unknown, depth: number): void => {
    if (depth === claimed.length) {
      if (typeof list !== 'number')
        fail('MODEL_VALUE', 'an array of the file holds no number', { place, found: show(list) });
      data[at++] = list;
      return;
    }
    if (!Array.isArray(list) || list.length !== claimed[depth]) {
      fail('MODEL_SHAPE', 'the rows of an array differ in length', { place, expected: `${claimed[depth]} values` });
    }
    for (const item of list) fill(item, depth + 1);
  };
  fill(value, 0);
  return { shape: claimed, data };
}
