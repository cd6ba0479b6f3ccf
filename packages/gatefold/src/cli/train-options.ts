import { type Command, Option } from 'commander';
import { numberOption, wholeNumber } from './numbers.ts';
import { collect } from './quantize-options.ts';

/** What every command that trains is told. */
export interface TrainFlags {
  readonly valid?: string;
  readonly holdOut?: number;
  readonly epochs?: number;
  readonly batch?: number;
  readonly window?: number;
  readonly bptt?: number;
  readonly optimizer?: 'adam' | 'sgd';
  readonly rate?: number;
  readonly momentum?: number;
  readonly decay?: number;
  readonly clip?: number;
  readonly schedule?: 'constant' | 'step' | 'cosine' | 'oneCycle' | 'plateau';
  readonly warmup?: number;
  readonly loss?: 'squared' | 'absolute' | 'huber';
  readonly smoothing?: number;
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  readonly averageFrom?: number;
  readonly patience?: number;
  readonly freeze?: readonly string[];
  readonly teacher?: string;
  readonly teacherShare?: number;
  readonly temperature?: number;
  readonly threads?: number;
  readonly log?: string;
  readonly checkpoint?: string;
  readonly resume?: boolean;
  readonly sparsity?: number;
  readonly block?: [number, number];
}

const share = (place: string) => numberOption(place, { from: 0, to: 0.95 });
const positive = (place: string) => numberOption(place, { above: 0 });

/** Adds them; `epochs` is the default. */
export function addTrainOptions(command: Command, epochs: number): Command {
  return command
    .requiredOption('-o, --output <file>', 'the file to write; its extension tells the format')
    .option('--valid <source>', 'data that judge the model after each epoch')
    .option(
      '--hold-out <share>',
      'without --valid: share of the data to judge with (default 0.1; 0: learn from all, keep the last epoch)',
      share('--hold-out'),
    )
    .option('--epochs <n>', `passes over the data (default ${epochs})`, wholeNumber('--epochs', { from: 1 }))
    .option('--batch <n>', 'examples per step; streams of a text (default 32)', wholeNumber('--batch', { from: 1 }))
    .option(
      '--bptt <steps>',
      'steps of a text to differentiate through (default 64)',
      wholeNumber('--bptt', { from: 1 }),
    )
    .addOption(new Option('--optimizer <name>', 'default adam').choices(['adam', 'sgd']))
    .option('--rate <x>', 'learning rate (default 0.001 for adam, 0.1 for sgd)', positive('--rate'))
    .option('--momentum <x>', 'sgd: share of the last step that goes on', share('--momentum'))
    .option('--decay <x>', 'weight decay', numberOption('--decay', { from: 0 }))
    .option(
      '--clip <norm>',
      'largest norm of the gradient (default 1; 0 for none)',
      numberOption('--clip', { from: 0 }),
    )
    .addOption(
      new Option('--schedule <name>', 'how the rate moves (default cosine)').choices([
        'constant',
        'step',
        'cosine',
        'oneCycle',
        'plateau',
      ]),
    )
    .option('--warmup <steps>', 'steps over which the rate rises first', wholeNumber('--warmup', { from: 0 }))
    .addOption(new Option('--loss <name>', 'for numbers (default squared)').choices(['squared', 'absolute', 'huber']))
    .option('--smoothing <share>', 'of a class target, spread over all classes', share('--smoothing'))
    .option('--dropout <share>', 'of the inputs of inner layers', share('--dropout'))
    .option('--recurrent-dropout <share>', 'of the recurrent state', share('--recurrent-dropout'))
    .option(
      '--average-from <epoch>',
      'average the weights from this epoch on',
      wholeNumber('--average-from', { from: 1 }),
    )
    .option('--patience <epochs>', 'stop after so many without improvement', wholeNumber('--patience', { from: 1 }))
    .option('--freeze <address>', 'weights that stay: node/role, * as wildcard (repeatable)', collect)
    .option('--teacher <model>', 'a model whose outputs are targets too')
    .option(
      '--teacher-share <share>',
      "of the loss that is the teacher's (default 0.5)",
      numberOption('--teacher-share', { from: 0, to: 1 }),
    )
    .option('--temperature <t>', "of the teacher's outputs (default 2)", positive('--temperature'))
    .option(
      '--threads <n>',
      'processors to use (default 1; results depend on the number)',
      wholeNumber('--threads', { from: 1, to: 64 }),
    )
    .option('--log <file>', 'append a JSON line per step and epoch')
    .option('--checkpoint <file>', 'where to keep what an interrupted run goes on from (default OUTPUT.checkpoint)')
    .option('--resume', 'go on from the checkpoint');
}
