import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, GatefoldError } from '@gatefold/runtime';
import { checkDataset, type Dataset, type Task, tasks } from '../data/index.ts';

/**
 * The data set that a JavaScript module exports, or makes for a split; `evaluate` may stand in the data set or be an
 * export beside it.
 * @throws DATA_INVALID, FILE_READ
 */
export async function datasetFromModule(path: string, split: string | undefined, task?: Task): Promise<Dataset> {
  if (!existsSync(path)) fail('FILE_READ', 'the file cannot be read', { place: path, found: 'no such file' });
  let made: unknown;
  let evaluate: unknown;
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown; evaluate?: unknown };
    made = typeof module.default === 'function' ? await module.default(split ?? 'test') : module.default;
    evaluate = module.evaluate;
  } catch (error) {
    if (error instanceof GatefoldError) throw error;
    fail('DATA_INVALID', 'the module failed', { place: path, found: String(error) });
  }
  return checkModuleData(path, made, evaluate, task);
}

/** A module is code of the user's: what it hands over has every type but the one that was agreed. */
function checkModuleData(path: string, made: unknown, evaluate: unknown, asked: Task | undefined): Dataset {
  const refuse = (message: string, place: string, expected: string): never =>
    fail('DATA_INVALID', message, { place: `${path}${place}`, expected });
  const isExamples = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    'shape' in value &&
    Array.isArray(value.shape) &&
    value.shape.every((n) => Number.isInteger(n) && n >= 0) &&
    'data' in value &&
    value.data instanceof Float32Array;
  if (typeof made !== 'object' || made === null || !('inputs' in made) || !('count' in made)) {
    return refuse(
      'the module exports no data set',
      '',
      'default: { name, task, count, inputs, targets } or (split) => …',
    );
  }
  const given = made as Partial<Record<keyof Dataset, unknown>>;
  const examples = 'Float32Array data and their shape';
  if (typeof given.inputs !== 'object' || given.inputs === null)
    return refuse('inputs are missing', ': inputs', '{ x }');
  for (const [name, value] of Object.entries(given.inputs)) {
    if (!isExamples(value)) refuse('an input is no array of examples', `: inputs.${name}`, examples);
  }
  if (given.targets !== undefined && !isExamples(given.targets)) {
    refuse('the targets are no array of examples', ': targets', examples);
  }
  const task = asked ?? given.task ?? 'custom';
  if (!tasks.includes(task as Task)) refuse('the task is unknown', ': task', tasks.join(', '));
  const own = given.evaluate ?? evaluate;
  if (own !== undefined && typeof own !== 'function') refuse('evaluate is no function', ': evaluate', '(model) => …');
  return checkDataset({
    ...(made as Dataset),
    name: String(given.name ?? basename(path)),
    task: task as Task,
    ...(own ? { evaluate: own as NonNullable<Dataset['evaluate']> } : {}),
  });
}
