import { type AffineEncoding, fail, type OperandCoding, roundTo, type Weight } from '@gatefold/runtime';
import type { Backend, Matrix, OperandCodes, WeightCodes } from './backend/types.ts';
import type { Parameter } from './parameter.ts';
import type { Var } from './tape.ts';

/** Scales are kept normal numbers. */
const smallest = { f32: 2 ** -100, f16: 2 ** -14 };

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
  private readonly encoding: AffineEncoding;
  private readonly codes: WeightCodes;
  private readonly effective: Matrix;
  private readonly slope: Matrix;

  /** @throws MODEL_UNSUPPORTED for codes other than linear ones around zero */
  constructor(backend: Backend, master: Parameter, weight: Weight) {
    const { encoding, input } = weight;
    if (encoding.kind !== 'affine' || encoding.offsets || encoding.bits > 8) {
      fail('MODEL_UNSUPPORTED', 'only linear codes around zero, of at most 8 bits, can be trained', {
        place: master.name,
        found:
          encoding.kind === 'affine'
            ? `${encoding.bits} bits${encoding.offsets ? ' with an offset' : ''}`
            : encoding.kind,
        hint: 'choose scheme linear, symmetric, one width per weight; or freeze the weight',
      });
    }
    const { rows, cols } = master.value;
    const groups = encoding.scales.length;
    const half = 2 ** (encoding.bits - 1);
    this.backend = backend;
    this.name = master.name;
    this.master = master;
    this.weight = weight;
    this.encoding = encoding;
    this.step = {
      name: `${master.name}#step`,
      shape: [groups],
      value: backend.alloc(1, groups),
      gradient: backend.alloc(1, groups),
    };
    backend.fill(this.step.value, 0);
    this.codes = {
      scales: backend.alloc(1, groups),
      rowsPerGroup: encoding.rowsPerGroup,
      low: -half,
      high: half - 1,
    };
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

  prepare(): void {
    this.backend.write(this.codes.scales, this.scalesFor(this.backend.read(this.step.value)));
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

  /** The weight with the codes of these values. */
  bake(values: Float32Array, steps: Float32Array): Weight {
    const scales = this.scalesFor(steps);
    const { low, high, rowsPerGroup } = this.codes;
    const perGroup = this.master.value.cols * rowsPerGroup;
    const inverses = scales.map((scale) => 1 / scale);
    const codes = new Int8Array(values.length);
    for (let i = 0; i < codes.length; i++) {
      const v = Math.fround(values[i]! * inverses[Math.floor(i / perGroup)]!);
      codes[i] = roundEven(Math.min(Math.max(v, low), high));
    }
    return { ...this.weight, encoding: { ...this.encoding, codes, scales } };
  }
}

/** Half to even, of numbers below 2^22, as the kernels do it in float32. */
function roundEven(v: number): number {
  return Math.fround(Math.fround(v + 12582912) - 12582912);
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
