// Sparse products beside dense ones, kernel by kernel: where lowering should choose which (packages/runtime/src/lower/linear.ts).
//
//   node bench/sparse-kernels.mjs [H …] [--only linearI8] [--node current]
//
// Times of the sparse kernels relative to the dense one for a matrix of 4H × H of which tiles, or single weights, are kept at random, by the
// share kept, for one row a call and for 16, interleaved; then the share at which they cost the same.
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { runUnderCurrentNode } from './lib/node.mjs';
import { randomNumbers } from './lib/weights.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, node: { type: 'string' }, rounds: { type: 'string', default: '25' } },
});
const folder = fileURLToPath(new URL('.', import.meta.url));
runUnderCurrentNode(folder, fileURLToPath(import.meta.url), options.node);

const { outputFiles } = await build({
  stdin: {
    contents: `
      export { simd128Engine, relaxedEngine } from './engine/wasm/index.ts';
      export { instructionSet, instructionWords, memoryMap, opcodeNames } from './lower/opcodes.ts';`,
    resolveDir: fileURLToPath(new URL('../packages/runtime/src', import.meta.url)),
    loader: 'ts',
  },
  bundle: true,
  format: 'esm',
  write: false,
});
const { simd128Engine, relaxedEngine, instructionSet, instructionWords, memoryMap, opcodeNames } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
);

