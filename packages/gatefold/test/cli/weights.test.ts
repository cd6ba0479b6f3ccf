import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { exitCodeOf, reportError } from '../../src/cli/context.ts';
import { buildProgram } from '../../src/cli/program.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../../../fixtures/torch/${name}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gatefold-weights-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** The command inside this process. */
async function gatefold(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  let status = 0;
  try {
    await buildProgram(new AbortController().signal).parseAsync(['node', 'gatefold', ...args]);
  } catch (error) {
    reportError(error, false);
    status = exitCodeOf(error);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return { status, ...written };
}

describe('files of weights on the command line', () => {
  it('says what inspect and convert took for granted', async () => {
    for (const args of [
      ['inspect', fixture('state.pt')],
      ['convert', fixture('state.pt'), '-o', at('said.gatefold')],
      ['inspect', at('said.gatefold')],
    ]) {
      const { status, stderr } = await gatefold(...args);
      expect(status).toBe(0);
      expect(stderr).toContain('Taken for granted');
      expect(stderr).toContain('the head acts on the last step');
    }
    const { stdout } = await gatefold('inspect', fixture('state.pt'), '--json');
    expect(JSON.parse(stdout).assumptions).toHaveLength(3);
    expect((await gatefold('inspect', fixture('module-lstm.pt'))).stderr).toBe('');
  });

  it('asks for an architecture, writes its template, and reads by it', async () => {
    const asked = await gatefold('inspect', fixture('deep.pt'));
    expect(asked.status).toBe(3);
    expect(asked.stderr).toContain('MODEL_NO_ARCHITECTURE');
    expect(asked.stderr).toContain('--template');
    const { stdout } = await gatefold('inspect', fixture('deep.pt'), '--template');
    writeFileSync(at('arch.yaml'), stdout);
    const read = await gatefold('inspect', fixture('deep.pt'), '--arch', at('arch.yaml'));
    expect(read.status).toBe(0);
    expect(read.stdout).toContain('head.3');
    expect(read.stderr).toBe('');
  });

  it('has no template for a file with a graph', async () => {
    await gatefold('convert', fixture('state.pt'), '-o', at('graph.gatefold'));
    const { status, stderr } = await gatefold('inspect', at('graph.gatefold'), '--template');
    expect(status).toBe(2);
    expect(stderr).toContain('only files of weights');
  });

  it('compresses a file that needs an architecture into one of the same form, and measures it', async () => {
    writeFileSync(at('deep.yaml'), (await gatefold('inspect', fixture('deep.pt'), '--template')).stdout);
    const { status, stdout, stderr } = await gatefold(
      ...['quantize', fixture('deep.pt'), '--arch', at('deep.yaml'), '--bits', '8', '-o', at('deep8.pt')],
    );
    expect(stderr).toContain('the file holds floating-point values');
    expect(status).toBe(0);
    expect(stdout).toContain('wrote');
    expect(readFileSync(at('deep8.pt')).length).toBe(readFileSync(fixture('deep.pt')).length);
  });

  it('writes a state dict where the form has no place for a graph, and says so', async () => {
    const { status, stderr } = await gatefold('convert', fixture('module.pt'), '-o', at('module.safetensors'));
    expect(status).toBe(0);
    expect(stderr).toContain('weights by name, without their network');
  });

  it('refuses a file that wants to run something', async () => {
    const { status, stderr } = await gatefold('inspect', fixture('evil.pt'));
    expect(status).toBe(3);
    expect(stderr).toContain('"posix.system", and nothing in a file is executed');
  });

  it('gives the graph of a model the weights of a Keras file, and says which', async () => {
    const keras = fileURLToPath(new URL('../../../../fixtures/keras/k2-sequential.h5', import.meta.url));
    await gatefold('convert', keras, '-o', at('unnamed.gatefold'));
    const { status, stderr } = await gatefold(
      'convert',
      at('unnamed.gatefold'),
      '--weights',
      keras,
      '-o',
      at('own.gatefold'),
    );
    expect(status).toBe(0);
    expect(stderr).toMatch(/weights of .*k2-sequential\.h5: .*gru/);
    expect((await gatefold('inspect', at('unnamed.gatefold'), '--weights', fixture('state.pt'))).status).toBe(2);
  });
});
