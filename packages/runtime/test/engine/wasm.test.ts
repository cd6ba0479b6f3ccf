import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import type { Engine, Machine } from '../../src/engine/types.ts';
import { WasmEngine } from '../../src/engine/wasm/engine.ts';
import { relaxed, simd128 } from '../../src/engine/wasm/generated/kernels.ts';
import { bestEngine, relaxedEngine, simd128Engine } from '../../src/engine/wasm/index.ts';
import { probeBytes, probeDotProducts } from '../../src/engine/wasm/probe.ts';
import { unpack } from '../../src/engine/wasm/unpack.ts';
import { GatefoldError } from '../../src/errors/index.ts';

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return error instanceof GatefoldError ? error.code : String(error);
  }
  return undefined;
}

describe('the memory of a machine', () => {
  it('grows and keeps its contents', () => {
    const machine = simd128Engine.create(100);
    new Uint8Array(machine.memory.buffer)[99] = 7;
    const before = machine.memory.buffer;
    machine.reserve(200_000);
    expect(machine.memory.buffer.byteLength).toBeGreaterThanOrEqual(200_000);
    expect(machine.memory.buffer).not.toBe(before);
    expect(new Uint8Array(machine.memory.buffer)[99]).toBe(7);
  });

  it('stays as it is where it is large enough', () => {
    const machine = simd128Engine.create(200_000);
    const before = machine.memory.buffer;
    machine.reserve(100_000);
    expect(machine.memory.buffer).toBe(before);
  });

  it('is refused with a code where it cannot be had', () => {
    expect(codeOf(() => simd128Engine.create(2 ** 40))).toBe('MEMORY_LIMIT');
    expect(codeOf(() => simd128Engine.create(16).reserve(2 ** 40))).toBe('MEMORY_LIMIT');
  });
});

describe('engines', () => {
  it('compile ahead', async () => {
    const engine = new WasmEngine('simd128', simd128);
    await engine.prepare();
    expect(engine.unavailable()).toBeUndefined();
    expect(engine.create(16).memory.buffer.byteLength).toBe(65536);
  });

  it('say why they do not run', () => {
    const broken = new WasmEngine('broken', simd128.slice(0, -20));
    expect(broken.unavailable()).toBe('WebAssembly lacks broken instructions');
    expect(codeOf(() => broken.create(16))).toBe('ENGINE_UNAVAILABLE');
    const inexact = new WasmEngine('inexact', simd128, () => 'it is wrong');
    expect(inexact.unavailable()).toBe('it is wrong');
    expect(codeOf(() => inexact.create(16))).toBe('ENGINE_UNAVAILABLE');
  });

  it('the relaxed one is the best where it runs', () => {
    const expected: Engine = relaxedEngine.unavailable() === undefined ? relaxedEngine : simd128Engine;
    expect(bestEngine()).toBe(expected);
  });

  it('carry no data segment, for the memory is the program’s', () => {
    for (const text of [simd128, relaxed]) {
      const binary = unpack(text);
      const sections: number[] = [];
      for (let at = 8; at < binary.length; ) {
        sections.push(binary[at++]!);
        let size = 0;
        for (let shift = 0; ; shift += 7) {
          const byte = binary[at++]!;
          size |= (byte & 127) << shift;
          if (byte < 128) break;
        }
        at += size;
      }
      expect(sections).not.toContain(11);
    }
  });
});

describe('the probe', () => {
  it('accepts exact products', () => {
    expect(probeDotProducts(simd128Engine.create(probeBytes))).toBeUndefined();
  });

  /** A machine whose outputs from the given call on are spoilt. */
  function spoilt(from: number, spoil: (value: number) => number): Machine {
    const machine = simd128Engine.create(probeBytes);
    let calls = 0;
    return {
      memory: machine.memory,
      reserve: () => {},
      run(pc) {
        machine.run(pc);
        if (calls++ < from) return;
        const floats = new Float32Array(machine.memory.buffer);
        for (let i = 0; i < floats.length; i++) if (Math.abs(floats[i]!) > 1e6) floats[i] = spoil(floats[i]!);
      },
    };
  }

  it.each([
    ['doubled sums', 0, (value: number) => 2 * value],
    ['a forgotten accumulator', 0, (value: number) => value - 12345],
    ['a tier that is reached late', 40, (value: number) => value + 1],
  ])('refuses %s', (_, from, spoil) => {
    expect(probeDotProducts(spoilt(from, spoil))).toContain('not exact');
  });

  // V8 of Node 20 has relaxed SIMD behind a flag and computes it wrongly in its first tier. Elsewhere there is no such
  // engine to try.
  it.runIf(process.version.startsWith('v20.'))('catches V8 of Node 20', async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { bestEngine, relaxedEngine } from './index.ts';
          console.log(relaxedEngine.unavailable(), bestEngine().name);`,
        resolveDir: fileURLToPath(new URL('../../src/engine/wasm', import.meta.url)),
        loader: 'ts',
      },
      bundle: true,
      format: 'esm',
      write: false,
    });
    const { stdout } = spawnSync(process.execPath, ['--experimental-wasm-relaxed-simd', '--input-type=module', '-'], {
      input: outputFiles[0]!.text,
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/not exact.* simd128\n$/);
  });
});
