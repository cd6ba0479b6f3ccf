import { Command, Option } from 'commander';
import { presets, recipeJsonSchema } from '../recipe/index.ts';
import { bench } from './commands/bench.ts';
import { type CompressFlags, compress, quantize } from './commands/compress.ts';
import { convert } from './commands/convert.ts';
import { compare, evalModel } from './commands/evaluate.ts';
import { inspect } from './commands/inspect.ts';
import { engineNames, run } from './commands/run.ts';
import { Context, type GlobalOptions } from './context.ts';
import { addDataOptions, type DataFlags } from './data-options.ts';
import { addQuantizeOptions, wholeNumber } from './quantize-options.ts';

const collect = (text: string, before: readonly string[]) => [...before, text];

/** The whole command line. Parsing throws instead of ending the process. */
export function buildProgram(signal: AbortSignal): Command {
  const program = new Command('gatefold')
    .description('Makes trained recurrent networks small and fast, and proves what that cost')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError('(gatefold --help shows the commands)');
  const engine = () => new Option('--engine <name>', 'what executes the model').choices(engineNames);
  const command = (usage: string, description: string) =>
    program
      .command(usage)
      .description(description)
      .option('--json', 'one JSON document on standard output')
      .option('--quiet', 'no progress and no notes')
      .option('--force', 'overwrite outputs')
      .option('--seed <n>', 'for everything random', wholeNumber)
      .option('--arch <file>', 'architecture JSON beside a weights-only file')
      .option('--fix <name=number>', 'a length or an input that the file leaves open; may be repeated', collect, []);
  const act =
    <F>(action: (context: Context, target: never, flags: F) => Promise<void>) =>
    (target: unknown, flags: F & GlobalOptions) =>
      action(new Context(flags, signal), target as never, flags);

  command('inspect <model>', 'what is in a file').action(act(inspect));
  command('run <model>', 'inference on arrays')
    .requiredOption('--input <file>', 'an .npz with an array per input, [batch, time, features]')
    .requiredOption('-o, --output <file>', 'an .npz for the outputs')
    .addOption(engine())
    .option('--steps', 'one step at a time')
    .action(act(run));
  command('convert <model>', 'another format')
    .requiredOption('-o, --output <file>', 'the file to write; its extension tells the format')
    .option('--to <format>', 'where the extension does not say')
    .action(act(convert));
  addDataOptions(command('eval <model>', "the task's metrics on a model"), true)
    .addOption(engine())
    .action(act<DataFlags & { engine?: string }>(evalModel));
  addDataOptions(command('compare <models...>', 'models side by side; the first is the reference'))
    .option('--html <file>', 'write the report as a page')
    .option('--drift <steps>', 'length of the stream on which drift is measured (default 1000)')
    .addOption(engine())
    .action(act(compare));
  addQuantizeOptions(compressOptions(command('quantize <model>', 'fewer bits per weight, integer arithmetic'))).action(
    act<CompressFlags & Record<string, unknown>>(quantize),
  );
  compressOptions(command('compress <model>', 'a chain of passes, measured'))
    .option('--recipe <file>', 'YAML or JSON')
    .addOption(
      new Option('--preset <name>', presets.map(({ name, description }) => `${name}: ${description}`).join('; ')),
    )
    .action(act<CompressFlags>(compress));
  command('bench <models...>', 'µs per step, in turns')
    .addOption(engine())
    .option('--rate <hz>', 'steps per second of the signal, for × real time')
    .option('--assert <ratio>', 'fail unless the last model is so many times as fast as the first')
    .action(act(bench));
  program
    .command('schema')
    .description('the JSON Schema of recipes')
    .action(() => {
      process.stdout.write(`${JSON.stringify(recipeJsonSchema(), undefined, 2)}\n`);
    });
  return program;
}

function compressOptions(command: Command): Command {
  return addDataOptions(command)
    .requiredOption('-o, --output <file>', 'the file to write; its extension tells the format')
    .option('--calibrate <source>', 'data for operand ranges and bias correction')
    .option('--html <file>', 'write the report as a page')
    .option('--max-drop <points>', 'fail if the metric drops by more (accuracy: points; others: per cent)')
    .option('--max-bytes <n>', 'fail if the file is larger');
}
