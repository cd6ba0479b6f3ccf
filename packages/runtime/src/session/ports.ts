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

/** The array for each input port, in port order; `into` is filled anew. */
export function arraysOf({ inputs: ports }: Program, inputs: Inputs, into: Numbers[] = []): Numbers[] {
  if (isNumbers(inputs)) {
    if (ports.length !== 1) {
      fail('INPUT_SHAPE', 'the model has several inputs: give an array per name', {
        expected: listed(ports),
        found: 'one array',
      });
    }
    into[0] = inputs;
    return into;
  }
  // Written without closures and lists of names: stepping must not allocate.
  for (const name in inputs) {
    if (Object.hasOwn(inputs, name) && !isPort(ports, name)) {
      fail('INPUT_SHAPE', `the model has no input "${name}"`, { expected: listed(ports) });
    }
  }
  for (let i = 0; i < ports.length; i++) {
    const { name } = ports[i]!;
    into[i] = inputs[name] ?? fail('INPUT_SHAPE', `no array for input "${name}"`, { place: name });
  }
  return into;
}

function isPort(ports: readonly ProgramPort[], name: string): boolean {
  for (let i = 0; i < ports.length; i++) if (ports[i]!.name === name) return true;
  return false;
}

function listed(ports: readonly ProgramPort[]): string {
  return ports.map(({ name }) => name).join(', ');
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
