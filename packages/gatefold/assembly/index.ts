// The training kernels. Addresses and steps are bytes; nothing is allocated here: the memory is laid out by src/train.

export { codeRows, fakeQuantize, fakeQuantizeGradient } from './codes';
export { ctc } from './ctc';
export { gruBackward, gruForward, lstmBackward, lstmForward } from './cells';
export {
  binary,
  fill,
  scaled,
  scaleRows,
  sumColumns,
  sumRows,
  sumSquares,
  unary,
  unaryGradient,
} from './elementwise';
export { gemm, gemmPacked, oneRow, oneVector, pack, scratchFloats, twoRows, twoVectors, whole } from './gemm';
export { crossEntropy, elementLoss, divergence, softmax, softmaxGradient } from './losses';
export { adam, sgd } from './optimizers';
export { gather, normalize, normalizeGradient, scatterAdd } from './rows';
