import { fail, type Model, utf8Decode, validate } from '@gatefold/runtime';
import { GraphBuilder } from '../graph-builder.ts';
import { jsonHasKeys } from '../json-text.ts';
import { isJson, type Json } from '../keras/config.ts';
import { parseJson } from '../keras/json.ts';
import type { ReadOptions } from '../types.ts';
import { readChain } from './chain.ts';
import { readGuitarMl, readStateDict } from './state-dict.ts';

/** Whether the bytes are a JSON of RTNeural, AIDA-X or GuitarML, or the parameters of PyTorch modules. */
export function isRtneural(bytes: Uint8Array): boolean {
  return (
    jsonHasKeys(bytes, 'in_shape', 'layers') ||
    jsonHasKeys(bytes, 'state_dict') ||
    jsonHasKeys(bytes, '[\\w.]+\\.weight_ih_l0')
  );
}

/**
 * Reads a model of RTNeural: layers as its Keras exporter writes them (also with AIDA-X's skip and gains), GuitarML's
 * `model_data` and `state_dict`, or a bare state dict of PyTorch modules that follow each other.
 * @throws FILE_CORRUPT, FILE_UNUSED, MODEL_UNSUPPORTED, MODEL_SHAPE, MODEL_VALUE naming the layer
 */
export async function readRtneural(bytes: Uint8Array, { name }: ReadOptions): Promise<Model> {
  const text = utf8Decode(bytes) ?? fail('FILE_CORRUPT', 'the text is not UTF-8', { place: 'file' });
  const json = parseJson(text, 'file');
  if (!isJson(json)) return fail('FILE_CORRUPT', 'the file holds no object', { place: 'file' });
  const builder = new GraphBuilder();
  const { variant, value } = read(builder, json);
  const graph = builder.graph([{ name: 'y', value }]);
  return validate({
    name: name ?? 'model',
    graphs: { main: graph },
    weights: builder.weightsOf(graph),
    metadata: sampleRate(json),
    origin: { format: 'rtneural', variant },
  });
}

function read(builder: GraphBuilder, json: Json): { variant: string; value: string } {
  const { layers, state_dict: state, model_data: description = {} } = json;
  if (layers !== undefined) return { variant: 'layers', value: readChain(builder, json) };
  if (state === undefined) return { variant: 'state dict', value: readStateDict(builder, json) };
  if (!isJson(state) || !isJson(description)) fail('FILE_CORRUPT', 'malformed parameters', { place: 'state_dict' });
  return { variant: 'GuitarML', value: readGuitarMl(builder, description, state) };
}

/** Sound that the model was trained with, in samples a second. */
function sampleRate({ samplerate: own, metadata }: Json): { sampleRate?: number } {
  const rate = own ?? (isJson(metadata) ? metadata.samplerate : undefined);
  return typeof rate === 'number' && rate > 0 ? { sampleRate: rate } : {};
}
