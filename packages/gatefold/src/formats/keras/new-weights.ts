import { fail } from '@gatefold/runtime';
import type { StoredArray, Supply } from './supply.ts';
import type { WeightSource } from './weight-source.ts';

/** Numbers of all weights together: a configuration of a few bytes may ask for any. */
const most = 2 ** 28;

/** Weights for a configuration that has none yet: zeros, to be filled by whoever trains it. */
export function newWeights(): WeightSource {
  let left = most;
  const supply: Supply = {
    take(shape, name): StoredArray {
      const size = shape.reduce((product, n) => product * n, 1);
      if (!shape.every((n) => Number.isSafeInteger(n) && n > 0)) {
        fail('MODEL_VALUE', 'a weight cannot have this shape', { place: name, found: `[${shape.join(', ')}]` });
      }
      left -= size;
      if (!(left >= 0)) {
        fail('FILE_TOO_LARGE', 'the configuration asks for too many weights', {
          place: name,
          expected: `at most ${most.toLocaleString('en-US')} numbers`,
          found: `[${shape.join(', ')}] and those before`,
        });
      }
      return { shape, data: new Float32Array(size) };
    },
    skip() {},
    part: () => supply,
    parts: () => () => supply,
  };
  return { supply, checkUsed() {} };
}
