import type { Activation, Cell, CellOptions, StepOps } from '@gatefold/runtime';
import { functions64 } from '../train/functions64.ts';

export type Values = Float64Array;

/** States of a cell by name; each [units], or as wide as its output. */
export type States = Readonly<Record<string, Values>>;

export function zeroStates(cell: Cell, { units, outputWidth }: CellOptions): States {
  return Object.fromEntries(
    cell.states.map(({ name, width }) => [name, new Float64Array(width === 'output' ? outputWidth : units)]),
  );
}

/** A cell's states after a step on x, whatever `ops` does beside its arithmetic. */
export function nextStates(ops: StepOps<Values>, cell: Cell, options: CellOptions, x: Values, states: States): States {
  const pre = ops.linear('W', x, options.has('b') ? { bias: 'b' } : {});
  return cell.step(ops, pre, states, options) as States;
}

/** The cells' own equations in float64: what every engine approximates. */
export class Float64Ops implements StepOps<Values> {
  private readonly weights: (role: string) => Values;
  private readonly units: number;
  private readonly gateCount: number;

  constructor(weights: (role: string) => Values, units: number, gateCount: number) {
    this.weights = weights;
    this.units = units;
    this.gateCount = gateCount;
  }

  linear(
    role: string,
    v: Values,
    { first = 0, count, add, bias }: { first?: number; count?: number; add?: Values; bias?: string } = {},
  ): Values {
    const matrix = this.weights(role);
    const rows = matrix.length / v.length;
    const gated = rows === this.units * this.gateCount;
    const from = gated ? first * this.units : 0;
    const out = new Float64Array(gated ? (count ?? this.gateCount) * this.units : rows);
    const shift = bias === undefined ? undefined : this.weights(bias);
    for (let i = 0; i < out.length; i++) {
      let sum = add?.[i] ?? shift?.[from + i] ?? 0;
      for (let k = 0; k < v.length; k++) sum += matrix[(from + i) * v.length + k]! * v[k]!;
      out[i] = sum;
    }
    return out;
  }

  gates(z: Values, first: number, count: number): Values {
    return z.subarray(first * this.units, (first + count) * this.units);
  }

  scale(role: string, gate: number, v: Values): Values {
    const row = this.gates(this.weights(role), gate, 1);
    return v.map((x, i) => x * row[i]!);
  }

  apply([name, ...parameters]: Activation, v: Values): Values {
    return v.map((x) => functions64(name, x, parameters));
  }

  add(a: Values, b: Values): Values {
    return a.map((x, i) => x + b[i]!);
  }

  multiply(a: Values, b: Values): Values {
    return a.map((x, i) => x * b[i]!);
  }
}
