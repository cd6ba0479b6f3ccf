import type { LayerReader } from '../layer.ts';
import { denseLayers } from './dense.ts';
import { mergeLayers } from './merge.ts';
import { normalizationLayers } from './normalization.ts';
import { recurrentLayers } from './recurrent.ts';
import { shapeLayers } from './shape.ts';
import { simpleLayers } from './simple.ts';
import { timeDistributed } from './time-distributed.ts';
import { truthLayers } from './truth.ts';

/** Readers by Keras class. */
export const layerReaders: Readonly<Record<string, LayerReader>> = {
  ...recurrentLayers,
  ...denseLayers,
  ...mergeLayers,
  ...normalizationLayers,
  ...shapeLayers,
  ...simpleLayers,
  ...truthLayers,
  TimeDistributed: timeDistributed,
};
