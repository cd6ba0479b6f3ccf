import { isKind, itemsOf, type Value } from '../values.ts';
import type { Handler } from './arguments.ts';

type Plain = number | string | boolean | null;

const isPlain = (value: Value | undefined): value is Plain =>
  value !== undefined && (typeof value !== 'object' || value === null);

/** A comparison of numbers, texts and truths. */
const compare =
  (holds: (a: Plain, b: Plain) => boolean): Handler =>
  ({ given: [a, b], place }) =>
    isPlain(a) && isPlain(b) ? holds(a, b) : { kind: 'unknown', why: `${place} compares what is not known` };

const ordered = (holds: (a: number, b: number) => boolean) => compare((a, b) => holds(Number(a), Number(b)));

/** Whether something is None: the only thing that code compares so. */
const isNone =
  (expected: boolean): Handler =>
  ({ given: [a = null, b = null], place }) =>
    isKind(a, 'unknown') || isKind(b, 'unknown')
      ? { kind: 'unknown', why: `${place} asks for what is not known` }
      : (a === b) === expected;

const dim: Handler = ({ given: [x] }) =>
  isKind(x, 'value') && x.axes ? x.axes.length : { kind: 'unknown', why: 'dimensions of the input are asked for' };

const contains: Handler = ({ given: [list, item], place }) => {
  const items = itemsOf(list);
  return items && isPlain(item)
    ? items.includes(item)
    : { kind: 'unknown', why: `${place} looks for what is not known` };
};

const not: Handler = ({ given: [a], place }) =>
  typeof a === 'boolean' ? !a : { kind: 'unknown', why: `${place} turns what is not known` };

/** Asks something of a value and leaves it as it is; what the answer is does not matter, unless it is used. */
const asked: Handler = ({ place }) => ({ kind: 'unknown', why: `${place} is used` });

/** What code computes beside values: mostly in checks of what it is given. */
export const logic: Readonly<Record<string, Handler>> = {
  eq: compare((a, b) => a === b),
  ne: compare((a, b) => a !== b),
  lt: ordered((a, b) => a < b),
  gt: ordered((a, b) => a > b),
  le: ordered((a, b) => a <= b),
  ge: ordered((a, b) => a >= b),
  __is__: isNone(true),
  __isnot__: isNone(false),
  __not__: not,
  __contains__: contains,
  dim,
  ...Object.fromEntries(['size', 'len', 'numel', 'format'].map((name) => [name, asked])),
};

/** Functions that stand outside of torch and only ask. */
export const questions: ReadonlySet<string> = new Set([
  'ops.prim.dtype',
  'ops.prim.device',
  'ops.prim.NumToTensor',
  'int',
]);
