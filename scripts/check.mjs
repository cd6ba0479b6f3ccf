// Everything that can be said about the code without running it: `npm run check`. One line per check; what a failed
// check printed follows its line.
import { spawnSync } from 'node:child_process';
import { at, root } from './lib/files.mjs';

const checks = [
  { name: 'types', args: [at('node_modules/typescript/bin/tsc'), '-b', '--pretty', 'false'] },
  {
    name: 'lint and format',
    args: [at('node_modules/@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '--max-diagnostics=50', '.'],
  },
  { name: 'import rules', args: [at('node_modules/vitest/vitest.mjs'), 'run', 'test/imports.test.ts'] },
  {
    name: 'unused code',
    args: [at('node_modules/knip/bin/knip.js'), '--no-progress', '--treat-config-hints-as-errors'],
  },
  { name: 'runtime size', args: [at('scripts/check-size.mjs')], show: true },
];

let failures = 0;
for (const { name, args, show } of checks) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  const isOk = status === 0;
  if (!isOk) failures++;
  console.log(`${isOk ? 'ok    ' : 'failed'} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  const output = `${stdout}${stderr}`.trimEnd();
  if ((show || !isOk) && output) console.log(output.replace(/^/gm, '       '));
}
process.exit(failures === 0 ? 0 : 1);