const sizes = positionals.length > 0 ? positionals.map(Number) : [64, 128, 256, 512, 1024];
const kinds = {
  tiles: {
    densities: [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
    ops: { linearF32: 'sparseF32', linearI8: 'sparseI8', linearI4: 'sparseI4' },
    /** Strips of 8 rows in pairs of about as many tiles of 8 × 4. */
    index: (H, kept) => lists(H / 2, H / 4, 2, kept, lineByLine),
  },
  weights: {
    densities: [0.01, 0.02, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4],
    ops: { linearF32: 'csrF32' },
    /** Rows in fours of about as many weights. */
    index: (H, kept) => lists(4 * H, H, 4, kept, byTurns),
  },
};
const most = 16;

function encode(op, operands) {
  const words = instructionSet[op].flatMap(([name, kind]) => operands[name] ?? (kind === 'ref' ? [0, 0] : [0]));
  return [opcodeNames.indexOf(op) | (instructionWords(op) << 8), ...words, opcodeNames.indexOf('end') | 256];
}

/** µs per call of every program: the medians of rounds in which each has its turn. */
function interleaved(run, programs) {
  // Until every kernel has been compiled for good.
  for (const at of programs) for (const until = performance.now() + 60; performance.now() < until; ) run(at);
  const calls = programs.map((at) => {
    for (let count = 1; ; count *= 2) {
      const time = timed(run, at, count);
      if (time > 300) return Math.max(1, Math.round((count * 300) / time));
    }
  });
  const times = programs.map(() => []);
  for (let round = 0; round < Number(options.rounds); round++) {
    programs.forEach((at, i) => {
      times[i].push(timed(run, at, calls[i]) / calls[i]);
    });
  }
  return times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
}

function timed(run, at, calls) {
  const start = performance.now();
  for (let i = 0; i < calls; i++) run(at);
  return (performance.now() - start) * 1000;
}

/** What all lines of a group have by turns, then what the longer ones have more. */
function byTurns(group) {
  const shared = group[0].length;
  const turns = Array.from({ length: shared }, (_, k) => group.map((own) => own[k]));
  return [...turns, ...group.map((own) => own.slice(shared))].flat();
}

const lineByLine = (group) => group.flat();

/** As the kernels want it: lines of a matrix by so many, sorted by what is kept of them; their numbers, counts and places. */
function lists(lines, places, together, kept, order) {
  const sorted = Array.from({ length: lines }, (_, line) => {
    return { line, own: Array.from({ length: places }, (__, place) => place).filter(kept) };
  }).sort((a, b) => a.own.length - b.own.length);
  const out = [];
  for (let i = 0; i < lines; i += together) {
    const group = sorted.slice(i, i + together);
    out.push(
      ...group.map(({ line }) => line),
      ...group.map(({ own }) => own.length),
      ...order(group.map(({ own }) => own)),
    );
  }
  return Uint16Array.from(out);
}

function measure(engine, dense, kind, H) {
  const { densities, ops, index } = kinds[kind];
  const rows = 4 * H;
  const strips = rows / 16;
  const weightBytes = { linearF32: 4, linearI8: 1, linearI4: 0.5 }[dense] * rows * H;
  const next = randomNumbers(H);
  const indices = densities.map((density) => index(H, () => (next() + 1) / 2 < density));
  const parts = { x: most * H * 4, codes: most * H, meta: most * 16, y: most * rows * 4, weights: weightBytes };
  const constants = { scales: rows * 4, start: rows * 4, tables: rows, code: 4096 };
  indices.forEach((list, i) => {
    constants[`index${i}`] = list.byteLength;
  });
  const at = {};
  let end = 128;
  for (const [name, bytes] of Object.entries({ ...parts, ...constants })) {
    at[name] = end;
    end += Math.ceil(bytes / 64) * 64 + 64;
  }
  const machine = engine.create(end);
  const { buffer } = machine.memory;
  const floats = new Float32Array(buffer);
  const words = new Int32Array(buffer);
  const bytes = new Uint8Array(buffer);
  words[memoryMap.registers >> 2] = 1;
  floats.fill(0.01, at.x >> 2, (at.x >> 2) + most * H);
  floats.fill(1e-3, at.scales >> 2, (at.scales >> 2) + rows);
  if (dense === 'linearF32') floats.fill(0.01, at.weights >> 2, (at.weights + weightBytes) >> 2);
  else bytes.fill(3, at.weights, at.weights + weightBytes);
  indices.forEach((list, i) => {
    bytes.set(new Uint8Array(list.buffer), at[`index${i}`]);
  });
  const operands = {
    ...{ rows: memoryMap.registers, dst: [at.y, rows * 4], weights: at.weights, strips, k: H },
    ...{ src: [at.x, H * 4], codes: [at.codes, H], meta: [at.meta, 16], scales: at.scales, start: at.start },
    ...{ digits: 1, plane: H, tables: at.tables },
  };
  const programs = [];
  let code = at.code >> 2;
  for (const program of [
    encode(dense, operands),
    ...indices.map((_, i) => encode(ops[dense], { ...operands, index: at[`index${i}`] })),
  ]) {
    words.set(program, code);
    programs.push(code << 2);
    code += program.length;
  }
  for (const batch of [1, most]) {
    words[memoryMap.batch >> 2] = batch;
    const [base, ...times] = interleaved((pc) => machine.run(pc), programs);
    const ratios = times.map((time) => time / base);
    const cells = ratios.map((ratio) => ratio.toFixed(2).padStart(6)).join('');
    const line = `${engine.name.padEnd(8)} ${dense.padEnd(10)}${kind.padEnd(8)}H=${String(H).padEnd(5)}${String(batch).padStart(3)} rows`;
    console.log(`${line}${(base / batch).toFixed(2).padStart(9)} µs ${cells}   even at ${crossing(ratios, densities)}`);
  }
}

/** The density from which on the sparse kernel is no longer faster, between the measured ones. */
function crossing(ratios, densities) {
  const after = ratios.findIndex((ratio) => ratio >= 1);
  if (after < 0) return '> 1';
  if (after === 0) return `< ${densities[0]}`;
  const [low, high] = [ratios[after - 1], ratios[after]];
  const share = (1 - low) / (high - low);
  return (densities[after - 1] + share * (densities[after] - densities[after - 1])).toFixed(2);
}

console.log(`Node ${process.versions.node}, ${cpus()[0].model}: time of sparse / dense by the share kept`);
for (const [kind, { densities, ops }] of Object.entries(kinds)) {
  console.log(`${kind.padEnd(54)}${densities.map((density) => density.toFixed(2).padStart(6)).join('')}`);
  for (const engine of [simd128Engine, relaxedEngine]) {
    if (engine.unavailable() !== undefined) continue;
    for (const dense of Object.keys(ops)) {
      // The relaxed build differs in integer products only.
      if (dense === 'linearF32' && engine === relaxedEngine) continue;
      if (options.only && !`${kind} ${dense}`.includes(options.only)) continue;
      for (const H of sizes) measure(engine, dense, kind, H);
    }
  }
}
