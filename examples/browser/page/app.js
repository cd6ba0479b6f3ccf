import { bestEngine, createSession, readGatefold, simd128Engine } from '@gatefold/runtime';
import { normalizeDigit } from './digit.js';

const canvas = document.getElementById('canvas');
const bars = document.getElementById('bars');
const facts = document.getElementById('facts');
const pen = canvas.getContext('2d', { willReadFrequently: true });
const size = canvas.width;

bars.innerHTML = Array.from(
  { length: 10 },
  (_, i) => `<li><span>${i}</span><span class="bar"></span><span class="number"></span></li>`,
).join('');

const response = await fetch('/digits-int8.gatefold');
const model = readGatefold(new Uint8Array(await response.arrayBuffer()));
const engine = bestEngine();
await engine.prepare();
const session = createSession(model, { engine });
const { runtime, model: modelBytes } = window.sizes;
const say = (text) => {
  facts.textContent = `${text} Runtime ${(runtime / 1000).toFixed(1)} kB gzipped, model ${(modelBytes / 1000).toFixed(1)} kB, ${engine.name} engine.`;
};
say('Ready.');

/** Probabilities of the ten digits for 28 rows of 28 pixels. */
function classify(pixels, on = session) {
  return on.run(pixels).digit.data;
}

function show(probabilities, microseconds) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  [...bars.children].forEach((item, i) => {
    item.classList.toggle('best', i === best);
    item.children[1].style.width = `${probabilities[i] * 100}%`;
    item.children[2].textContent = `${(probabilities[i] * 100).toFixed(1)} %`;
  });
  say(`That is a ${best} (${microseconds.toFixed(0)} µs).`);
}

function look() {
  const { data } = pen.getImageData(0, 0, size, size);
  const pixels = normalizeDigit(
    Float32Array.from({ length: size * size }, (_, i) => data[4 * i + 3] / 255),
    size,
  );
  if (!pixels) return;
  const rounds = 20;
  const start = performance.now();
  let probabilities;
  for (let i = 0; i < rounds; i++) probabilities = classify(pixels);
  show(probabilities, ((performance.now() - start) * 1000) / rounds);
}

pen.lineWidth = 22;
pen.lineCap = 'round';
pen.lineJoin = 'round';
pen.strokeStyle = '#fff';
let last;
const place = ({ clientX, clientY }) => {
  const box = canvas.getBoundingClientRect();
  return [((clientX - box.left) * size) / box.width, ((clientY - box.top) * size) / box.height];
};
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = place(event);
});
canvas.addEventListener('pointermove', (event) => {
  if (!last) return;
  const next = place(event);
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...next);
  pen.stroke();
  last = next;
});
canvas.addEventListener('pointerup', () => {
  last = undefined;
  look();
});
document.getElementById('clear').addEventListener('click', () => {
  pen.clearRect(0, 0, size, size);
  for (const item of bars.children) {
    item.classList.remove('best');
    item.children[1].style.width = '0';
    item.children[2].textContent = '';
  }
  say('Ready.');
});

/** For the test: the same pixels on the chosen and on the plain SIMD engine. */
window.gatefold = {
  engine: engine.name,
  classify: (pixels) => Array.from(classify(Float32Array.from(pixels))),
  classifyPlain: (pixels) =>
    Array.from(classify(Float32Array.from(pixels), createSession(model, { engine: simd128Engine }))),
};
