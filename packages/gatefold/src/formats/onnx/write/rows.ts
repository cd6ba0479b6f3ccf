import { decode, float16From, partsOf, type SimpleEncoding, type Weight } from '@gatefold/runtime';

/** Rows of a matrix as they are coded, each row with its own numbers, so that rows can be put in another order. */
export type Rows =
  | { readonly kind: 'float'; readonly columns: number; readonly values: Float32Array }
  | { readonly kind: 'half'; readonly columns: number; readonly values: Float32Array }
  | {
      readonly kind: 'affine';
      readonly columns: number;
      readonly bits: number;
      readonly codes: Int16Array;
      readonly scales: Float32Array;
      readonly offsets: Float32Array | undefined;
    }
  | {
      readonly kind: 'levels';
      readonly columns: number;
      /** Places in `levels`. */
      readonly codes: Uint16Array;
      readonly levels: Float32Array;
      readonly scales: Float32Array;
    };

function spread(values: Float32Array, rowsPerGroup: number, rows: number): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => values[Math.floor(row / rowsPerGroup)]!);
}

function rowsOfSimple(encoding: SimpleEncoding, rows: number, columns: number): Rows {
  if (encoding.kind === 'dense') {
    const kind = encoding.type === 'f32' ? ('float' as const) : ('half' as const);
    return { kind, columns, values: encoding.values };
  }
  const scales = spread(encoding.scales, encoding.rowsPerGroup, rows);
  if (encoding.kind === 'affine') {
    const offsets = encoding.offsets && spread(encoding.offsets, encoding.rowsPerGroup, rows);
    return { kind: 'affine', columns, bits: encoding.bits, codes: Int16Array.from(encoding.codes), scales, offsets };
  }
  const size = 1 << encoding.bits;
  const codes = Uint16Array.from(
    encoding.codes,
    (code, i) => Math.floor(Math.floor(i / columns) / encoding.rowsPerTable) * size + code,
  );
  return { kind: 'levels', columns, codes, levels: encoding.levels, scales };
}

/** The rows of a weight [rows, columns], part by part where it is coded in parts; tables too large for places are decoded. */
export function rowsOf(weight: Weight): { from: number; rows: number; coded: Rows }[] {
  const [rows = 0, columns = 1] = weight.shape;
  return partsOf(weight.encoding, rows).map((part) => {
    const { encoding } = part;
    const decoded = () => decode({ encoding, shape: [part.rows, columns] });
    const large = encoding.kind === 'levels' && encoding.levels.length > 1 << 16;
    const coded: Rows = large
      ? { kind: 'float', columns, values: decoded() }
      : rowsOfSimple(encoding, part.rows, columns);
    return { from: part.from, rows: part.rows, coded };
  });
}

/** Some rows, in the order given, each with its columns in an order; `negate` turns their signs. */
export function pickRows(
  coded: Rows,
  rows: readonly number[],
  order: readonly number[] | undefined,
  negate = false,
): Rows {
  const { columns } = coded;
  const move = <T extends Float32Array | Int16Array | Uint16Array>(from: T): T => {
    const out = from.slice(0, rows.length * columns) as T;
    rows.forEach((row, r) => {
      for (let k = 0; k < columns; k++) out[r * columns + k] = from[row * columns + (order?.[k] ?? k)]!;
    });
    return out;
  };
  const sign = negate ? -1 : 1;
  const each = (values: Float32Array) => Float32Array.from(rows, (row) => values[row]! * sign);
  if (coded.kind === 'affine') {
    return {
      ...coded,
      codes: move(coded.codes),
      scales: each(coded.scales),
      offsets: coded.offsets && each(coded.offsets),
    };
  }
  if (coded.kind === 'levels') return { ...coded, codes: move(coded.codes), scales: each(coded.scales) };
  const values = move(coded.values);
  return { ...coded, values: negate ? values.map((n) => -n) : values };
}

/** Neighbours that are coded alike become one. */
export function mergeRows(parts: readonly Rows[]): Rows[] {
  const out: Rows[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    const merged = last && join(last, part);
    if (merged) out[out.length - 1] = merged;
    else out.push(part);
  }
  return out;
}

function together<T extends Float32Array | Int16Array | Uint16Array>(a: T, b: T): T {
  const out = new (a.constructor as new (n: number) => T)(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function join(a: Rows, b: Rows): Rows | undefined {
  if (a.kind === 'affine' && b.kind === 'affine' && a.bits === b.bits && !a.offsets === !b.offsets) {
    return {
      ...a,
      codes: together(a.codes, b.codes),
      scales: together(a.scales, b.scales),
      offsets: a.offsets && together(a.offsets, b.offsets!),
    };
  }
  if (a.kind === 'levels' && b.kind === 'levels' && a.levels === b.levels) {
    return { ...a, codes: together(a.codes, b.codes), scales: together(a.scales, b.scales) };
  }
  if ((a.kind === 'float' || a.kind === 'half') && a.kind === b.kind) {
    return { ...a, values: together(a.values, (b as typeof a).values) };
  }
  return undefined;
}

export function halfBytes(values: Float32Array): Uint8Array {
  const out = new DataView(new ArrayBuffer(values.length * 2));
  for (let i = 0; i < values.length; i++) out.setUint16(i * 2, float16From(values[i]!), true);
  return new Uint8Array(out.buffer);
}
