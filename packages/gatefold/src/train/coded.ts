import type { AffineEncoding, LevelsEncoding, Model, OperandCoding, Weight } from '@gatefold/runtime';
import type { Backend, Matrix, OperandCodes, WeightCodes } from './backend/types.ts';
import { type Coder, coderOf, refuse, scalesFor } from './coder.ts';
import type { Parameter } from './parameter.ts';
import { RowNorm } from './row-norm.ts';
import type { Var } from './tape.ts';

/** How weights come to be codes. */
export interface CodingOptions {
  /** The model in wider codes that are trained before, each until a share of the run is done, in order. */
  readonly before?: readonly { readonly coded: Model; readonly until: number }[];
  /** Weight normalization of rows, whose gain goes into the scales: see {@link RowNorm}. */
  readonly normalize?: boolean;
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
  /** log(scale / first scale) of each group; with normalization the gain of its rows, too. */
  readonly step: Parameter;
  private readonly backend: Backend;
  private readonly master: Parameter;
  private readonly weight: Weight;
  private readonly last: Coder;
  private readonly before: readonly { readonly coder: Coder; readonly until: number }[];
  private readonly norm: RowNorm | undefined;
  private readonly scales: Matrix;
  private now: { readonly w: Matrix; readonly codes: WeightCodes } | undefined;
  private readonly effective: Matrix;
  private readonly slope: Matrix;

  /** @throws MODEL_UNSUPPORTED for codes other than linear ones around zero, or tables */
  constructor(backend: Backend, master: Parameter, weight: Weight, { before = [], normalize }: CodingOptions = {}) {
    const { rows, cols } = master.value;
    this.backend = backend;
    this.name = master.name;
    this.master = master;
    this.weight = weight;
    this.last = coderOf(backend, weight, master.name);
    const groups = this.last.encoding.scales.length;
    this.before = before.map(({ coded, until }) => {
      const coder = coderOf(backend, coded.weights[master.name]!, master.name);
      if (coder.encoding.scales.length !== groups) refuse(master.name, 'codes before with other groups of rows');
      return { coder, until };
    });
    if (normalize) this.norm = new RowNorm(backend, master.value);
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
    const operand = operandCodes(weight.input);
    this.variable = {
      value: this.effective,
      tracked: true,
      gradient: () => this.slope,
      ...(operand ? { operand } : {}),
    };
  }

  /** Before a batch, with the share of the run that is done. */
  prepare(done: number): void {
    const coder = this.before.find(({ until }) => done < until)?.coder ?? this.last;
    this.now = this.code(coder, this.master.value, this.backend.read(this.step.value));
    this.backend.fill(this.slope, 0);
  }

  finish(): void {
    const { backend, norm, master, slope, step } = this;
    const { w, codes } = this.now!;
    backend.fakeQuantizeGradient(w, codes, slope, norm?.gradient ?? master.gradient, step.gradient);
    if (!norm) return;
    const sums = norm.back(master.gradient);
    const slopes = backend.read(step.gradient);
    for (let row = 0; row < sums.length; row++) slopes[Math.floor(row / codes.rowsPerGroup)]! += sums[row]!;
    backend.write(step.gradient, slopes);
  }

  /** Makes `effective` of weights; returns what was coded and how. */
  private code(coder: Coder, values: Matrix, steps: ArrayLike<number>): { w: Matrix; codes: WeightCodes } {
    const { codes } = coder;
    const gains = () =>
      Float32Array.from({ length: values.rows }, (_, row) => Math.exp(steps[Math.floor(row / codes.rowsPerGroup)]!));
    const made = { w: this.norm?.apply(values, gains()) ?? values, codes: { ...codes, scales: this.scales } };
    this.backend.write(this.scales, scalesFor(coder, steps));
    this.backend.fakeQuantize(made.w, made.codes, this.effective);
    return made;
  }

  /** The weight with the codes that the products see at these values. */
  bake(values: Float32Array, steps: Float32Array): Weight {
    const { backend, last, effective, slope } = this;
    const { encoding, codeOf } = last;
    const scales = scalesFor(last, steps);
    // Both are made anew before the next batch.
    backend.write(slope, values);
    this.code(last, slope, steps);
    const made = backend.read(effective);
    const codes = encoding.kind === 'affine' ? new Int8Array(made.length) : new Uint8Array(made.length);
    for (let i = 0; i < codes.length; i++) {
      const row = Math.floor(i / effective.cols);
      codes[i] = codeOf(made[i]! / scales[Math.floor(row / encoding.rowsPerGroup)]!, row);
    }
    return { ...this.weight, encoding: { ...encoding, codes, scales } as AffineEncoding | LevelsEncoding };
  }
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
