import { fail, type Model, type Port, showValue, validate } from '@gatefold/runtime';
import type { FixedValue, ReadOptions } from './types.ts';

/** What a person can do about an open number of steps. */
export const stepsHint = 'give the model a fixed number of steps: --fix time=number';

/** What the caller fixed, and what of it was found. */
export class Fixed {
  private readonly values: ReadonlyMap<string, FixedValue>;
  private readonly used = new Set<string>();

  constructor(fix: ReadOptions['fix']) {
    this.values = new Map(Object.entries(fix ?? {}));
  }

  get(name: string): FixedValue | undefined {
    if (this.values.has(name)) this.used.add(name);
    return this.values.get(name);
  }

  /** A length: a positive whole number. @throws OPTION_INVALID */
  length(name: string): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 1 << 24) {
      fail('OPTION_INVALID', 'a length must be a positive whole number', {
        place: `--fix ${name}`,
        found: showValue(value),
      });
    }
    return value;
  }

  /** @throws OPTION_INVALID for names that the file does not have */
  checkUsed(known: readonly string[]): void {
    const odd = [...this.values.keys()].find((name) => !this.used.has(name));
    if (odd !== undefined) {
      fail('OPTION_INVALID', 'there is no such input or length to fix', {
        place: `--fix ${odd}`,
        expected: known.join(', ') || 'nothing: the file leaves none open',
      });
    }
  }
}

/**
 * Input ports of as many steps as the caller says: `time` for all that leave them open, `port[1]` for one. A length that a
 * port already has may be said again.
 * @throws OPTION_INVALID for other names
 */
export function fixSteps(ports: readonly Port[], fix: ReadOptions['fix']): Port[] {
  const fixed = new Fixed(fix);
  const open = ports.filter(({ shape }) => shape[1] === 'time');
  const out = ports.map((port): Port => {
    const [batch, time, ...rest] = port.shape;
    if (time !== 'time' && fix?.[`${port.name}[1]`] !== time && fix?.time !== time) return port;
    const length = fixed.length(`${port.name}[1]`) ?? fixed.length('time');
    if (time !== 'time' || length === undefined) return port;
    // A fixed number of ids needs a second dimension to be told from as many features.
    return { ...port, shape: [batch!, length, ...(rest.length > 0 ? rest : [1])] };
  });
  fixed.checkUsed(open.length > 0 ? ['time', ...open.map(({ name }) => `${name}[1]`)] : []);
  return out;
}

/**
 * The model, its first graph with inputs of as many steps as {@link fixSteps} says.
 * @throws OPTION_INVALID, MODEL_SHAPE where the model cannot have so many
 */
export function withFixedSteps(model: Model, fix: ReadOptions['fix']): Model {
  if (fix === undefined || Object.keys(fix).length === 0) return model;
  const [[name, graph] = fail('MODEL_INVALID', 'the model has no graph')] = Object.entries(model.graphs);
  const fixed = { ...graph, inputs: fixSteps(graph.inputs, fix) };
  return validate({ ...model, graphs: { ...model.graphs, [name]: fixed } });
}
