// Drives the page in a real Chromium: npm run test:browser
import { createSession, readGatefold, simd128Engine } from '@gatefold/runtime';
import { trainWorkers } from 'gatefold/node';
import digits from '../digits/data.mjs';
import { startChecks } from './checks.mjs';
import { openChromium } from './chromium.mjs';
import { digitsModel } from './model.mjs';
import { learn } from './page/learn.js';
import { serve } from './serve.mjs';

const { check, finish } = startChecks();
const same = (a, b) => a.length === b.length && a.every((value, i) => Object.is(Math.fround(value), Math.fround(b[i])));

const { server, url } = await serve();
const { browser, close } = await openChromium();
try {
  const page = await browser.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(url);
  await page.waitForFunction(() => window.gatefold !== undefined);
  console.log(
    `Chromium ${browser.browser()?.version() ?? ''}, ${await page.evaluate(() => window.gatefold.engine)} engine`,
  );

  const test = digits('test');
  const session = createSession(readGatefold(await digitsModel()), { engine: simd128Engine });
  const images = Array.from({ length: 100 }, (_, i) =>
    Array.from(test.inputs.rows.data.subarray(i * 784, (i + 1) * 784)),
  );
  const inPage = await page.evaluate((list) => list.map((pixels) => window.gatefold.classify(pixels)), images);
  const plain = await page.evaluate(
    (list) => list.map((pixels) => window.gatefold.classifyPlain(pixels)),
    images.slice(0, 10),
  );
  const right = inPage.filter((scores, i) => scores.indexOf(Math.max(...scores)) === test.targets.data[i]).length;
  check('classifies MNIST test images', right >= 95, `${right} of 100`);
  check(
    'gives the bits of Node',
    images.every((pixels, i) => same(inPage[i], session.run(Float32Array.from(pixels)).digit.data)),
  );
  check(
    'gives the same bits on both engines',
    plain.every((scores, i) => same(scores, inPage[i])),
  );

  // A one, drawn from top to bottom.
  const box = await page.locator('#canvas').boundingBox();
  await page.mouse.move(box.x + 140, box.y + 40);
  await page.mouse.down();
  for (let y = 40; y <= 240; y += 20) await page.mouse.move(box.x + 140, box.y + y);
  await page.mouse.up();
  const answer = await page.locator('#facts').textContent();
  check('recognises a drawn stroke', answer.startsWith('That is a 1'), answer);
  await page.locator('#clear').click();
  check('clears', (await page.locator('#facts').textContent()).startsWith('Ready'));

  await page.goto(`${url}worklet.html`);
  await page.waitForFunction(() => window.runWorklet !== undefined);
  const rows = Array.from({ length: 28 }, (_, r) => images[0].slice(r * 28, (r + 1) * 28));
  const worklet = await page.evaluate((list) => window.runWorklet(list), rows);
  check(
    'loads and steps inside an AudioWorklet, with the bits of Node',
    same(worklet.digit, inPage[0]),
    `${worklet.engine} engine`,
  );

  // A worker asked for two threads: it has them where memory can be shared, and is alone elsewhere.
  for (const [path, threads] of [
    ['', 1],
    ['isolated/', 2],
  ]) {
    await page.goto(`${url}${path}train.html`);
    await page.waitForFunction(() => window.learn !== undefined);
    const [made, alike] = await Promise.all([page.evaluate(() => window.learn(2)), learn(trainWorkers(threads))]);
    check(
      `trains in a worker, ${path ? 'isolated' : 'not isolated'}, with the bits of Node and ${threads} thread${threads > 1 ? 's' : ''}`,
      made.loss === alike.loss && same(made.weights, alike.weights),
      `loss ${made.loss.toFixed(4)}`,
    );
  }
  check('reports no errors', problems.length === 0, problems.join('; '));
} finally {
  await close();
  server.close();
}
finish();
