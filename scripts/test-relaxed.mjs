// Runs the tests of the runtime and of training where relaxed SIMD exists and must be used: under this Node if it is new enough, otherwise
// under a current Node that is fetched from npm into node_modules/.cache, outside the lock file and the default install.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { at, root } from './lib/files.mjs';

const version = '26';
const prefix = at('node_modules/.cache/gatefold-node');
const windows = process.platform === 'win32';
const fetched = at('node_modules/.cache/gatefold-node/node_modules/node/bin', windows ? 'node.exe' : 'node');

// An empty module whose one function uses i32x4.relaxed_trunc_f32x4_s.
const relaxedModule = new Uint8Array([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 11, 1, 9, 0],
  ...[65, 0, 253, 17, 253, 129, 2, 11],
]);

function currentNode() {
  if (WebAssembly.validate(relaxedModule)) return process.execPath;
  if (!existsSync(fetched)) {
    console.log(`Node ${process.versions.node} has no relaxed SIMD: fetching Node ${version} from npm …`);
    mkdirSync(prefix, { recursive: true });
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', prefix];
    run('npm', [...args, `node@${version}`], { shell: windows });
  }
  return fetched;
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const tested = ['packages/runtime', 'packages/gatefold/test/train'];
const node = currentNode();
run(node, ['--version']);
run(node, [at('node_modules/vitest/vitest.mjs'), 'run', ...tested, ...process.argv.slice(2)], {
  env: { ...process.env, GATEFOLD_REQUIRE_RELAXED: '1' },
});
