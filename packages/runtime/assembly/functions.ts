import { clamp, erf4, exp4, log1p4, log4, sigmoid4, splat, tanh4 } from './activations';
import { geluCubic, sqrtHalf, sqrtTwoOverPi } from './generated/coefficients';
import { Fn } from './generated/functions';
import { half, one } from './lanes';

@inline
function expMinusOne(x: v128): v128 {
  return f32x4.sub(exp4(x), one);
}

/** x > 0 ? x : y */
@inline
function positiveOr(x: v128, y: v128): v128 {
  return v128.bitselect(x, y, f32x4.gt(x, splat(0)));
}

@inline
function geluTanh(x: v128): v128 {
  const a = f32x4.pmax(x, splat(-16));
  const cubic = f32x4.mul(geluCubic, f32x4.mul(f32x4.mul(a, a), a));
  const t = tanh4(f32x4.mul(sqrtTwoOverPi, f32x4.add(a, cubic)));
  return f32x4.mul(f32x4.mul(half, a), f32x4.add(one, t));
}

@inline
function gelu(x: v128): v128 {
  const a = f32x4.pmax(x, splat(-16));
  const t = erf4(f32x4.mul(a, sqrtHalf));
  return f32x4.mul(f32x4.mul(half, a), f32x4.add(one, t));
}

@inline
function mish(x: v128): v128 {
  const a = f32x4.pmax(x, splat(-87));
  const e = exp4(f32x4.pmin(a, splat(20)));
  const n = f32x4.mul(e, f32x4.add(e, splat(2)));
  return f32x4.mul(a, f32x4.div(n, f32x4.add(n, splat(2))));
}

@inline
function swish(x: v128): v128 {
  const a = f32x4.pmax(x, splat(-87));
  return f32x4.div(a, f32x4.add(one, exp4(f32x4.neg(a))));
}

@inline
function softplus(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, splat(0)), log1p4(exp4(f32x4.neg(f32x4.abs(x)))));
}

@inline
function relu(x: v128, slope: f32, max: f32, threshold: f32): v128 {
  const t = splat(threshold);
  const below = slope == 0 ? splat(0) : f32x4.mul(splat(slope), f32x4.sub(x, t));
  return f32x4.pmin(v128.bitselect(below, x, f32x4.lt(x, t)), splat(max));
}

@inline
function hardSigmoid(x: v128, alpha: f32, beta: f32): v128 {
  return clamp(f32x4.add(f32x4.mul(splat(alpha), x), splat(beta)), splat(0), one);
}

/** Four lanes of function number `kind`. */
export function applyFunction(kind: i32, x: v128, p0: f32, p1: f32, p2: f32): v128 {
  switch (kind) {
    case Fn.tanh:
      return tanh4(x);
    case Fn.sigmoid:
      return sigmoid4(x);
    case Fn.hardSigmoid:
      return hardSigmoid(x, p0, p1);
    case Fn.relu:
      return relu(x, p0, p1, p2);
    case Fn.elu:
      return positiveOr(x, f32x4.mul(splat(p0), expMinusOne(x)));
    case Fn.selu:
      return f32x4.mul(splat(p1), positiveOr(x, f32x4.mul(splat(p0), expMinusOne(x))));
    case Fn.softplus:
      return softplus(x);
    case Fn.softsign:
      return f32x4.div(x, f32x4.add(one, f32x4.abs(x)));
    case Fn.exp:
      return exp4(x);
    case Fn.log:
      return log4(x);
    case Fn.swish:
      return swish(x);
    case Fn.gelu:
      return gelu(x);
    case Fn.geluTanh:
      return geluTanh(x);
    case Fn.mish:
      return mish(x);
    case Fn.hardSwish:
      return f32x4.mul(x, hardSigmoid(x, p0, p1));
    case Fn.abs:
      return f32x4.abs(x);
    case Fn.negate:
      return f32x4.neg(x);
    case Fn.square:
      return f32x4.mul(x, x);
    case Fn.sqrt:
      return f32x4.sqrt(x);
    case Fn.reciprocal:
      return f32x4.div(one, x);
    case Fn.oneMinus:
      return f32x4.sub(one, x);
    case Fn.clip:
      return clamp(x, splat(p0), splat(p1));
    case Fn.affine:
      return f32x4.add(f32x4.mul(splat(p0), x), splat(p1));
    case Fn.celu: {
      const y = f32x4.mul(splat(p0), expMinusOne(f32x4.div(x, splat(p0))));
      return positiveOr(x, f32x4.pmin(y, splat(0)));
    }
    case Fn.erf:
      return erf4(x);
    default:
      return x;
  }
}
