import { GatefoldError, type Model } from '@gatefold/runtime';
import type { PassContext } from '../pass.ts';
import { prepareCut } from './at-once.ts';
import { type PruneOptions, refuse, type Settled, settle } from './options.ts';
import { type Chosen, chooseMatrices } from './select.ts';

/** How a model does when one matrix, or one gate of it, loses a share of its weights and everything else stays. */
export interface ScannedPlace {
  /** `node/role` or `node/role/gate`. */
  readonly place: string;
  readonly weights: number;
  /** Of each share, what the judge said; undefined where nothing would have been left. */
  readonly values: readonly (number | undefined)[];
}

/**
 * Measures, matrix by matrix and gate by gate, what removing each of the shares at once costs, without training.
 * @throws OPTION_INVALID, TARGET_EMPTY, DATA_INVALID as pruning does
 */
export async function scanSensitivity(
  model: Model,
  shares: readonly number[],
  options: PruneOptions,
  context: PassContext,
  judge: (model: Model) => Promise<number>,
): Promise<ScannedPlace[]> {
  if (shares.length === 0 || shares.some((share) => !(share > 0 && share < 1))) {
    refuse('scan', 'shares above 0 and below 1', shares.join(', '));
  }
  const settled = settle({ ...options, sparsity: shares[0]! }, false);
  const { chosen } = chooseMatrices(model, settled);
  const singles = chosen.flatMap((matrix) => {
    const without = cutShares(model, matrix, settled, context);
    return apart(matrix).map((one) => ({ ...one, without }));
  });
  const out: ScannedPlace[] = [];
  for (const [i, { name, matrix, without }] of singles.entries()) {
    const values: (number | undefined)[] = [];
    for (const [k, share] of shares.entries()) {
      context.signal?.throwIfAborted();
      context.onProgress?.(i * shares.length + k, singles.length * shares.length, name);
      const pruned = without(matrix, share);
      values.push(pruned && (await judge(pruned)));
    }
    const gates = matrix.shares.filter((share) => share !== undefined).length;
    out.push({ place: name, weights: gates * matrix.gateRows * matrix.columns, values });
  }
  return out;
}

/**
 * Looks at one matrix once; what comes back removes a share of it, or of those of its gates that have one, and nothing else. Undefined
 * where nothing would be left: a small gate may hold fewer blocks than the share needs.
 */
export function cutShares(
  model: Model,
  matrix: Chosen,
  settled: Settled,
  context: PassContext,
): (matrix: Chosen, share: number) => Model | undefined {
  const cut = prepareCut(model, [matrix], settled, { ...context, onProgress: undefined });
  return (part, share) => {
    const own = { ...part, shares: part.shares.map((gate) => (gate === undefined ? undefined : share)) };
    try {
      return cut([own], { ...settled, scope: 'gate', amount: { kind: 'sparsity', share } }).model;
    } catch (error) {
      if (error instanceof GatefoldError && error.code === 'OPTION_INVALID') return undefined;
      throw error;
    }
  };
}

/** The matrix, and each of its gates alone where it has several. */
function apart(matrix: Chosen): { name: string; matrix: Chosen }[] {
  const { place, shares } = matrix;
  const name = `${place.node.name}/${place.role}`;
  const gates = place.gates ?? [];
  if (gates.length < 2) return [{ name, matrix }];
  return [
    { name, matrix },
    ...gates.flatMap((gate, i) => {
      if (shares[i] === undefined) return [];
      return [
        {
          name: `${name}/${gate}`,
          matrix: { ...matrix, shares: shares.map((share, k) => (k === i ? share : undefined)) },
        },
      ];
    }),
  ];
}
