import { Command, Option } from 'commander';
import { presets } from '../recipe/presets.ts';
import type { CompressFlags } from './commands/compress-flags.ts';
import { Context, type GlobalOptions } from './context.ts';
import { addDataOptions, type DataFlags } from './data-options.ts';
import { numberOption, wholeNumber } from './numbers.ts';
import { addPruneOptions, pair, share } from './prune-options.ts';
import { addQuantizeOptions, collect } from './quantize-options.ts';
import { addTrainOptions, type TrainFlags } from './train-options.ts';

const exitCodes = `
Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 unreadable or unsupported input, 4 done but the asked target
(--max-drop, --max-bytes, --assert) was not reached.`;
const architectureHelp = `
Layers of --arch, in order:
  embedding:WIDTH  lstm:UNITS  gru:UNITS  rnn:UNITS  bilstm:UNITS  bigru:UNITS  conv1d:FILTERS:SIZE
  layernorm  batchnorm
  dense:UNITS[:ACTIVATION]; the last is "dense" alone and takes its width from the data
  gatefold train --arch "embedding:64 lstm:256 dense" --data text.txt -o model.gatefold
Or a file: Keras' JSON (model.to_json()), or a model of any format that is read, whose network is taken and whose weights are new.`;
const engineNames = ['reference', 'simd128', 'relaxed'];

/**
 * The whole command line. Parsing throws instead of ending the process. What a command works with is loaded when it runs:
 * start-up is felt by every script that calls the command in a loop.
 */
