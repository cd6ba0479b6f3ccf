import {
  type AffineEncoding,
  fail,
  type LevelsEncoding,
  type OperandCoding,
  roundTo,
  type Weight,
} from '@gatefold/runtime';
import type { Backend, Matrix, OperandCodes, WeightCodes } from './backend/types.ts';
import type { Parameter } from './parameter.ts';
import type { Var } from './tape.ts';

/** Scales are kept normal numbers. */
const smallest = { f32: 2 ** -100, f16: 2 ** -14 };

/** How the codes of an encoding are made, and back. */
interface Coder {
  readonly codes: Omit<WeightCodes, 'scales'>;
  /** The code that means a level, for rows of a table. */
  readonly codeOf: (level: number, row: number) => number;
}

/**
 * A weight that is trained as its codes: forward with the values that the engines will multiply, backward through the rounding
 * as if it were not there (Bengio et al. 2013), with steps that are learnt too (Esser et al. 2020). Their logarithms are,
 * so that a rate means the same for large and small weights.
 */
export class CodedWeight {
  readonly name: string;
  /** What the products of the graph see. */
  readonly variable: Var;
  /** log(scale / first scale) of each group. */
  readonly step: Parameter;
  private readonly backend: Backend;
  private readonly master: Parameter;
  private readonly weight: Weight;
  private readonly encoding: AffineEncoding | LevelsEncoding;
  private readonly coder: Coder;
  private readonly scales: Matrix;
  private readonly effective: Matrix;
  private readonly slope: Matrix;

  /** @throws MODEL_UNSUPPORTED for codes other than linear ones around zero, or tables */
  constructor(backend: Backend, master: Parameter, weight: Weight) {
    const { encoding, input } = weight;
    if (encoding.kind === 'dense' || encoding.kind === 'concat') refuse(master.name, encoding.kind);
    const { rows, cols } = master.value;
    const groups = encoding.scales.length;
    this.backend = backend;
    this.name = master.name;
    this.master = master;
    this.weight = weight;
    this.encoding = encoding;
    this.coder = encoding.kind === 'affine' ? affineCoder(encoding, master.name) : levelsCoder(encoding, backend);
    this.step = {
      name: `${master.name}#step`,
      shape: [groups],
      value: backend.alloc(1, groups),
      gradient: backend.alloc(1, groups),
    };
    backend.fill(this.step.value, 0);
    this.scales = backend.alloc(1, groups);
    this.effective = backend.alloc(rows, cols);
    this.slope = backend.alloc(rows, cols);
    const operand = operandCodes(input);
    this.variable = {
      value: this.effective,
      tracked: true,
      gradient: () => this.slope,
      ...(operand ? { operand } : {}),
    };
  }

  private get codes(): WeightCodes {
    return { ...this.coder.codes, scales: this.scales };
  }

  prepare(): void {
    this.backend.write(this.scales, this.scalesFor(this.backend.read(this.step.value)));
    this.backend.fakeQuantize(this.master.value, this.codes, this.effective);
    this.backend.fill(this.slope, 0);
  }

  finish(): void {
    this.backend.fakeQuantizeGradient(
      ...([this.master.value, this.codes, this.slope, this.master.gradient, this.step.gradient] as const),
    );
  }

  private scalesFor(steps: ArrayLike<number>): Float32Array {
    const { scales, scaleType } = this.encoding;
    const out = scales.map((scale, i) => {
      const size = Math.max(Math.abs(scale) * Math.exp(steps[i]!), smallest[scaleType]);
      // A negative scale puts the code without a counterpart at the largest positive weight.
      return scale < 0 ? -size : size;
    });
    return scaleType === 'f16' ? roundTo('f16', out) : out;
  }

  /** The weight with the codes that the products see at these values. */
  bake(values: Float32Array, steps: Float32Array): Weight {
    const { backend, encoding, coder } = this;
    const scales = this.scalesFor(steps);
    const { cols } = this.effective;
    // Both are made anew before the next batch.
    backend.write(this.slope, values);
    backend.write(this.scales, scales);
    backend.fakeQuantize(this.slope, this.codes, this.effective);
    const made = backend.read(this.effective);
    const codes = encoding.kind === 'affine' ? new Int8Array(made.length) : new Uint8Array(made.length);
    for (let i = 0; i < codes.length; i++) {
      const row = Math.floor(i / cols);
      codes[i] = coder.codeOf(made[i]! / scales[Math.floor(row / encoding.rowsPerGroup)]!, row);
    }
    return { ...this.weight, encoding: { ...encoding, codes, scales } as AffineEncoding | LevelsEncoding };
  }
}

function refuse(place: string, found: string): never {
  return fail('MODEL_UNSUPPORTED', 'only linear codes around zero, and tables, of at most 8 bits can be trained', {
    place,
    found,
    hint: 'choose scheme linear, symmetric, one width per weight; or freeze the weight',
  });
}

function affineCoder({ bits, offsets, rowsPerGroup }: AffineEncoding, place: string): Coder {
  if (offsets || bits > 8) refuse(place, `${bits} bits${offsets ? ' with an offset' : ''}`);
  const half = 2 ** (bits - 1);
  return { codes: { rowsPerGroup, low: -half, high: half - 1 }, codeOf: Math.round };
}

function levelsCoder({ bits, levels, rowsPerGroup, rowsPerTable }: LevelsEncoding, backend: Backend): Coder {
  const count = 2 ** bits;
  const tables = Array.from({ length: levels.length / count }, (_, i) => [
    ...levels.subarray(i * count, (i + 1) * count),
  ]);
  const ascending = tables.map((table) => table.toSorted((a, b) => a - b));
  const table = backend.alloc(tables.length, count);
  backend.write(table, ascending.flat());
  return {
    codes: { rowsPerGroup, ...reachOf(ascending), levels: { table, rowsPerTable } },
    codeOf: (level, row) => {
      const own = tables[Math.floor(row / rowsPerTable)]!;
      let nearest = 0;
      for (let code = 1; code < count; code++) {
        if (Math.abs(own[code]! - level) < Math.abs(own[nearest]! - level)) nearest = code;
      }
      return nearest;
    },
  };
}

/**
 * How far out weights still learn: half a distance between levels beyond the outermost, so that those of two levels can go to and fro.
 */
function reachOf(ascending: readonly (readonly number[])[]): { low: number; high: number } {
  const bounds = ascending.map((levels) => {
    const distinct = [...new Set(levels)];
    const [first, second = first] = distinct;
    const [last, before = last] = distinct.toReversed();
    return { low: first! - (second! - first!) / 2, high: last! + (last! - before!) / 2 };
  });
  return { low: Math.min(...bounds.map(({ low }) => low)), high: Math.max(...bounds.map(({ high }) => high)) };
}

/** Undefined for float32 operands. */
function operandCodes(input: OperandCoding): OperandCodes | undefined {
  if (input.kind === 'f32') return undefined;
  const top = input.kind === 'u7' ? 127 : 16383;
  const { zero, scale } = input;
  return {
    lowest: -zero,
    highest: top - zero,
    limit: zero === 0 ? top : Math.min(zero, top - zero),
    scale: scale === 'dynamic' ? 0 : scale,
  };
}
