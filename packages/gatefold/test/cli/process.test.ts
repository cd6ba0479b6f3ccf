import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeGatefold } from '@gatefold/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cellChoices, smallModel } from '../../../runtime/test/support/models.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const main = join(root, 'packages/gatefold/dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'gatefold-process-'));
const at = (name: string) => join(folder, name);

// The command is tested as it is shipped.
beforeAll(() => {
  spawnSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-changed'], { stdio: 'inherit' });
  writeFileSync(at('m.gatefold'), writeGatefold(smallModel(7, cellChoices.lstm!, { features: 5, units: 8 })));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('loads no library that only some commands need', () => {
  for (const [i, args] of [['--version'], ['--help'], ['quantize', '--help']].entries()) {
    const coverage = at(`coverage-${i}`);
    const { status } = spawnSync(process.execPath, [main, ...args], {
      env: { ...process.env, NODE_V8_COVERAGE: coverage },
    });
    expect(status).toBe(0);
    const [report] = readdirSync(coverage);
    const scripts = JSON.parse(readFileSync(join(coverage, report!), 'utf8')).result as { url: string }[];
    expect(scripts.some(({ url }) => url.includes('commander'))).toBe(true);
    const heavy = scripts.filter(({ url }) => /node_modules\/(zod|yaml|echarts|zrender|csv-parse|fflate)\//.test(url));
    expect(heavy).toEqual([]);
  }
});

describe.skipIf(process.platform === 'win32')('an interrupt', () => {
  /** Modules that say when work that never ends has begun. */
  const spin = `process.stderr.write('begun\\n'); for (;;);`;
  const data = `count: 1, inputs: { x: { shape: [1, 2, 5], data: new Float32Array(10) } }`;
  const table: [string, string, string[]][] = [
    ['eval in the midst of a computation', `export default { ${data}, evaluate: () => { ${spin} } };`, ['eval']],
    ['quantize before it writes', `export default () => { ${spin} };`, ['quantize', '-o', at('never.gatefold')]],
    [
      'compare that waits',
      `export default { ${data}, evaluate: () => { process.stderr.write('begun\\n'); return new Promise((end) => setTimeout(end, 1e6, {})); } };`,
      ['compare', at('m.gatefold')],
    ],
  ];
  it.each(table)('ends %s within a second and leaves nothing', async (_, module, [command, ...args]) => {
    writeFileSync(at('d.mjs'), module);
    const before = readdirSync(folder);
    const child = spawn(process.execPath, [main, command!, at('m.gatefold'), ...args, '--data', at('d.mjs')]);
    const ended = new Promise<string | number | null>((done) =>
      child.on('exit', (code, signal) => done(signal ?? code)),
    );
    await new Promise<void>((begun) => child.stderr.on('data', (text) => String(text).includes('begun') && begun()));
    const start = performance.now();
    child.kill('SIGINT');
    expect(await ended).toBe('SIGINT');
    expect(performance.now() - start).toBeLessThan(1000);
    expect(readdirSync(folder)).toEqual(before);
  });
});
