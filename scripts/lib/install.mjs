import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Installs what a folder's package-lock.json names, unless `module` is there. */
export function ensureInstalled(folder, module, env = {}) {
  if (existsSync(join(folder, 'node_modules', module))) return;
  console.error(`Installing what ${folder} needs …`);
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}
