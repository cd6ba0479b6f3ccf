// One set of random weights per cell and size, in Gatefold's layout: [gates · H, columns], gates as named.

export const gatesOf = { lstm: ['input', 'forget', 'output', 'candidate'], gru: ['update', 'reset', 'candidate'] };

/** Mulberry32 in ±1. */
export function randomNumbers(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
  };
}

/** A layer with H inputs and H units; GRU with the reset gate after the product. Glorot-like scales keep it alive. */
export function makeLayer(cell, units) {
  const next = randomNumbers(units * 7 + cell.length);
  const rows = gatesOf[cell].length * units;
  const values = (count, span) => Float32Array.from({ length: count }, () => next() * span);
  const span = Math.sqrt(3 / units);
  return {
    cell,
    units,
    W: values(rows * units, span),
    U: values(rows * units, span),
    b: values(rows, 0.1),
    ...(cell === 'gru' ? { bR: values(rows, 0.1) } : {}),
  };
}

export function makeInput(units, steps) {
  const next = randomNumbers(units + steps);
  return Float32Array.from({ length: units * steps }, () => next());
}

/** Rows of a [gates · H, columns] array with the gates in another order. */
export function reorderGates(layer, array, order) {
  const gates = gatesOf[layer.cell];
  const size = array.length / gates.length;
  const out = new Float32Array(array.length);
  order.forEach((gate, i) => {
    const from = gates.indexOf(gate) * size;
    out.set(array.subarray(from, from + size), i * size);
  });
  return out;
}

export function transpose(array, rows) {
  const columns = array.length / rows;
  const out = new Float32Array(array.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = array[r * columns + c];
  return out;
}

/** The layer with blocks of 8 rows × 4 columns of W and U removed at random, about the given share kept. */
export function pruneBlocks(layer, density) {
  const next = randomNumbers(layer.units + 5);
  const prune = (array) => {
    const columns = layer.units;
    const stays = Uint8Array.from({ length: array.length / 32 }, () => ((next() + 1) / 2 < density ? 1 : 0));
    return array.map((value, i) => {
      const block = (Math.floor(i / columns) >> 3) * (columns / 4) + ((i % columns) >> 2);
      return stays[block] ? value : 0;
    });
  };
  return { ...layer, W: prune(layer.W), U: prune(layer.U) };
}
