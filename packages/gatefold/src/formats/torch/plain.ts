import { type PickleValue, PyDict, PyGlobal, PyList, PyObject } from '../pickle/index.ts';

/** Values that may still be looked at: shared lists could otherwise be copied without end. */
export interface Budget {
  left: number;
}

/** A pickled value as plain JSON, for people; undefined where it is no plain data, too much, or nested too deeply. */
export function plainOf(value: PickleValue | undefined, budget: Budget, depth = 0): unknown {
  if (--budget.left < 0) return undefined;
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (depth >= 3) return undefined;
  if (value instanceof PyList) {
    return value.items.length > 64 ? undefined : value.items.map((item) => plainOf(item, budget, depth + 1) ?? null);
  }
  const dict = value instanceof PyDict ? value : value instanceof PyObject ? namespaceOf(value) : undefined;
  if (dict && dict.entries.size <= 64) {
    const out: Record<string, unknown> = Object.create(null);
    for (const [key, item] of dict.entries) {
      const plain = plainOf(item, budget, depth + 1);
      if (typeof key === 'string' && plain !== undefined) out[key] = plain;
    }
    return out;
  }
  return undefined;
}

/** Settings often come as an argparse.Namespace or a dict of attributes. */
function namespaceOf(value: PyObject): PyDict | undefined {
  if (value.dict.entries.size > 0) return value.dict;
  return value.type instanceof PyGlobal && value.type.path === 'argparse.Namespace' && value.state instanceof PyDict
    ? value.state
    : undefined;
}
