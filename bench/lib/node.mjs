import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { ensureInstalled } from '../../scripts/lib/install.mjs';

/** A current Node from npm's `node` package, installed once beside the peers. */
export function currentNode(folder) {
  const prefix = `${folder}node_modules/.cache/node`;
  const binary = `${prefix}/node_modules/node/bin/node`;
  if (!existsSync(binary)) {
    const { status } = spawnSync(
      'npm',
      ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, 'node@26'],
      { stdio: 'inherit' },
    );
    if (status !== 0 || !existsSync(binary)) throw new Error('a current Node could not be installed');
  }
  return binary;
}

/** Version of a peer, from its own package.json (which its export map may hide). */
export function installedVersion(name) {
  return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
}

/** Installs the peers into the folder of the benchmarks where they are not there yet. */
export function installPeers(folder) {
  ensureInstalled(folder, 'onnxruntime-web', { ONNXRUNTIME_NODE_INSTALL: 'skip' });
}

/** With `--node current` among the arguments: runs the script again under a current Node, and ends. */
export function runUnderCurrentNode(folder, script, wanted) {
  if (wanted !== 'current') return;
  const rest = process.argv.slice(2).filter((argument, i, all) => argument !== '--node' && all[i - 1] !== '--node');
  process.exit(spawnSync(currentNode(folder), [script, ...rest], { stdio: 'inherit' }).status ?? 1);
}
