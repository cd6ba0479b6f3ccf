import { type Command, Option } from 'commander';
import type { Task } from '../data/index.ts';
import { wholeNumber } from './numbers.ts';

export interface DataFlags {
  readonly data?: string;
  readonly calibrate?: string;
  readonly task?: Task;
  readonly target?: string;
  readonly column?: string;
  readonly window?: number;
  readonly vocabulary?: string;
  readonly limit?: number;
}

/** Adds the options that name data. */
export function addDataOptions(command: Command, required = false): Command {
  const text = 'npz, npy, csv, jsonl, txt or a JavaScript module; :train, :valid, :test choose a split';
  if (required) command.requiredOption('--data <source>', text);
  else command.option('--data <source>', text);
  return command
    .addOption(
      new Option('--task <task>', 'where it cannot be inferred').choices([
        'classify',
        'label',
        'language',
        'regress',
        'custom',
      ]),
    )
    .option('--column <name>', 'csv: the column to predict (default the last)')
    .option('--window <rows>', 'csv: rows per example', wholeNumber('--window', { from: 1 }))
    .option('--vocabulary <file>', 'txt: a JSON list of symbols by id')
    .option('--limit <symbols>', 'txt: read only so many', wholeNumber('--limit', { from: 2 }));
}
