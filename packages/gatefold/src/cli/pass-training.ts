import { fail } from '@gatefold/runtime';
import type { Command } from 'commander';
import { numberOption, wholeNumber } from './numbers.ts';

/** Options of passes that can train; `label` stands before their descriptions, `otherwise` says what is without `--epochs`. */
export function addPassTraining(command: Command, label: string, otherwise: string): Command {
  return command
    .option(
      '--epochs <n>',
      `${label}passes over the data of --train (${otherwise})`,
      wholeNumber('--epochs', { from: 1 }),
    )
    .option(
      '--batch <n>',
      `${label}examples per step; streams of a text (default 32)`,
      wholeNumber('--batch', { from: 1 }),
    )
    .option(
      '--bptt <steps>',
      `${label}steps of a text to differentiate through (default 64)`,
      wholeNumber('--bptt', { from: 1 }),
    )
    .option('--rate <x>', `${label}learning rate (default 0.001)`, numberOption('--rate', { above: 0 }))
    .option(
      '--distill <share>',
      `${label}share of the loss that is the model's before the pass`,
      numberOption('--distill', { from: 0, to: 1 }),
    )
    .option(
      '--temperature <x>',
      `${label}divides the logits of model and teacher in what is distilled (default 2)`,
      numberOption('--temperature', { above: 0 }),
    )
    .option(
      '--hold-out <share>',
      `${label}share of --train that chooses the best epoch (default 0.1; 0: the last one counts)`,
      numberOption('--hold-out', { from: 0, to: 1 }),
    );
}

export const passTrainingOptions = ['epochs', 'batch', 'bptt', 'rate', 'distill', 'temperature', 'holdOut'] as const;

/** Those that were given. */
export function passTraining(options: Record<string, unknown>): Record<string, unknown> {
  const given = passTrainingOptions.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

/** @throws OPTION_INVALID for the first of these options that was given, although what it is for was not */
export function refuseIdle(options: Record<string, unknown>, names: readonly string[], what: string): void {
  const idle = names.find((name) => options[name] !== undefined);
  if (!idle) return;
  const place = `--${idle.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  fail('OPTION_INVALID', `option "${place}" is for ${what}`, { place });
}
