import type { Call } from '../graph/call.ts';
import { broadcastShape, broadcastTo, type Picked } from '../graph/indices.ts';
import { type Constant, constant, type Dim, type ElementType, isUnknown, showDim } from '../graph/tensor.ts';

type Binary = (a: number, b: number) => number;

const bool = (value: boolean) => (value ? 1 : 0);

/** Element-wise functions of two constants. Whole numbers divide towards zero. */
const binaries: Readonly<Record<string, { readonly sign: string; readonly compute: Binary; readonly bool?: true }>> = {
  Add: { sign: '+', compute: (a, b) => a + b },
  Sub: { sign: '-', compute: (a, b) => a - b },
  Mul: { sign: '*', compute: (a, b) => a * b },
  Div: { sign: '/', compute: (a, b) => a / b },
  Mod: { sign: '%', compute: (a, b) => a - Math.floor(a / b) * b },
  Pow: { sign: '^', compute: (a, b) => a ** b },
  Min: { sign: 'min', compute: Math.min },
  Max: { sign: 'max', compute: Math.max },
  Equal: { sign: '=', compute: (a, b) => bool(a === b), bool: true },
  Less: { sign: '<', compute: (a, b) => bool(a < b), bool: true },
  Greater: { sign: '>', compute: (a, b) => bool(a > b), bool: true },
  LessOrEqual: { sign: '<=', compute: (a, b) => bool(a <= b), bool: true },
  GreaterOrEqual: { sign: '>=', compute: (a, b) => bool(a >= b), bool: true },
  And: { sign: 'and', compute: (a, b) => bool(a !== 0 && b !== 0), bool: true },
  Or: { sign: 'or', compute: (a, b) => bool(a !== 0 || b !== 0), bool: true },
};

const unaries: Readonly<Record<string, (x: number) => number>> = {
  Neg: (x) => -x,
  Abs: Math.abs,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Reciprocal: (x) => 1 / x,
  Not: (x) => bool(x === 0),
};

/** The elements of a constant at the indices, of the same kind of array. */
export function take({ data }: Constant, { indices }: Picked): Constant['data'] {
  if (data instanceof Float32Array || data instanceof Float64Array) {
    const out = data instanceof Float32Array ? new Float32Array(indices.length) : new Float64Array(indices.length);
    for (let i = 0; i < out.length; i++) out[i] = data[indices[i]!]!;
    return out;
  }
  return Array.from(indices, (i) => (data as readonly Dim[])[i]!);
}

/** An array of numbers of a type, or of what they could not be computed to. */
export function arrayOf(type: ElementType, elements: readonly Dim[]): Constant['data'] {
  if (elements.some(isUnknown)) return elements;
  return type === 'float' ? Float32Array.from(elements as number[]) : Float64Array.from(elements as number[]);
}

/** Two whole numbers, one of them unknown: what is certain anyway, else a new unknown that says how it was made. */
function unknown(op: string, sign: string, a: Dim, b: Dim): Dim {
  if (op === 'Mul' && (a === 0 || b === 0)) return 0;
  if (op === 'Add' && a === 0) return b;
  if ((op === 'Add' || op === 'Sub') && b === 0) return a;
  if (op === 'Mul' && a === 1) return b;
  if ((op === 'Mul' || op === 'Div') && b === 1) return a;
  return { symbol: `(${showDim(a)} ${sign} ${showDim(b)})`.slice(0, 400) };
}

export function foldBinary(call: Call, a: Constant, b: Constant): Constant {
  const { sign, compute, bool: comparison } = binaries[call.op]!;
  const shape = broadcastShape(a.shape, b.shape);
  if (!shape) call.fail('MODEL_SHAPE', 'its constants do not fit', { found: `[${a.shape}] and [${b.shape}]` });
  const x = take(a, broadcastTo(a.shape, shape)) as ArrayLike<Dim>;
  const y = take(b, broadcastTo(b.shape, shape)) as ArrayLike<Dim>;
  const whole = a.type !== 'float';
  const elements = Array.from({ length: x.length }, (_, i): Dim => {
    const p = x[i]!;
    const q = y[i]!;
    if (isUnknown(p) || isUnknown(q)) return unknown(call.op, sign, p, q);
    const value = compute(p, q);
    return call.op === 'Div' && whole ? Math.trunc(value) : value;
  });
  const type = comparison ? 'bool' : a.type;
  const made = constant(type, shape, arrayOf(type, elements));
  // A code's offset, added in a node of its own.
  const coded = call.op === 'Add' && a.coding !== 'half' && a.coding?.offsets === undefined ? a.coding : undefined;
  const shifts = coded && y instanceof Float32Array && x.length === a.data.length;
  return shifts ? { ...made, coding: { ...coded, offsets: y } } : made;
}

export function foldUnary(call: Call, x: Constant): Constant {
  const compute = unaries[call.op]!;
  const elements = Array.from(
    x.data as ArrayLike<Dim>,
    (element): Dim =>
      isUnknown(element) ? { symbol: `${call.op}(${element.symbol})`.slice(0, 400) } : compute(element),
  );
  return constant(x.type, x.shape, arrayOf(x.type, elements));
}

/** A cast: towards zero for whole numbers, 0 and 1 for truth. */
export function castTo(x: Constant, to: ElementType): Constant {
  if (x.type === to) return x;
  const elements = Array.from(x.data as ArrayLike<Dim>, (element): Dim => {
    if (isUnknown(element)) return element;
    return to === 'int' ? Math.trunc(element) : to === 'bool' ? bool(element !== 0) : element;
  });
  return constant(to, x.shape, arrayOf(to, elements));
}

export const foldableBinaries = Object.keys(binaries);
export const foldableUnaries = Object.keys(unaries);
