import { fileURLToPath } from 'node:url';

let ready;

async function load() {
  const tf = await import('@tensorflow/tfjs');
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  wasm.setThreadsCount(1);
  wasm.setWasmPaths(fileURLToPath(new URL('../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url)));
  await tf.setBackend('wasm');
  await tf.ready();
  return tf;
}

/** TensorFlow.js on its WASM backend, one thread. */
export function tensorflow() {
  ready ??= load();
  return ready;
}
