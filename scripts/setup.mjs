// Makes a fresh clone ready: a new enough Node, the dependencies of package-lock.json, a current build. Every script
// of package.json begins with it; it is silent when nothing is to do.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { at, root } from './lib/files.mjs';

checkNode();
installIfChanged();
run(process.execPath, ['scripts/build.mjs', '--if-changed']);

function checkNode() {
  const wanted = JSON.parse(readFileSync(at('package.json'), 'utf8')).engines.node.replace('>=', '');
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  console.error(`Gatefold needs Node ${wanted} or newer; this is Node ${process.versions.node} (${process.execPath}).`);
  process.exit(1);
}

function installIfChanged() {
  if (isInstalled()) return;
  console.error('Installing the dependencies (npm ci) …');
  // The tools are devDependencies: they are needed where NODE_ENV or npm's settings would leave them out, too.
  const options = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['ci', ...options], { shell: process.platform === 'win32' });
}

/** npm writes down what it installed: it must be what the lock file asks for, other platforms' packages aside. */
function isInstalled() {
  if (!existsSync(at('node_modules/.package-lock.json'))) return false;
  const packagesOf = (path) => JSON.parse(readFileSync(at(path), 'utf8')).packages;
  const installed = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).every(([path, { version, link, optional, devOptional }]) => {
    if (!path.startsWith('node_modules/') || link) return true;
    const found = installed[path];
    return found ? found.version === version : Boolean(optional || devOptional);
  });
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
