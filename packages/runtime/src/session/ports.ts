import { fail } from '../errors/index.ts';
import type { Program, ProgramPort } from '../lower/index.ts';
import { hasTime } from '../model/index.ts';

/** Numbers a caller hands in: typed or plain arrays, row-major. */
export type Numbers = ArrayLike<number>;

/** One array where the model has one input, else an array per input name. */
export type Inputs = Numbers | Readonly<Record<string, Numbers>>;

export function isSequencePort({ times }: Program, port: ProgramPort): boolean {
  return hasTime(times[port.time]!);
}

/** The array for each input port, in port order. */
export function arraysOf(program: Program, inputs: Inputs): Numbers[] {
  if (isNumbers(inputs)) {
    if (program.inputs.length !== 1) {
      fail('INPUT_SHAPE', 'the model has several inputs: give an array per name', {
        expected: program.inputs.map((port) => port.name).join(', '),
        found: 'one array',
      });
    }
    return [inputs];
  }
  for (const name of Object.keys(inputs)) {
    if (!program.inputs.some((port) => port.name === name)) {
      fail('INPUT_SHAPE', `the model has no input "${name}"`, {
        expected: program.inputs.map((port) => port.name).join(', '),
      });
    }
  }
  return program.inputs.map(
    (port) => inputs[port.name] ?? fail('INPUT_SHAPE', `no array for input "${port.name}"`, { place: port.name }),
  );
}

export function isNumbers(inputs: unknown): inputs is Numbers {
  return Array.isArray(inputs) || ArrayBuffer.isView(inputs);
}

/** Steps per batch element that an array of the port holds. */
export function stepsOf(port: ProgramPort, length: number, batch: number): number {
  const steps = length / (port.width * batch);
  if (!Number.isInteger(steps) || steps < 1) {
    fail('INPUT_SHAPE', `input "${port.name}" has the wrong number of values`, {
      place: port.name,
      expected: `a multiple of ${batch} × ${port.width}, at least one step each`,
      found: `${length}`,
    });
  }
  return steps;
}