export function buildProgram(signal: AbortSignal): Command {
  const program = new Command('gatefold')
    .description('Makes trained recurrent networks small and fast, and proves what that cost')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', exitCodes);
  const engine = () =>
    new Option('--engine <name>', 'what executes the model (default the fastest that runs here)').choices(engineNames);
  const command = (usage: string, description: string) =>
    program
      .command(usage)
      .description(description)
      .option('--json', 'one JSON document on standard output')
      .option('--quiet', 'no progress and no notes')
      .option('--force', 'overwrite outputs')
      .option(
        '--seed <n>',
        'seed of everything random (default 1)',
        wholeNumber('--seed', { from: 0, to: 2 ** 32 - 1 }),
      )
      .option(
        '--arch <what>',
        'architecture of a weights-only file: JSON of Keras, or YAML of inspect --template; for train, layers or a file',
      )
      .option('--weights <file>', 'a Keras .h5 whose weights the graph of the model is to have')
      .option('--fix <name=number>', 'a length or an input that the file leaves open (repeatable)', collect);
  const act =
    <F>(load: () => Promise<(context: Context, target: never, flags: F) => Promise<void>>) =>
    async (target: unknown, flags: F & GlobalOptions) => {
      const context = new Context(flags, signal);
      try {
        const action = await load();
        await action(context, target as never, flags);
      } finally {
        context.progress.done();
      }
    };

  command('inspect <model>', 'shows what is in a file, what it costs and whether it streams')
    .option('--template', 'print an architecture file for weights without a graph, to be completed')
    .action(act(async () => (await import('./commands/inspect.ts')).inspect));
  command('run <model>', 'runs a model on arrays')
    .requiredOption(
      '--input <file>',
      'an .npz with an array per input, [batch, time, features]; of a model of sounds also a .wav or a folder of them',
    )
    .requiredOption('-o, --output <file>', 'an .npz for the outputs')
    .addOption(engine())
    .option('--steps', 'one step at a time')
    .action(act(async () => (await import('./commands/run.ts')).run));
  command('convert <model>', 'writes a model in another format')
    .requiredOption('-o, --output <file>', 'the file to write; its extension tells the format')
    .option('--to <format>', 'where the extension does not say')
    .addOption(states())
    .action(act(async () => (await import('./commands/convert.ts')).convert));
  addDataOptions(command('eval <model>', "measures the task's metrics of a model on data"), true)
    .addOption(engine())
    .action(act<DataFlags & { engine?: string }>(async () => (await import('./commands/evaluate.ts')).evalModel));
  addDataOptions(command('compare <models...>', 'measures models side by side; the first is the reference'))
    .option('--html <file>', 'write the report as a page')
    .option(
      '--drift <steps>',
      'length of the stream on which drift is measured (default 1000; 0 for none)',
      wholeNumber('--drift', { from: 0, to: 100_000 }),
    )
    .addOption(engine())
    .action(act(async () => (await import('./commands/evaluate.ts')).compare));
  addQuantizeOptions(
    compressOptions(command('quantize <model>', 'makes a model with fewer bits per weight and integer arithmetic')),
  ).action(act<CompressFlags & Record<string, unknown>>(async () => (await import('./commands/compress.ts')).quantize));
  addPruneOptions(
    compressOptions(
      command('prune <model>', 'removes weights, so that the file and the step really become smaller'),
      false,
    ),
  ).action(act<CompressFlags & Record<string, unknown>>(async () => (await import('./commands/prune.ts')).prune));
  compressOptions(command('compress <model>', 'runs a recipe of passes and measures what it cost'))
    .option('--recipe <file>', 'YAML or JSON')
    .option('--preset <name>', 'a built-in recipe, see below')
    .addHelpText(
      'after',
      `\nPresets:\n${presets.map(({ name = '', description }) => `  ${name.padEnd(11)}${description}`).join('\n')}`,
    )
    .action(act<CompressFlags>(async () => (await import('./commands/compress.ts')).compress));
  addTrainOptions(addDataOptions(command('finetune <model>', 'goes on training a model on data'), true), 3).action(
    act<DataFlags & TrainFlags & { output: string }>(async () => (await import('./commands/train.ts')).finetune),
  );
  addTrainOptions(addDataOptions(command('train', 'trains a new model on data'), true), 10)
    .option('--sparsity <share>', 'train with so few weights from the first step on (RigL)', share('--sparsity'))
    .option(
      '--block <rowsxcolumns>',
      'with --sparsity: what stays or goes together (default 8x4)',
      pair('--block', 'x', '8x4'),
    )
    .option('--front-end <words>', 'sounds: such as "mfcc:13 window:30 hop:10" (default "mel:40 window:25 hop:10")')
    .addHelpText('after', architectureHelp)
    .action(async (flags: DataFlags & TrainFlags & GlobalOptions & { output: string }) => {
      const { trainNew } = await import('./commands/train.ts');
      await act<typeof flags>(async () => (context, _, given) => trainNew(context, given))(undefined, flags);
    });
  command('bench <models...>', 'times models in turns: µs per step, cold start')
    .addOption(engine())
    .option('--rate <hz>', 'steps per second of the signal, for × real time', numberOption('--rate', { above: 0 }))
    .option(
      '--assert <ratio>',
      'fail unless the last model is so many times as fast as the first',
      numberOption('--assert', { above: 0 }),
    )
    .action(act(async () => (await import('./commands/bench.ts')).bench));
  program
    .command('schema')
    .description('prints the JSON Schema of recipes')
    .action(async () => {
      const { recipeJsonSchema } = await import('../recipe/index.ts');
      process.stdout.write(`${JSON.stringify(recipeJsonSchema(), undefined, 2)}\n`);
    });
  return program;
}

/** Where .onnx and .tflite files keep the states of recurrent cells. */
function states(): Option {
  return new Option(
    '--states <where>',
    '.onnx, .tflite: states are inputs and outputs, or start at zero in every call (default: as the model came; .tflite: in variables)',
  ).choices(['ports', 'none']);
}

function compressOptions(command: Command, writes = true): Command {
  addDataOptions(command);
  const output = ['-o, --output <file>', 'the file to write; its extension tells the format'] as const;
  return (writes ? command.requiredOption(...output) : command.option(...output))
    .option('--calibrate <source>', 'data for operand ranges and bias correction')
    .option('--train <source>', 'data to learn from, for steps that train')
    .option(
      '--threads <n>',
      'processors to train with (default 1; results depend on the number)',
      wholeNumber('--threads', { from: 1, to: 64 }),
    )
    .option('--resume', 'go on from what an interrupted run left in OUTPUT.checkpoint and OUTPUT.checkpoint.steps')
    .addOption(states())
    .option('--integer-ports', 'a .tflite file with data: inputs and outputs are integers too, as on microcontrollers')
    .option('--html <file>', 'write the report as a page')
    .option(
      '--max-drop <points>',
      'fail if the metric drops by more (accuracy: points; others: per cent)',
      numberOption('--max-drop', { from: 0 }),
    )
    .option('--max-bytes <n>', 'fail if the file is larger', wholeNumber('--max-bytes', { from: 1 }));
}
