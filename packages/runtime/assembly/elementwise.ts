import { splat } from './activations';
import { applyFunction } from './functions';
import { Binary, Copy, Fill, Mask, Prelu, Select, Unary } from './generated/opcodes';
import { address, base, float, int, rowCount, stride } from './operands';
import { copyFloats, fillFloats, lanesBefore } from './rows';

export function copy(pc: usize): void {
  const n = int(pc + Copy.n);
  const srcStride = stride(pc + Copy.src);
  const dstStride = stride(pc + Copy.dst);
  let x = base(pc + Copy.src);
  let y = base(pc + Copy.dst);
  for (let rows = rowCount(pc + Copy.rows); rows > 0; rows--, x += srcStride, y += dstStride) copyFloats(y, x, n);
}

export function fill(pc: usize): void {
  const n = int(pc + Fill.n);
  const value = float(pc + Fill.value);
  const dstStride = stride(pc + Fill.dst);
  let y = base(pc + Fill.dst);
  for (let rows = rowCount(pc + Fill.rows); rows > 0; rows--, y += dstStride) fillFloats(y, value, n);
}

export function unary(pc: usize): void {
  const bytes = <usize>int(pc + Unary.n) << 2;
  const kind = int(pc + Unary.kind);
  const p0 = float(pc + Unary.p0);
  const p1 = float(pc + Unary.p1);
  const p2 = float(pc + Unary.p2);
  const srcStride = stride(pc + Unary.src);
  const dstStride = stride(pc + Unary.dst);
  let x = base(pc + Unary.src);
  let y = base(pc + Unary.dst);
  for (let rows = rowCount(pc + Unary.rows); rows > 0; rows--, x += srcStride, y += dstStride) {
    for (let i: usize = 0; i < bytes; i += 16) v128.store(y + i, applyFunction(kind, v128.load(x + i), p0, p1, p2));
  }
}

@inline
function applyBinary(kind: i32, a: v128, b: v128): v128 {
  switch (kind) {
    case 0:
      return f32x4.add(a, b);
    case 1:
      return f32x4.sub(a, b);
    case 2:
      return f32x4.mul(a, b);
    case 3:
      return f32x4.div(a, b);
    case 4:
      return f32x4.pmax(a, b);
    default:
      return f32x4.pmin(a, b);
  }
}

export function binary(pc: usize): void {
  const bytes = <usize>int(pc + Binary.n) << 2;
  const kind = int(pc + Binary.kind);
  const aStride = stride(pc + Binary.a);
  const bStride = stride(pc + Binary.b);
  const dstStride = stride(pc + Binary.dst);
  let a = base(pc + Binary.a);
  let b = base(pc + Binary.b);
  let y = base(pc + Binary.dst);
  for (let rows = rowCount(pc + Binary.rows); rows > 0; rows--, a += aStride, b += bStride, y += dstStride) {
    for (let i: usize = 0; i < bytes; i += 16) {
      v128.store(y + i, applyBinary(kind, v128.load(a + i), v128.load(b + i)));
    }
  }
}

export function prelu(pc: usize): void {
  const bytes = <usize>int(pc + Prelu.n) << 2;
  const slope = address(pc + Prelu.slope);
  const srcStride = stride(pc + Prelu.src);
  const dstStride = stride(pc + Prelu.dst);
  let src = base(pc + Prelu.src);
  let y = base(pc + Prelu.dst);
  for (let rows = rowCount(pc + Prelu.rows); rows > 0; rows--, src += srcStride, y += dstStride) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const x = v128.load(src + i);
      v128.store(y + i, v128.bitselect(x, f32x4.mul(v128.load(slope + i), x), f32x4.gt(x, splat(0))));
    }
  }
}

export function mask(pc: usize): void {
  const n = int(pc + Mask.n);
  const value = splat(float(pc + Mask.value));
  const srcStride = stride(pc + Mask.src);
  const dstStride = stride(pc + Mask.dst);
  let x = base(pc + Mask.src);
  let y = base(pc + Mask.dst);
  for (let rows = rowCount(pc + Mask.rows); rows > 0; rows--, x += srcStride, y += dstStride) {
    let differs = i32x4.splat(0);
    for (let i = 0; i < n; i += 4) {
      const unequal = f32x4.ne(v128.load(x + (<usize>i << 2)), value);
      differs = v128.or(differs, v128.and(unequal, lanesBefore(n - i)));
    }
    store<f32>(y, v128.any_true(differs) ? 1 : 0);
  }
}

export function select(pc: usize): void {
  const n = int(pc + Select.n);
  const maskStride = stride(pc + Select.mask);
  const aStride = stride(pc + Select.a);
  const bStride = stride(pc + Select.b);
  const dstStride = stride(pc + Select.dst);
  let m = base(pc + Select.mask);
  let a = base(pc + Select.a);
  let b = base(pc + Select.b);
  let y = base(pc + Select.dst);
  const zeros = b == 0;
  for (let rows = rowCount(pc + Select.rows); rows > 0; rows--) {
    if (load<f32>(m) != 0) copyFloats(y, a, n);
    else if (zeros) fillFloats(y, 0, n);
    else copyFloats(y, b, n);
    m += maskStride;
    a += aStride;
    b += bStride;
    y += dstStride;
  }
}
