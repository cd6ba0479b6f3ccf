import { type Command, Option } from 'commander';
import { type Task, tasks } from '../data/dataset.ts';
import { splitShares, wholeNumber } from './numbers.ts';

export interface DataFlags {
  readonly data?: string;
  readonly calibrate?: string;
  readonly task?: Task;
  readonly target?: string;
  readonly column?: string;
  readonly window?: number;
  readonly vocabulary?: string;
  readonly limit?: number;
  readonly blank?: number;
  readonly frontEnd?: string;
  readonly split?: readonly [number, number];
}

const dataHelp = `
Data:
  .npz        x, or an array per input name, and y; examples first: [examples, time, features].
              Sequences of different lengths: an array each, named x[0], x[1], …
  .npy        x alone
  .csv        a header, then numbers; --column (or the last) is what to predict, --window rows make an example
  .jsonl      a line per example: {"x": [[…], …], "y": …}
  folder      of .wav files: a sub-folder per class, or train, valid and test with such sub-folders; with :train, :valid
              or :test a folder without these is parted at random, the same each time
  .csv, .jsonl that name .wav files: columns path and label or text, or {"path": …, "label", "labels" or "text": …}
  .txt        the text of a language model; its symbols come from the model or from --vocabulary
  .js, .mjs   default: { name, task, count, inputs: { x: { shape, data } }, targets }, or (split) => the same;
              its evaluate(model) adds metrics of its own: model.run(inputs, { batch }) gives the outputs
Targets are class numbers or one-hot rows (classify: per example, label: per step), words in a .csv, values (regress), or
labels in order, as many as there are (transcribe: their places are learnt by CTC; --blank is the class of no label), or a 0
or 1 for every output (binary: tags, the keys of a chord; inferred from [examples, time, outputs] of them).
Behind a file's name, :train, :valid and :test are parts in the order of the file: --split says how large.`;

/** Adds the options that name data. */
export function addDataOptions(command: Command, required = false): Command {
  const text =
    'npz, npy, csv, jsonl, txt, a folder of .wav files or a JavaScript module; :train, :valid, :test choose a split';
  if (required) command.requiredOption('--data <source>', text);
  else command.option('--data <source>', text);
  return command
    .addOption(new Option('--task <task>', 'what the targets are, where that cannot be inferred').choices(tasks))
    .option('--column <name>', 'csv: the column to predict (default the last)')
    .option('--window <rows>', 'csv: rows per example', wholeNumber('--window', { from: 1 }))
    .option('--vocabulary <file>', 'txt: a JSON list of symbols by id')
    .option('--split <shares>', 'files: shares of :train and :valid, the rest is :test (default 0.8,0.1)', splitShares)
    .option('--limit <symbols>', 'txt: read only so many', wholeNumber('--limit', { from: 2 }))
    .option(
      '--blank <class>',
      'transcribe: the class that stands for no label (default the last)',
      wholeNumber('--blank', { from: 0 }),
    )
    .addHelpText('after', dataHelp);
}
