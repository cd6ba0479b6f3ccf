import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

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

/** Installs the peers into the bench's own folder, once. */
export function installPeers(folder) {
  if (existsSync(`${folder}node_modules/onnxruntime-web`)) return;
  console.error('Installing the peers into bench/ …');
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    env,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}

/** Runs the script again under another Node, with all options but --node, and ends as it ends. */
export function rerunWith(binary, script) {
  const rest = process.argv.slice(2).filter((argument, i, all) => argument !== '--node' && all[i - 1] !== '--node');
  process.exit(spawnSync(binary, [script, ...rest], { stdio: 'inherit' }).status ?? 1);
}
