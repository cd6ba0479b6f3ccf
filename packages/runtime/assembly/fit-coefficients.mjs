// Fits the approximations of numerics/scalar.ts and writes numerics/coefficients.ts:
//
//   node packages/runtime/assembly/fit-coefficients.mjs            writes the table and prints the errors reached
//   node packages/runtime/assembly/fit-coefficients.mjs --check    fails where the table on disk differs
//
// Minimax by Lawson's reweighting of linear least squares (for rationals after Loeb: the residual f·Q − P divided by
// the last Q). Each coefficient is rounded to float32 in turn and the ones still free are fitted again, which takes up
// what the rounding broke.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const target = fileURLToPath(new URL('../src/numerics/coefficients.ts', import.meta.url));
const round = Math.fround;

/** Least squares by Householder reflections, columns scaled to one length. */
function leastSquares(rows, values) {
  const n = rows[0].length;
  const scale = Array.from({ length: n }, (_, j) => 1 / Math.hypot(...rows.map((row) => row[j])));
  const a = rows.map((row, i) => [...row.map((v, j) => v * scale[j]), values[i]]);
  for (let j = 0; j < n; j++) {
    let norm = 0;
    for (let i = j; i < a.length; i++) norm += a[i][j] ** 2;
    norm = Math.sqrt(norm);
    const v = a.slice(j).map((row) => row[j]);
    v[0] += v[0] > 0 ? norm : -norm;
    const vv = v.reduce((sum, x) => sum + x * x, 0);
    for (let c = j; c <= n; c++) {
      let dot = 0;
      for (let i = 0; i < v.length; i++) dot += v[i] * a[i + j][c];
      const factor = (2 * dot) / vv;
      for (let i = 0; i < v.length; i++) a[i + j][c] -= factor * v[i];
    }
  }
  const x = new Array(n).fill(0);
  for (let j = n - 1; j >= 0; j--) {
    let rest = a[j][n];
    for (let c = j + 1; c < n; c++) rest -= a[j][c] * x[c];
    x[j] = rest / a[j][j];
  }
  return x.map((v, j) => v * scale[j]);
}

function chebyshevNodes(low, high, count) {
  return Array.from(
    { length: count },
    (_, i) => low + (high - low) * (0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / count)),
  );
}

function horner(c, x) {
  let y = c[c.length - 1];
  for (let i = c.length - 2; i >= 0; i--) y = y * x + c[i];
  return y;
}

/**
 * One minimax fit of f(x) ≈ outer(x)·P(inner(x))/Q(inner(x)), Q's constant term 1. `p` and `q` list the coefficients:
 * a number is fixed, undefined is free.
 */
function fitOnce({ f, nodes, outer, inner, p, q, weight }) {
  const freeP = p.flatMap((c, j) => (c === undefined ? [j] : []));
  const freeQ = q.flatMap((c, j) => (c === undefined ? [j] : []));
  let lawson = nodes.map(() => 1);
  let denominators = nodes.map(() => 1);
  let best;
  for (let round = 0; round < 150; round++) {
    const rows = [];
    const values = [];
    nodes.forEach((x, i) => {
      const t = inner(x);
      const y = f(x);
      const w = (Math.sqrt(lawson[i]) * weight(x)) / denominators[i];
      let rest = y;
      p.forEach((c, j) => {
        if (c !== undefined) rest -= outer(x) * c * t ** j;
      });
      q.forEach((c, j) => {
        if (c !== undefined && j > 0) rest += y * c * t ** j;
      });
      rows.push([...freeP.map((j) => w * outer(x) * t ** j), ...freeQ.map((j) => -w * y * t ** j)]);
      values.push(w * rest);
    });
    const solution = leastSquares(rows, values);
    const P = [...p];
    const Q = [...q];
    freeP.forEach((j, i) => {
      P[j] = solution[i];
    });
    freeQ.forEach((j, i) => {
      Q[j] = solution[freeP.length + i];
    });
    denominators = nodes.map((x) => horner(Q, inner(x)));
    const errors = nodes.map((x, i) =>
      Math.abs(((outer(x) * horner(P, inner(x))) / denominators[i] - f(x)) * weight(x)),
    );
    const error = Math.max(...errors);
    if (best === undefined || error < best.error) best = { P, Q, error };
    const next = errors.map((e, i) => lawson[i] * (e / error + 1e-3));
    const sum = next.reduce((s, v) => s + v, 0);
    lawson = next.map((v) => (v * nodes.length) / sum);
  }
  return best;
}

