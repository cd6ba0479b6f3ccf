import type { LayerReader } from '../layer.ts';
import { arithmeticOperations } from './arithmetic.ts';
import { denseLayers } from './dense.ts';
import { concatenate, mergeLayers } from './merge.ts';
import { normalizationLayers } from './normalization.ts';
import { recurrentLayers } from './recurrent.ts';
import { shapeLayers } from './shape.ts';
import { simpleLayers } from './simple.ts';
import { timeDistributed } from './time-distributed.ts';
import { truthOperations } from './truth.ts';

/** Readers by Keras class. */
export const layerReaders: Readonly<Record<string, LayerReader>> = {
  ...recurrentLayers,
  ...denseLayers,
  ...mergeLayers,
  ...normalizationLayers,
  ...shapeLayers,
  ...simpleLayers,
  TimeDistributed: timeDistributed,
};

/** Readers of Keras 3's operations on tensors, which share some names with layers. */
export const operationReaders: Readonly<Record<string, LayerReader>> = {
  ...truthOperations,
  ...arithmeticOperations,
  Concatenate: concatenate,
};
