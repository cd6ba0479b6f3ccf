import { erf4, exp4, sigmoid4, splat, tanh4 } from '../../runtime/assembly/activations';
import { Fn } from '../../runtime/assembly/generated/functions';

const sqrtHalf: f32 = 0.7071067811865476;
const inverseSqrtTwoPi: f32 = 0.3989422804014327;
const twoOverSqrtPi: f32 = 1.1283791670955126;
const sqrtTwoOverPi: f32 = 0.7978845608028654;
const geluCubic: f32 = 0.044715;

@inline
function where(condition: v128, a: v128, b: v128): v128 {
  return v128.bitselect(a, b, condition);
}

/** exp(−x²/2)/√(2π) */
@inline
function normalDensity(x: v128): v128 {
  return f32x4.mul(splat(inverseSqrtTwoPi), exp4(f32x4.mul(splat(-0.5), f32x4.mul(x, x))));
}

@inline
function geluTanhSlope(x: v128): v128 {
  const square = f32x4.mul(x, x);
  const t = tanh4(f32x4.mul(splat(sqrtTwoOverPi), f32x4.add(x, f32x4.mul(splat(geluCubic), f32x4.mul(square, x)))));
  const inner = f32x4.mul(splat(sqrtTwoOverPi), f32x4.add(splat(1), f32x4.mul(splat(3 * geluCubic), square)));
  const outer = f32x4.mul(f32x4.mul(splat(0.5), x), f32x4.mul(f32x4.sub(splat(1), f32x4.mul(t, t)), inner));
  return f32x4.add(f32x4.mul(splat(0.5), f32x4.add(splat(1), t)), outer);
}

/** mish(x) = x·t, t = tanh(softplus(x)): t + x·(1 − t²)·σ(x). */
@inline
function mishSlope(x: v128): v128 {
  const e = exp4(f32x4.pmin(x, splat(20)));
  const n = f32x4.mul(e, f32x4.add(e, splat(2)));
  const t = f32x4.div(n, f32x4.add(n, splat(2)));
  return f32x4.add(t, f32x4.mul(f32x4.mul(x, f32x4.sub(splat(1), f32x4.mul(t, t))), sigmoid4(x)));
}

/** Four lanes of the derivative of function number `kind` at x, where the function is y. */
export function derivative4(kind: i32, x: v128, y: v128, p0: f32, p1: f32, p2: f32): v128 {
  const one = splat(1);
  const zero = splat(0);
  switch (kind) {
    case Fn.tanh:
      return f32x4.sub(one, f32x4.mul(y, y));
    case Fn.sigmoid:
      return f32x4.mul(y, f32x4.sub(one, y));
    case Fn.hardSigmoid:
      return where(v128.and(f32x4.gt(y, zero), f32x4.lt(y, one)), splat(p0), zero);
    case Fn.relu:
      return where(f32x4.ge(x, splat(p1)), zero, where(f32x4.lt(x, splat(p2)), splat(p0), one));
    case Fn.elu:
      return where(f32x4.gt(x, zero), one, f32x4.add(y, splat(p0)));
    case Fn.selu:
      return where(f32x4.gt(x, zero), splat(p1), f32x4.add(y, splat(p0 * p1)));
    case Fn.softplus:
      return sigmoid4(x);
    case Fn.softsign: {
      const d = f32x4.add(one, f32x4.abs(x));
      return f32x4.div(one, f32x4.mul(d, d));
    }
    case Fn.exp:
      return y;
    case Fn.log:
      return f32x4.div(one, x);
    case Fn.swish: {
      const s = sigmoid4(x);
      return f32x4.add(s, f32x4.mul(y, f32x4.sub(one, s)));
    }
    case Fn.gelu: {
      const cumulative = f32x4.mul(splat(0.5), f32x4.add(one, erf4(f32x4.mul(x, splat(sqrtHalf)))));
      return f32x4.add(cumulative, f32x4.mul(x, normalDensity(x)));
    }
    case Fn.geluTanh:
      return geluTanhSlope(x);
    case Fn.mish:
      return mishSlope(x);
    case Fn.hardSwish: {
      const s = f32x4.add(f32x4.mul(splat(p0), x), splat(p1));
      const inside = v128.and(f32x4.gt(s, zero), f32x4.lt(s, one));
      const bounded = f32x4.pmin(f32x4.pmax(s, zero), one);
      return f32x4.add(bounded, where(inside, f32x4.mul(splat(p0), x), zero));
    }
    case Fn.abs:
      return where(f32x4.lt(x, zero), splat(-1), where(f32x4.gt(x, zero), one, zero));
    case Fn.negate:
      return splat(-1);
    case Fn.square:
      return f32x4.add(x, x);
    case Fn.sqrt:
      return f32x4.div(splat(0.5), y);
    case Fn.reciprocal:
      return f32x4.neg(f32x4.mul(y, y));
    case Fn.oneMinus:
      return splat(-1);
    case Fn.clip:
      return where(v128.and(f32x4.gt(x, splat(p0)), f32x4.lt(x, splat(p1))), one, zero);
    case Fn.affine:
      return splat(p0);
    case Fn.celu:
      return where(f32x4.gt(x, zero), one, f32x4.add(f32x4.div(y, splat(p0)), one));
    case Fn.erf:
      return f32x4.mul(splat(twoOverSqrtPi), exp4(f32x4.neg(f32x4.mul(x, x))));
    default:
      return one;
  }
}
