import { exp4, splat } from './activations';
import { Normalize, Softmax } from './generated/opcodes';
import { address, base, float, int, rowCount, stride } from './operands';
import { lanesBefore, maxLanes, sumLanes } from './rows';

/** e = exp(d < −64 ? −64 : d), d = x − max; y = e/Σe */
export function softmax(pc: usize): void {
  const n = int(pc + Softmax.n);
  const srcStride = stride(pc + Softmax.src);
  const dstStride = stride(pc + Softmax.dst);
  let src = base(pc + Softmax.src);
  let dst = base(pc + Softmax.dst);
  for (let rows = rowCount(pc + Softmax.rows); rows > 0; rows--, src += srcStride, dst += dstStride) {
    let max = splat(f32.NEGATIVE_INFINITY);
    for (let i = 0; i < n; i += 4) {
      const x = v128.load(src + (<usize>i << 2));
      max = f32x4.pmax(max, v128.bitselect(x, max, lanesBefore(n - i)));
    }
    max = splat(maxLanes(max));
    let sum = splat(0);
    for (let i = 0; i < n; i += 4) {
      const at = <usize>i << 2;
      const e = exp4(f32x4.pmax(f32x4.sub(v128.load(src + at), max), splat(-64)));
      sum = f32x4.add(sum, v128.and(e, lanesBefore(n - i)));
      v128.store(dst + at, e);
    }
    const total = splat(sumLanes(sum));
    for (let i = 0; i < n; i += 4) {
      const at = dst + (<usize>i << 2);
      v128.store(at, f32x4.div(v128.load(at), total));
    }
  }
}

/** Σ x, or Σ (x − shift)² */
@inline
function sumOf(src: usize, n: i32, squared: bool, shift: v128): f32 {
  let sum = splat(0);
  for (let i = 0; i < n; i += 4) {
    let x = v128.load(src + (<usize>i << 2));
    if (squared) {
      x = f32x4.sub(x, shift);
      x = f32x4.mul(x, x);
    }
    sum = f32x4.add(sum, v128.and(x, lanesBefore(n - i)));
  }
  return sumLanes(sum);
}

/** Layer 0, root mean square 1, unit length 2; the last two are unshifted, and x − 0 is x. */
export function normalize(pc: usize): void {
  const n = int(pc + Normalize.n);
  const kind = int(pc + Normalize.kind);
  const epsilon = float(pc + Normalize.epsilon);
  const gamma = address(pc + Normalize.gamma);
  const beta = address(pc + Normalize.beta);
  const srcStride = stride(pc + Normalize.src);
  const dstStride = stride(pc + Normalize.dst);
  let src = base(pc + Normalize.src);
  let dst = base(pc + Normalize.dst);
  for (let rows = rowCount(pc + Normalize.rows); rows > 0; rows--, src += srcStride, dst += dstStride) {
    const mean = splat(kind == 0 ? sumOf(src, n, false, splat(0)) / <f32>n : 0);
    const squares = sumOf(src, n, true, mean);
    const spread: f32 = kind == 2 ? (squares < epsilon ? epsilon : squares) : squares / <f32>n + epsilon;
    const r = splat(<f32>1 / sqrt<f32>(spread));
    for (let i = 0; i < n; i += 4) {
      const at = <usize>i << 2;
      let y = f32x4.mul(f32x4.sub(v128.load(src + at), mean), r);
      if (gamma) y = f32x4.mul(y, v128.load(gamma + at));
      if (beta) y = f32x4.add(y, v128.load(beta + at));
      v128.store(dst + at, y);
    }
  }
}
