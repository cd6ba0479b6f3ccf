import { fail } from '@gatefold/runtime';
import { type Command, Option } from 'commander';
import { criterionNames } from '../compress/prune/criteria.ts';
import { numberOption, wholeNumber } from './numbers.ts';
import { addPassTraining } from './pass-training.ts';
import { collect } from './quantize-options.ts';

/** `8x4` or `2:4`: two whole numbers. */
export function pair(place: string, sign: string, example: string): (text: string) => [number, number] {
  return (text) => {
    const parts = text.split(sign).map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
    if (parts.length === 2 && parts.every(Number.isSafeInteger)) return parts as [number, number];
    return fail('OPTION_INVALID', `option "${place}" does not fit`, {
      place,
      expected: `such as ${example}`,
      found: text,
    });
  };
}

function scanned(text: string): number[] {
  return text.split(',').map(share('--scan'));
}

export const share = (place: string) => numberOption(place, { above: 0, to: 1 });

/** Adds the options of the prune pass to a command. */
export function addPruneOptions(command: Command): Command {
  command
    .option('--sparsity <share>', 'share of the weights to remove', share('--sparsity'))
    .option('--threshold <x>', 'remove weights that score below this', numberOption('--threshold', { above: 0 }))
    .option('--pattern <n:m>', 'keep n of every m neighbours', pair('--pattern', ':', '2:4'))
    .option(
      '--units <n>',
      'hidden units each layer keeps: a share below 1, or a number',
      numberOption('--units', { above: 0 }),
    )
    .option(
      '--lasso <weight>',
      'with --epochs: units whose norms training brings to zero go',
      numberOption('--lasso', { above: 0 }),
    )
    .option('--multiple <n>', 'units: round to multiples of 1, 4, 8 or 16', wholeNumber('--multiple'))
    .addOption(
      new Option('--no-compensate', 'units: those who read removed units do not make up for them (spectral)').default(
        undefined,
      ),
    )
    .option(
      '--tokens <n>',
      'tokens the vocabulary keeps: the most frequent of the data (--train)',
      wholeNumber('--tokens', { from: 1 }),
    )
    .option('--unknown <symbol>', 'tokens: the one that stays and stands for those that go')
    .option('--block <rowsxcolumns>', 'what stays or goes together (default 8x4)', pair('--block', 'x', '8x4'))
    .addOption(
      new Option(
        '--criterion <name>',
        'what tells important weights (default magnitude); spectral for units, from data',
      ).choices([...criterionNames, 'spectral']),
    )
    .addOption(
      new Option('--scope <what>', 'what the share is of; measured: each gate loses what it can').choices([
        'gate',
        'matrix',
        'global',
        'measured',
      ]),
    )
    .option(
      '--scan [shares]',
      'only measure: what each matrix and gate can lose (default 0.5,0.7,0.8,0.9,0.95)',
      scanned,
    )
    .option('--diagonal', 'diagonals of recurrent matrices stay')
    .option('--reorder', 'hidden units change places first, so that large weights share blocks')
    .addOption(
      new Option('--schedule <shape>', 'with --epochs: how the share grows (default cubic)').choices([
        ...['cubic', 'linear', 'once', 'rigl'],
      ]),
    )
    .option('--ramp <end>', 'progress of training at which all is removed (default 0.6)', share('--ramp'))
    .option('--every <updates>', 'between two choices of what to remove', wholeNumber('--every', { from: 1 }))
    .option('--smallest <weights>', 'leave smaller matrices alone (default 4096)', wholeNumber('--smallest'))
    .option('--target <address>', 'only these weights: node/role[/gate], * as wildcard (repeatable)', collect)
    .option('--mixed <address=share>', 'another share for some weights, e.g. U/candidate=0.8 (repeatable)', collect);
  return addPassTraining(command, '', 'default: removed at once, not trained');
}
