import { fail, GatefoldError, type Session } from '@gatefold/runtime';
import type { Dataset } from '../data/index.ts';

/**
 * What the data's own `evaluate` says of a model; nothing where the data have none.
 * @throws DATA_INVALID where it fails, or returns anything but finite numbers under names that are not taken
 */
export async function ownMetrics(
  dataset: Dataset,
  name: string,
  session: Session,
  taken: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  if (!dataset.evaluate) return {};
  const place = `${dataset.name}: evaluate`;
  const port = (given: { readonly name: string; readonly shape: readonly (number | string)[] }) => ({
    name: given.name,
    shape: given.shape,
  });
  let found: unknown;
  try {
    found = await dataset.evaluate({
      name,
      inputs: session.inputs.map(port),
      outputs: session.outputs.map(port),
      run: (inputs, { batch = 1 } = {}) => session.run(inputs, { batch }),
    });
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    fail('DATA_INVALID', "the data's own evaluate failed", { place, found: String(error) });
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    fail('DATA_INVALID', "the data's own evaluate returned no metrics", { place, expected: '{ name: number, … }' });
  }
  for (const [metric, value] of Object.entries(found)) {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      fail('DATA_INVALID', 'a metric is no finite number', { place: `${place}.${metric}`, found: String(value) });
    }
    if (Object.hasOwn(taken, metric)) {
      fail('DATA_INVALID', 'a metric has the name of one of the task', {
        place: `${place}.${metric}`,
        expected: `none of ${Object.keys(taken).join(', ')}`,
      });
    }
  }
  return found as Record<string, number>;
}
