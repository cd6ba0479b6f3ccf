import { fail } from '@gatefold/runtime';
import { type Command, Option } from 'commander';
import { schemes } from '../compress/quantize/options.ts';
import { numberOption, wholeNumber } from './numbers.ts';
import { addPassTraining } from './pass-training.ts';

export const bitsOf = (place: string) => wholeNumber(place, { from: 1, to: 16 });

/**
 * Reads `agreement=share` or `divergence=number`, both with a comma between them.
 * @throws OPTION_INVALID
 */
function searchBound(text: string): { agreement?: number; divergence?: number } {
  const entries = text.split(',').map((part): [string, number] => {
    const [name = '', value = ''] = part.split('=');
    if (name === 'agreement') return [name, numberOption('--search', { from: 0, to: 1 })(value)];
    if (name === 'divergence') return [name, numberOption('--search', { from: 0 })(value)];
    return fail('OPTION_INVALID', 'option "--search" does not fit', {
      place: '--search',
      expected: 'agreement=share or divergence=number',
      found: text,
    });
  });
  return Object.fromEntries(entries);
}

/**
 * Reads bits with a comma between them.
 * @throws OPTION_INVALID
 */
const bitsList = (text: string) => text.split(',').map(wholeNumber('--progressive', { from: 1, to: 8 }));

/** Gathers a repeatable option. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** Adds the options of the quantize pass to a command. */
export function addQuantizeOptions(command: Command): Command {
  command
    .option('--bits <n>', 'bits per weight, 1 to 16 (default 8)', bitsOf('--bits'))
    .addOption(new Option('--scheme <name>', 'how levels are placed').choices(schemes))
    .addOption(new Option('--rounding <how>', 'floor is the textbook formula').choices(['nearest', 'floor']))
    .option('--asymmetric', 'range from smallest to largest value instead of around zero')
    .addOption(new Option('--granularity <what>', 'what shares a scale').choices(['tensor', 'gate', 'row']))
    .addOption(new Option('--clip <how>', 'ranges by extremes or least squared error').choices(['max', 'mse']))
    .addOption(new Option('--scales <type>', 'type of stored scales').choices(['f16', 'f32']))
    .addOption(new Option('--vectors <type>', 'type of stored biases').choices(['f16', 'f32']))
    .addOption(
      new Option(
        '--operand <type>',
        'how inputs of products are coded; in a .tflite file with data: int8, int16 or float32 activations',
      ).choices(['u7', 'u14', 'f32']),
    )
    .addOption(new Option('--operand-scale <how>', 'scales of operands').choices(['auto', 'dynamic', 'static']))
    .addOption(
      new Option('--compensation <how>', 'obs: hand coding errors on, on calibration data').choices([
        'auto',
        'obs',
        'none',
      ]),
    )
    .option('--bias-correction', 'add what coded weights lose on average back to biases (needs data)')
    .option(
      '--search <bound>',
      'precision of each weight by measured sensitivity: agreement=0.995 or divergence=0.05, on the data of --calibrate',
      searchBound,
    )
    .addOption(new Option('--prefer <what>', 'search: what is cheap (default both)').choices(['size', 'speed', 'both']))
    .option('--qat', 'quantization-aware training on the data of --train')
    .option('--progressive <bits>', 'qat: bits on the way in the first half of the training, such as 8,4,3', bitsList)
    .option('--normalize', 'qat: train rows with weight normalization: for ternary and binary weights')
    .option('--target <address>', 'only these weights: node/role[/gate], * as wildcard (repeatable)', collect)
    .option('--mixed <address=bits>', 'other bits for some weights, e.g. U/forget=8 (repeatable)', collect);
  return addPassTraining(command, 'qat: ', 'default 3');
}
