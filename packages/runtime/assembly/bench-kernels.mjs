// Times the kernels of a recurrent layer with as many inputs as units (matrix 4H × 2H) on this machine:
//
//   node packages/runtime/assembly/bench-kernels.mjs [H …]
//
// µs per row (the best of many runs) and GFLOP/s (2 per weight), for one row a call and for 100; build first.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const { outputFiles } = await build({
  stdin: {
    contents: `
      export { simd128Engine, relaxedEngine } from './engine/wasm/index.ts';
      export { instructionSet, instructionWords, memoryMap, opcodeNames } from './lower/opcodes.ts';`,
    resolveDir: fileURLToPath(new URL('../src', import.meta.url)),
    loader: 'ts',
  },
  bundle: true,
  format: 'esm',
  write: false,
});
const { simd128Engine, relaxedEngine, instructionSet, instructionWords, memoryMap, opcodeNames } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
);

const sizes = process.argv.slice(2).map(Number);
const ROWS = 100;

function encode(op, operands) {
  const words = instructionSet[op].flatMap(([name, kind]) => operands[name] ?? (kind === 'ref' ? [0, 0] : [0]));
  return [opcodeNames.indexOf(op) | (instructionWords(op) << 8), ...words];
}

/** The best time of one call in µs. */
function best(run) {
  let least = Number.POSITIVE_INFINITY;
  const until = performance.now() + 250;
  while (performance.now() < until) {
    const start = performance.now();
    let calls = 0;
    do {
      run();
      calls++;
    } while (performance.now() - start < 2);
    least = Math.min(least, (1000 * (performance.now() - start)) / calls);
  }
  return least;
}

function measure(engine, H) {
  const rows = 4 * H;
  const k = 2 * H;
  const parts = { x: ROWS * k * 4, codes: ROWS * k * 2, meta: ROWS * 16, y: ROWS * rows * 4, c: ROWS * H * 4 };
  const constants = { w: rows * k * 4, scales: rows * 4, start: rows * 4, tables: rows, code: 4096 };
  const at = {};
  let next = 128;
  for (const [name, bytes] of Object.entries({ ...parts, ...constants })) {
    at[name] = next;
    next += Math.ceil(bytes / 64) * 64 + 64;
  }
  const machine = engine.create(next);
  const { buffer } = machine.memory;
  const floats = new Float32Array(buffer);
  const words = new Int32Array(buffer);
  const bytes = new Uint8Array(buffer);
  for (let i = 0; i < ROWS * k; i++) floats[(at.x >> 2) + i] = Math.sin(i);
  words[memoryMap.registers >> 2] = 1;
  const src = [at.x, k * 4];
  const codes = [at.codes, k * 2];
  const meta = [at.meta, 16];
  const dst = [at.y, rows * 4];
  const common = { rows: memoryMap.registers, dst, weights: at.w, strips: rows / 16, k };
  const integer = { ...common, codes, meta, scales: at.scales, start: at.start, digits: 1, plane: k };
  const float = (value) => new Int32Array(new Float32Array([value]).buffer)[0];
  const quantize = {
    rows: memoryMap.registers,
    src,
    codes,
    meta,
    n: k,
    digits: 1,
    zero: 64,
    limit: float(63),
    plane: k,
  };
  const instructions = {
    linearF32: encode('linearF32', { ...common, src }),
    linearCodes: encode('linearCodes', { ...common, src, scales: at.scales }),
    linearI8: encode('linearI8', integer),
    linearI8x2: encode('linearI8', { ...integer, digits: 2 }),
    linearI4: encode('linearI4', { ...integer, tables: at.tables }),
    quantize: encode('quantize', quantize),
    lstm: encode('lstm', { z: dst, c: [at.c, H * 4], h: [at.x, H * 4], n: H, gate: H }),
  };
  for (const [name, instruction] of Object.entries(instructions)) {
    // Values that stay ordinary: weights of any kind are small and the codes are codes.
    floats.fill(1e-3, at.scales >> 2, (at.scales >> 2) + rows);
    if (name === 'linearF32') floats.fill(0.01, at.w >> 2, (at.w >> 2) + rows * k);
    else bytes.fill(3, at.w, at.w + rows * k * 4);
    words.set([...instruction, opcodeNames.indexOf('end') | 256], at.code >> 2);
    const times = [1, ROWS].map((batch) => {
      words[memoryMap.batch >> 2] = batch;
      return best(() => machine.run(at.code)) / batch;
    });
    const flops = name.startsWith('linear') ? 2 * rows * k : 0;
    const cells = times.map(
      (t) => `${t.toFixed(2).padStart(9)} µs${flops ? (flops / t / 1000).toFixed(1).padStart(7) : '       '}`,
    );
    console.log(`${engine.name.padEnd(8)} H=${String(H).padEnd(5)}${name.padEnd(12)}${cells.join('')}`);
  }
}

console.log(`Node ${process.versions.node}: µs and GFLOP/s per row, 1 row | ${ROWS} rows a call`);
for (const engine of [simd128Engine, relaxedEngine]) {
  if (engine.unavailable() !== undefined) continue;
  for (const H of sizes.length > 0 ? sizes : [64, 128, 256, 512, 1024]) measure(engine, H);
}
