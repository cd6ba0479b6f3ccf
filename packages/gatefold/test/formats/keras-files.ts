/** One layer's weights: name, shape and numbers. */
export type LayerWeights = readonly (readonly [name: string, shape: readonly number[], data: ArrayLike<number>])[];

interface KerasH5 {
  /** The model's JSON; absent in files of weights alone. */
  readonly config?: unknown;
  readonly version?: string;
  /** By layer, in the layout of Keras 2. */
  readonly weights?: Readonly<Record<string, LayerWeights>>;
}

let made = 0;

/** Writes an HDF5 file with libhdf5 itself. */
export async function writeH5(fill: (file: import('h5wasm').File) => void): Promise<Uint8Array> {
  const library = await import('h5wasm');
  const { FS } = await library.ready;
  const name = `made-${made++}.h5`;
  const file = new library.File(name, 'w');
  fill(file);
  file.close();
  const bytes = FS.readFile(name) as Uint8Array;
  FS.unlink(name);
  return bytes;
}

/** A Keras 2 file as model.save() or model.save_weights() writes it. */
export function kerasH5({ config, version = '2.15.0', weights = {} }: KerasH5): Promise<Uint8Array> {
  return writeH5((file) => {
    const root = config === undefined ? file : file.create_group('model_weights');
    if (config !== undefined) file.create_attribute('model_config', JSON.stringify(config));
    file.create_attribute('keras_version', version);
    file.create_attribute('backend', 'tensorflow');
    const layers = Object.entries(weights);
    if (layers.length > 0)
      root.create_attribute(
        'layer_names',
        layers.map(([name]) => name),
      );
    for (const [layer, arrays] of layers) {
      const group = root.create_group(layer);
      const inner = group.create_group(layer);
      group.create_attribute(
        'weight_names',
        arrays.map(([name]) => `${layer}/${name}:0`),
      );
      for (const [name, shape, data] of arrays) {
        inner.create_dataset({ name: `${name}:0`, data: Float32Array.from(data), shape: [...shape] });
      }
    }
  });
}

/** A layer of a Sequential. */
export function layer(className: string, name: string, config: object = {}): object {
  return { class_name: className, config: { name, trainable: true, ...config } };
}

/** A Sequential with an input of this shape, batch excluded. */
export function sequential(shape: readonly (number | null)[], ...layers: object[]): object {
  const input = {
    class_name: 'InputLayer',
    config: { batch_input_shape: [null, ...shape], dtype: 'float32', name: 'x' },
  };
  return { class_name: 'Sequential', config: { name: 'model', layers: [input, ...layers] } };
}

/** A call of a functional model's layer, as Keras 3 writes it. */
export interface Call {
  readonly args: readonly unknown[];
  readonly kwargs?: object;
}

/** A tensor of a functional model, as Keras 3 writes it. */
export function tensor(layerName: string, output = 0): object {
  return { class_name: '__keras_tensor__', config: { keras_history: [layerName, 0, output] } };
}

/** A functional model of Keras 3 with inputs by name and shape. */
export function functional(
  inputs: Readonly<Record<string, readonly (number | null)[]>>,
  layers: readonly { readonly layer: object; readonly calls: readonly Call[] }[],
  outputs: readonly string[],
): object {
  const inputLayers = Object.entries(inputs).map(([name, shape]) => ({
    module: 'keras.layers',
    class_name: 'InputLayer',
    config: { batch_shape: [null, ...shape], name },
    name,
    inbound_nodes: [],
  }));
  const others = layers.map(({ layer: entry, calls }) => ({
    module: 'keras.layers',
    ...entry,
    name: (entry as { config: { name: string } }).config.name,
    inbound_nodes: calls.map(({ args, kwargs = {} }) => ({ args, kwargs })),
  }));
  return {
    module: 'keras.src.models.functional',
    class_name: 'Functional',
    config: {
      name: 'model',
      layers: [...inputLayers, ...others],
      input_layers: Object.keys(inputs).map((name) => [name, 0, 0]),
      output_layers: outputs.map((name) => [name, 0, 0]),
    },
  };
}