/** Fits, then rounds one coefficient after the other to float32 (highest degrees first) and fits the rest again. */
function fit({ f, low, high, outer = () => 1, inner = (x) => x, p, q = [1], weight = () => 1 }) {
  const nodes = chebyshevNodes(low, high, 400);
  let problem = { f, nodes, outer, inner, p, q, weight };
  for (;;) {
    const from = problem.q.includes(undefined) ? 'q' : 'p';
    const at = problem[from].lastIndexOf(undefined);
    if (at < 0) return { p: problem.p, q: problem.q };
    const best = fitOnce(problem);
    problem = {
      ...problem,
      [from]: problem[from].map((c, j) => (j === at ? round(best[from === 'q' ? 'Q' : 'P'][j]) : c)),
    };
  }
}

/** n free coefficients after the fixed ones. */
const free = (n, ...fixed) => [...fixed, ...new Array(n).fill(undefined)];

/** erf by its Taylor series, and by the continued fraction of erfc where the series cancels. */
export function exactErf(x) {
  const a = Math.abs(x);
  let value;
  if (a < 3) {
    let term = a;
    let sum = 0;
    for (let n = 0; n < 120; n++) {
      sum += term / (2 * n + 1);
      term *= (-a * a) / (n + 1);
    }
    value = (2 / Math.sqrt(Math.PI)) * sum;
  } else {
    let fraction = 0;
    for (let k = 80; k > 0; k--) fraction = k / 2 / (a + fraction);
    value = 1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction);
  }
  return x < 0 ? -value : value;
}

function hornerFloat(c, x) {
  let y = c[c.length - 1];
  for (let i = c.length - 2; i >= 0; i--) y = round(round(y * x) + c[i]);
  return y;
}

function oddRationalFloat({ p, q }, x) {
  const t = round(x * x);
  return round(round(x * hornerFloat(p, t)) / hornerFloat(q, t));
}

/**
 * Where a saturating odd function may be cut off: the first float32 step of 2^-10 from which the approximation has
 * reached 1, so that beyond it the function is exactly ±1 (x·(1 + tanh x) must vanish for x → −∞).
 */
function saturation(rational, from, to) {
  for (let x = from; x <= to; x += 2 ** -10) if (oddRationalFloat(rational, x) >= 1) return x;
  throw new Error('the fit does not reach 1');
}

const bits = (x) => new Int32Array(new Float32Array([x]).buffer)[0];
const square = (x) => x * x;
const identity = (x) => x;

const tanh = fit({ f: Math.tanh, low: 0, high: 9, outer: identity, inner: square, p: free(4, 1), q: free(4, 1) });
tanh.clamp = saturation(tanh, 8.5, 9.2);
// sigmoid(x) = ½ + ½·tanh(x/2): powers of two go through the rounding unchanged, so its table is tanh's, scaled.
const sigmoid = {
  p: tanh.p.map((c, j) => c / 4 ** (j + 1)),
  q: tanh.q.map((c, j) => c / 4 ** j),
  clamp: 2 * tanh.clamp,
};
const erf = fit({ f: exactErf, low: 0, high: 4, outer: identity, inner: square, p: free(6), q: free(5, 1) });
erf.clamp = saturation(erf, 3.7, 4.1);

/** ln 2 in two parts: the first has 12 bits, so that its product with a whole exponent is exact. */
const ln2High = Math.round(Math.LN2 * 2 ** 12) / 2 ** 12;
const ln2Low = round(Math.LN2 - ln2High);
// The polynomials' leading terms are fixed at their exact values: near 0 the functions then keep full relative
// accuracy, and no result is pushed below the smallest normal number.
const half = Math.LN2 / 2 + 0.001;
const exp = fit({ f: Math.exp, low: -half, high: half, p: free(5, 1, 1), weight: (x) => Math.exp(-x) }).p;
const perX = (x) => (x === 0 ? 1 : Math.log1p(x) / x);
const log = fit({ f: perX, low: Math.SQRT1_2 - 1, high: Math.SQRT2 - 1, p: free(8, 1) }).p;
const log1p = fit({ f: perX, low: 0, high: 1, p: free(8, 1) }).p;

