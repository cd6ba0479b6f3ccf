import { installedVersion } from '../lib/node.mjs';
import { onnxModel } from '../lib/onnx.mjs';

function contender(name, type, open) {
  return {
    name,
    type,
    version: installedVersion(name),
    unavailable: ({ cell }) => (type === 'int8' && cell !== 'lstm' ? 'no fused int8 operator' : undefined),
    async load(layer) {
      const { ort, options } = await open();
      const session = await ort.InferenceSession.create(onnxModel(layer, type), { logSeverityLevel: 3, ...options });
      const { units: H } = layer;
      const zero = () => new ort.Tensor('float32', new Float32Array(H), [1, 1, H]);
      let state;
      const reset = () => {
        state = { h0: zero(), ...(layer.cell === 'lstm' ? { c0: zero() } : {}) };
      };
      reset();
      const run = async (xs) => {
        const out = await session.run({ X: new ort.Tensor('float32', xs, [xs.length / H, 1, H]), ...state });
        state = { h0: out.h1, ...(out.c1 ? { c0: out.c1 } : {}) };
        return out.Y.data;
      };
      return { step: run, many: run, reset, close: () => session.release() };
    },
  };
}

async function web() {
  const ort = await import('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
  return { ort, options: { executionProviders: ['wasm'] } };
}

async function native() {
  const { default: ort } = await import('onnxruntime-node');
  return { ort, options: { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' } };
}

export default ['float32', 'int8'].flatMap((type) => [
  contender('onnxruntime-web', type, web),
  contender('onnxruntime-node', type, native),
]);
