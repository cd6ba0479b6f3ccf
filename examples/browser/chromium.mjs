// The real Chromium, headless, for tests that drive it.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from '../../scripts/lib/install.mjs';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Opens a browser with an empty profile; `close` removes both. */
export async function openChromium() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) {
    console.error(
      `There is no Chromium at ${executablePath}. Install it (Debian: apt-get install chromium) or set CHROMIUM.`,
    );
    process.exit(1);
  }
  ensureInstalled(fileURLToPath(new URL('.', import.meta.url)), 'playwright-core');
  const { chromium } = await import('playwright-core');
  const profile = mkdtempSync(join(tmpdir(), 'gatefold-chromium-'));
  const browser = await chromium.launchPersistentContext(profile, { executablePath, args: flags, headless: true });
  const close = async () => {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { browser, close };
}