/** An array as the formatter lays it out: on one line where it fits, else filled to 120 columns. */
function list(name, values, indent) {
  const single = `${indent}${name}: [${values.join(', ')}],`;
  if (single.length <= 120) return single;
  const lines = [`${indent} `];
  for (const value of values) {
    const last = lines.length - 1;
    if (`${lines[last]} ${value},`.length > 120) lines.push(`${indent}  ${value},`);
    else lines[last] += ` ${value},`;
  }
  return `${indent}${name}: [\n${lines.join('\n')}\n${indent}],`;
}
const polynomial = (name, values) => list(name, values, '  ');
const rational = (name, { p, q, clamp }) =>
  `  ${name}: {\n    clamp: ${clamp},\n${list('p', p, '    ')}\n${list('q', q, '    ')}\n  },`;
const text = `// Written by assembly/fit-coefficients.mjs; do not edit.

/**
 * Constants of the approximations in scalar.ts, constant term first. Every value is an exact float32: the same numbers
 * go into the AssemblyScript kernels and generated C.
 */
export const coefficients = {
  /** x·P(x²)/Q(x²), exactly ±1 from the clamp on. */
${rational('tanh', tanh)}
  /** ½ + x·P(x²)/Q(x²): tanh's coefficients scaled by powers of two. */
${rational('sigmoid', sigmoid)}
  /** x·P(x²)/Q(x²), exactly ±1 from the clamp on. */
${rational('erf', erf)}
  /** P(x) on [−ln 2/2, ln 2/2]. */
${polynomial('exp', exp)}
  /** log(1 + x) = x·P(x) on [√½ − 1, √2 − 1]. */
${polynomial('log', log)}
  /** log(1 + x) = x·P(x) on [0, 1]. */
${polynomial('log1p', log1p)}
  /** ln 2 in two parts; the first has 12 bits. */
  ln2High: ${ln2High},
  ln2Low: ${ln2Low},
  log2e: ${round(Math.LOG2E)},
  /** exp's argument is clamped to this range, whose values are normal numbers. */
  expLow: ${round(-87.3)},
  expHigh: ${round(88.7)},
  /** √½ and the smallest normal number, as bits and as a value: where log splits and ends. */
  sqrtHalfBits: ${bits(Math.SQRT1_2)},
  smallestNormal: ${2 ** -126},
  sqrtHalf: ${round(Math.SQRT1_2)},
  /** √(2/π) and Hendrycks & Gimpel's cubic term, for the tanh form of GELU. */
  sqrtTwoOverPi: ${round(Math.sqrt(2 / Math.PI))},
  geluCubic: ${round(0.044715)},
} as const;
`;

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('coefficients.ts is not what this script fits');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}

function report(name, f, exact, low, high, relative) {
  let worst = 0;
  for (let i = 0; i <= 200_000; i++) {
    const x = round(low + ((high - low) * i) / 200_000);
    const error = Math.abs(f(x) - exact(x)) / (relative ? Math.abs(exact(x)) || 1 : 1);
    worst = Math.max(worst, error);
  }
  console.log(`${name.padEnd(8)} ${worst.toExponential(2)}${relative ? ' relative' : ''}`);
}
const clamped = (x, low, high) => Math.min(high, Math.max(low, x));
const odd = (table) => (x) => clamped(oddRationalFloat(table, clamped(x, -table.clamp, table.clamp)), -1, 1);
report('tanh', odd(tanh), Math.tanh, -12, 12, false);
report('erf', odd(erf), exactErf, -6, 6, false);
report('exp', (x) => hornerFloat(exp, x), Math.exp, -half, half, true);
report('log', (x) => round(x * hornerFloat(log, x)), Math.log1p, Math.SQRT1_2 - 1, Math.SQRT2 - 1, true);
report('log1p', (x) => round(x * hornerFloat(log1p, x)), Math.log1p, 0, 1, true);
