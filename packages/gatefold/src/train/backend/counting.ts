import { Arena, OnArena } from './arena.ts';
import type { Backend, CtcTargets, Matrix, Packed } from './types.ts';

/** Numbers that CTC works with beside its arguments: see the kernel. */
export function ctcWorkspace(x: Matrix, { steps, labels }: CtcTargets): number {
  const states = 2 * labels.cols + 1;
  const longest = x.rows / steps.rows;
  return 2 * states * (longest + 2) + states + longest;
}

/** Takes memory as the others do and computes nothing: how much a step needs is known before there is any. */
export class CountingBackend extends OnArena implements Backend {
  readonly name = 'counting';
  readonly limit = Number.POSITIVE_INFINITY;
  protected readonly arena = new Arena(0, Number.POSITIVE_INFINITY, () => {});
  read({ rows, cols }: Matrix): Float32Array {
    return new Float32Array(rows * cols);
  }
  ctc(x: Matrix, targets: CtcTargets): number {
    const mark = this.mark();
    this.alloc(1, ctcWorkspace(x, targets));
    this.release(mark);
    return 0;
  }
  pack(b: Matrix, transpose: boolean): Packed {
    return this.allocPacked(b, transpose);
  }
  crossEntropy(): number {
    return 0;
  }
  divergence(): number {
    return 0;
  }
  elementLoss(): number {
    return 0;
  }
  sumSquares(): number {
    return 0;
  }
  write(): void {}
  fill(): void {}
  scaled(): void {}
  binary(): void {}
  unary(): void {}
  unaryGradient(): void {}
  sumRows(): void {}
  sumColumns(): void {}
  scaleRows(): void {}
  gemm(): void {}
  gemmPacked(): void {}
  gather(): void {}
  scatterAdd(): void {}
  normalize(): void {}
  normalizeGradient(): void {}
  softmax(): void {}
  softmaxGradient(): void {}
  lstmForward(): void {}
  lstmBackward(): void {}
  gruForward(): void {}
  gruBackward(): void {}
  fakeQuantize(): void {}
  fakeQuantizeGradient(): void {}
  codeRows(): void {}
  adam(): void {}
  sgd(): void {}
}
