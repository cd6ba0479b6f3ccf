import { GatefoldError, type Model } from '@gatefold/runtime';
import type { PassContext } from '../pass.ts';
import { pruneAtOnce } from './at-once.ts';
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
  const singles = chosen.flatMap(apart);
  const out: ScannedPlace[] = [];
  for (const [i, { name, matrix }] of singles.entries()) {
    const onProgress = (done: number) =>
      context.onProgress?.(i * shares.length + done, singles.length * shares.length, name);
    const values = await scanShares(model, matrix, shares, settled, { ...context, onProgress }, judge);
    const gates = matrix.shares.filter((share) => share !== undefined).length;
    out.push({ place: name, weights: gates * matrix.gateRows * matrix.columns, values });
  }
  return out;
}

/** One matrix, or some of its gates, without each of the shares; undefined where nothing would be left. */
export async function scanShares(
  model: Model,
  matrix: Chosen,
  shares: readonly number[],
  settled: Settled,
  context: PassContext,
  judge: (model: Model) => Promise<number>,
): Promise<(number | undefined)[]> {
  const quiet = { ...context, onProgress: undefined };
  const values: (number | undefined)[] = [];
  for (const [k, share] of shares.entries()) {
    context.signal?.throwIfAborted();
    context.onProgress?.(k, shares.length, matrix.place.node.name);
    const own = { ...matrix, shares: matrix.shares.map((gate) => (gate === undefined ? undefined : share)) };
    let pruned: Model | undefined;
    try {
      const amount = { kind: 'sparsity', share } as const;
      pruned = pruneAtOnce(model, [own], { ...settled, scope: 'gate', amount }, quiet).model;
    } catch (error) {
      // A small gate may hold fewer blocks than the share needs: that is an answer, too.
      if (!(error instanceof GatefoldError) || error.code !== 'OPTION_INVALID') throw error;
    }
    values.push(pruned && (await judge(pruned)));
  }
  return values;
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
