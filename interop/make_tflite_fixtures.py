"""Write the fixtures of the TensorFlow Lite reader to fixtures/tflite.

    interop/.venv-keras2/bin/python interop/make_tflite_fixtures.py [NAME ...]

Each is NAME.tflite as TFLiteConverter makes it from a small seeded Keras model,
and NAME.npz: `in0` with several inputs, one after the other in its first
dimension, and `out0` with what the TensorFlow Lite interpreter gives for each,
its variables reset before.  What is integer in the file stands there as real
numbers; `step` then is the scale of the output.
"""

import io
import os
import sys
import zipfile
import zlib
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "fixtures/tflite"
SAMPLES = 6
L = tf.keras.layers


def stack(units=33, features=40):
    """Two LSTM layers with matrices large enough for the converter to quantize."""
    return (5, features), [L.LSTM(units, return_sequences=True), L.LSTM(units),
                           L.Dense(48, activation="tanh"), L.Dense(3, activation="softmax")]


CASES = {
    "lstm": (lambda: ((5, 4), [L.LSTM(6), L.Dense(3, activation="softmax")]), None),
    "lstm-sequence": (lambda: ((14, 4), [L.LSTM(6, return_sequences=True), L.Dense(3)]), None),
    "stack": (stack, None),
    "stack-dynamic": (stack, "dynamic"),
    "stack-int8": (stack, "int8"),
    "bidirectional": (lambda: ((5, 4), [L.Bidirectional(L.LSTM(6, return_sequences=True)), L.Dense(2)]), None),
    "embedding": (lambda: ((7,), [L.Embedding(20, 8), L.LSTM(6, return_sequences=True), L.Dense(20)]), None),
    "conv": (lambda: ((9, 4), [L.Conv1D(8, 3, strides=2, activation="relu"), L.LSTM(6, return_sequences=True),
                               L.GlobalAveragePooling1D(), L.Dense(2)]), None),
    "conv-same": (lambda: ((8, 4), [L.Conv1D(8, 3, padding="same"), L.MaxPooling1D(2), L.LSTM(5),
                                    L.Dense(2)]), None),
    # The converter makes loops of these.
    "gru": (lambda: ((5, 4), [L.GRU(6, return_sequences=True), L.GRU(5), L.Dense(2)]), None),
    "rnn": (lambda: ((5, 4), [L.SimpleRNN(6), L.Dense(2)]), None),
    "lstm-unrolled": (lambda: ((4, 4), [L.LSTM(6, unroll=True, return_sequences=True),
                                        L.LSTM(5, unroll=True), L.Dense(2)]), None),
    "gru-unrolled": (lambda: ((4, 4), [L.GRU(6, unroll=True, return_sequences=True), L.Dense(2)]), None),
    "gru-before-unrolled": (lambda: ((4, 4), [L.GRU(6, unroll=True, reset_after=False), L.Dense(2)]), None),
    "rnn-unrolled": (lambda: ((4, 4), [L.SimpleRNN(6, unroll=True), L.Dense(2)]), None),
    "gru-float16": (lambda: ((4, 4), [L.GRU(6, unroll=True), L.Dense(2)]), "float16"),
}


def build(name, make):
    # One model in several precisions.
    seed = zlib.crc32(name.removesuffix("-dynamic").removesuffix("-int8").encode())
    tf.keras.utils.set_random_seed(seed)
    shape, layers = make()
    model = tf.keras.Sequential([tf.keras.Input(shape), *layers])
    random = np.random.default_rng(seed)
    # Biases that are zero would be optimised away.
    model.set_weights([w if w.ndim > 1 and w.shape[0] != 2 else random.normal(0, 0.3, w.shape)
                       for w in model.get_weights()])
    if len(shape) == 1:
        inputs = random.integers(0, 20, (SAMPLES, *shape)).astype(np.int32)
    else:
        inputs = random.normal(size=(SAMPLES, *shape)).astype(np.float32)
    return model, inputs


def convert(model, inputs, kind):
    spec = tf.TensorSpec([1, *inputs.shape[1:]], inputs.dtype)
    function = tf.function(lambda x: model(x)).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    if kind:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        random = np.random.default_rng(5)
        converter.representative_dataset = lambda: (
            [random.normal(size=(1, *inputs.shape[1:])).astype(np.float32)] for _ in range(50))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter.convert()


def run(content, inputs):
    """What the interpreter gives for each input, and the inputs as it saw them."""
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    arrays = {"in0": [], "out0": []}
    for x in inputs:
        interpreter.reset_all_variables()
        if given["dtype"] == np.int8:
            scale, zero = given["quantization"]
            code = np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)
            x = ((code.astype(np.float32) - zero) * scale).astype(np.float32)
        else:
            code = x
        interpreter.set_tensor(given["index"], code[None])
        interpreter.invoke()
        y = interpreter.get_tensor(made["index"])[0]
        if made["dtype"] == np.int8:
            scale, zero = made["quantization"]
            y = ((y.astype(np.float32) - zero) * scale).astype(np.float32)
        arrays["in0"].append(x)
        arrays["out0"].append(y)
    result = {name: np.stack(list_) for name, list_ in arrays.items()}
    if made["dtype"] == np.int8:
        result["step"] = np.array([made["quantization"][0]], np.float32)
    return result


def save_arrays(path, arrays):
    """Write a compressed npz that is the same whenever its arrays are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue(), zipfile.ZIP_DEFLATED, 9)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or CASES:
        make, kind = CASES[name]
        model, inputs = build(name, make)
        content = convert(model, inputs, kind)
        (OUT / f"{name}.tflite").write_bytes(content)
        save_arrays(OUT / f"{name}.npz", run(content, inputs))
        print(name, len(content), flush=True)


if __name__ == "__main__":
    main()
