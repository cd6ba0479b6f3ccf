"""Run real Keras models and write their predictions as npz files.

    keras_predict.py MODEL INPUTS.npz OUT.npz [MODEL INPUTS.npz OUT.npz ...]
    keras_predict.py --random SEED [--batch B] [--time T] MODEL OUT.npz [...]

The virtual environment of the caller decides which Keras reads the model.
Arrays are named by their places in `model.inputs` and `model.outputs`: `in0`,
`in1`, ... and `out0`, `out1`, ...; consecutive calls of a stateful model, which
begins with a zero state, are `in0_call0`, `out0_call0`, `in0_call1`, ...

With --random the inputs are drawn from the model's own input shapes (`--batch`
and `--time` replace unknown sizes): ids for an Embedding, otherwise normal
numbers.  They are written into OUT.npz beside the outputs.
"""

import argparse
import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "torch")  # read by Keras 3 alone

import keras
import numpy as np

KERAS2 = keras.__version__.startswith("2.")


def keep_wrapped_layers():
    """Let Keras 3 load models with several Bidirectional layers, whatever addresses Python hands out.

    While it loads, Keras takes objects that it has serialized for the same if they have the same `id`.  Bidirectional
    serializes the layer that it wraps and then frees it: now and then the next one gets its address, and a layer of
    another wrapper in place of its own.  Objects that are kept alive keep their addresses to themselves.
    """
    alive = []
    original = keras.layers.Bidirectional.__init__

    def init(self, layer, *args, **kwargs):
        alive.append(layer)
        original(self, layer, *args, **kwargs)

    keras.layers.Bidirectional.__init__ = init


if not KERAS2:
    keep_wrapped_layers()


def predict(model, inputs):
    """Return the outputs for a list of arrays, in the order of `model.outputs`."""
    if KERAS2:  # called eagerly: TensorFlow's graphs refuse some names of models, as "a>b"
        outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    else:
        outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    if isinstance(outputs, dict):
        outputs = [outputs[name] for name in model.output_names]
    return [np.asarray(y) for y in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def run(model, arrays):
    """Predict for the inputs in `arrays` (see the module's text) and return the outputs."""
    if "in0" in arrays:
        inputs = [arrays[f"in{i}"] for i in range(len(model.inputs))]
        return {f"out{i}": y for i, y in enumerate(predict(model, inputs))}
    result = {}
    reset_states(model)
    for call in itertools.takewhile(lambda n: f"in0_call{n}" in arrays, itertools.count()):
        inputs = [arrays[f"in{i}_call{call}"] for i in range(len(model.inputs))]
        for i, y in enumerate(predict(model, inputs)):
            result[f"out{i}_call{call}"] = y
    return result


def reset_states(model):
    """Zero the state of every stateful layer of the model."""
    if KERAS2:
        model.reset_states()
    else:
        for layer in model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()


def embedding_sizes(model):
    """Map the place of each input that feeds an Embedding to the number of its ids."""
    sizes = {}
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, keras.layers.Embedding):
            for place, tensor in enumerate(model.inputs):
                if layer.input is tensor or layer.input.name == tensor.name:
                    sizes[place] = min(inner.input_dim, sizes.get(place, inner.input_dim))
    return sizes


def random_inputs(model, rng, batch, time):
    """Draw one array for every input of the model."""
    sizes = embedding_sizes(model)
    arrays = {}
    for place, tensor in enumerate(model.inputs):
        known = tuple(tensor.shape)
        shape = (known[0] or batch, *(size or time for size in known[1:]))
        arrays[f"in{place}"] = (
            rng.integers(0, sizes[place], shape, np.int32) if place in sizes
            else rng.standard_normal(shape, np.float32))
    return arrays


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="MODEL INPUTS OUT, or with --random MODEL OUT; repeated")
    parser.add_argument("--random", type=int, metavar="SEED")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--time", type=int, default=7)
    args = parser.parse_args()
    group = 3 if args.random is None else 2
    if len(args.files) % group:
        parser.error(f"the files come in groups of {group}")

    for i in range(0, len(args.files), group):
        path, *inputs, out = args.files[i:i + group]
        model = keras.models.load_model(path, compile=False)
        if inputs:
            with np.load(inputs[0]) as stored:
                arrays = {name: stored[name] for name in stored.files if name.startswith("in")}
            kept = {}
        else:
            kept = arrays = random_inputs(
                model, np.random.default_rng(args.random), args.batch, args.time)
        outputs = run(model, arrays)
        np.savez_compressed(out, **kept, **outputs)
        print(path, {name: array.shape for name, array in {**kept, **outputs}.items()})


if __name__ == "__main__":
    main()
