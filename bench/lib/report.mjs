const at = (rows, cell, units, name, type) =>
  rows.find((row) => row.cell === cell && row.units === units && row.name === name && row.type === type);

/** A table of one cell and size, with ratios to onnxruntime-web's float32. */
export function table(rows, { node, cpu }) {
  const base = rows.find((row) => row.name === 'onnxruntime-web' && row.type === 'float32');
  const lines = rows.map(({ name, version, type, oneStep, manySteps, difference }) =>
    [
      `${name} ${version}`.padEnd(28),
      type.padEnd(8),
      oneStep.toFixed(2).padStart(10),
      (base ? `${(base.oneStep / oneStep).toFixed(2)}×` : '').padStart(9),
      manySteps.toFixed(2).padStart(10),
      (base ? `${(base.manySteps / manySteps).toFixed(2)}×` : '').padStart(9),
      difference.toExponential(1).padStart(10),
    ].join(''),
  );
  const { cell, units } = rows[0];
  const head = `${'runtime'.padEnd(28)}${'weights'.padEnd(8)}${'µs, 1/call'.padStart(10)}${'× web'.padStart(9)}${'µs, 100'.padStart(10)}${'× web'.padStart(9)}${'max Δ'.padStart(10)}`;
  return `\n${cell.toUpperCase()} ${units} → ${units}, one thread, Node ${node}, ${cpu}\n${head}\n${lines.join('\n')}`;
}

/** The speeds the project has set itself (LSTM), and whether this run shows them. */
export function targets(rows) {
  const out = [];
  const units = [...new Set(rows.filter((row) => row.cell === 'lstm').map((row) => row.units))];
  for (const H of units) {
    const web = at(rows, 'lstm', H, 'onnxruntime-web', 'float32');
    const node = at(rows, 'lstm', H, 'onnxruntime-node', 'float32');
    const float = at(rows, 'lstm', H, 'gatefold simd128', 'float32');
    const claim = (text, ratio, wanted) =>
      out.push({
        text: `LSTM ${H}: ${text}: ${ratio.toFixed(2)}× (wanted ${wanted}×)`,
        ratio,
        wanted,
        reached: ratio >= wanted,
      });
    if (!web || !float) continue;
    claim('float32, 100 steps per call, against onnxruntime-web float32', web.manySteps / float.manySteps, 1);
    for (const [engine, many, small, middle] of [
      ['simd128', 1.8, 5, 2.5],
      ['relaxed', 3.5, 9, 5],
    ]) {
      const int8 = at(rows, 'lstm', H, `gatefold ${engine}`, 'int8');
      if (!int8) continue;
      if (H >= 128)
        claim(
          `int8 ${engine}, 100 steps per call, against onnxruntime-web float32`,
          web.manySteps / int8.manySteps,
          many,
        );
      if (H > 256) continue;
      const wanted = H <= 128 ? small : middle;
      claim(`int8 ${engine}, one step per call, against onnxruntime-web float32`, web.oneStep / int8.oneStep, wanted);
      if (node)
        claim(
          `int8 ${engine}, one step per call, against onnxruntime-node float32`,
          node.oneStep / int8.oneStep,
          wanted,
        );
    }
  }
  return out;
}
