"""Write the edges-* files: what importers of Keras get wrong, with the outputs of Keras itself.

    interop/.venv-keras2/bin/python packages/gatefold/test/formats/data/edges.py
    interop/.venv-keras3/bin/python packages/gatefold/test/formats/data/edges.py

The first writes edges-k2.h5; the second edges-k3.keras and edges-k3.h5 (HDF5 as Keras 3 writes it). Beside each an npz
with in0, in1, ... and out0, out1, ... in the order of the model's inputs and outputs.
"""

import os
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "torch")  # read by Keras 3 alone

import keras
import numpy as np
from keras import layers as L

HERE = Path(__file__).parent
KERAS2 = keras.__version__.startswith("2.")
rng = np.random.default_rng(7)


def numbers(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def padded(*shape):
    x = numbers(*shape)
    x[:, 0] = 0
    x[0, -2:] = 0
    x[1, 3] = 0
    return x


def common(x, y, vector, ids):
    """Branches that every file has; x and y are [6, 4] with zeros to mask."""
    m, n = L.Masking(name="mask-x")(x), L.Masking(name="mask-y")(y)
    a, b = L.Dense(4, name="a")(m), L.Dense(4, "sigmoid", name="b")(m)
    gate = L.Dense(1, "sigmoid", name="gate")(x)
    one = L.Reshape((1, 4), name="one")(vector)
    deep = keras.Sequential([
        keras.Input((6, 4)), L.Dense(4, name="first"), L.BatchNormalization(name="norm"),
        L.LSTM(4, return_sequences=True, name="deep"), L.Dense(4, name="last")], name="deep")
    frozen = keras.Sequential([
        keras.Input((6, 4)), L.BatchNormalization(name="norm"), L.Dense(4, name="first"),
        L.BatchNormalization(trainable=False, name="frozen"), L.Dense(3, trainable=False, name="last")], name="other")
    stack = L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_state=True, name="stack")(m)
    return [
        # The last output under a mask, where masked outputs are zero.
        L.LSTM(3, go_backwards=True, zero_output_for_mask=True, name="zero-back")(m),
        L.GRU(3, go_backwards=True, zero_output_for_mask=True, name="zero-back-gru")(m),
        # What merging does with masks.
        L.Multiply(name="multiply-same")([a, b]), L.Maximum(name="maximum-same")([a, b]),
        L.Multiply(name="multiply-other")([m, n]), L.Multiply(name="multiply-one")([m, y]),
        L.Maximum(name="maximum-other")([m, n]), L.Minimum(name="minimum-one")([y, m]),
        L.GRU(2, name="after")(L.Average(name="average")([a, b])),
        # Broadcasting over features and steps.
        L.Multiply(name="by-gate")([x, gate]), L.Add(name="add-one")([one, x]), L.Multiply(name="by-vector")([x, vector]),
        # Axes inside TimeDistributed do not count the steps.
        L.TimeDistributed(L.BatchNormalization(), name="each-norm")(x),
        L.TimeDistributed(L.LayerNormalization(), name="each-layer-norm")(x),
        L.TimeDistributed(keras.Sequential([keras.Input((4,)), L.Dense(3, "relu"), L.BatchNormalization()]), name="each")(x),
        L.LayerNormalization(axis=[-2, -1], name="norm-both")(x), L.BatchNormalization(axis=-2, name="norm-steps")(x),
        # Weights that are told apart by more than their order.
        deep(x), frozen(deep(x)),
        L.Bidirectional(L.LSTM(3, return_sequences=True), name="unequal", backward_layer=L.LSTM(
            3, return_sequences=True, go_backwards=True, use_bias=False))(x),
        L.DepthwiseConv1D(3, padding="same", name="depthwise")(x),
        *(y for item in stack for y in (item if isinstance(item, (list, tuple)) else [item])),
        # Layers as activations.
        L.Dense(3, activation=L.LeakyReLU(0.1), name="leaky")(x), L.Activation(L.ReLU(max_value=1.0), name="capped")(x),
        # Ids that are looked up and used as numbers.
        L.LSTM(3, name="of-ids")(L.Embedding(9, 3, name="embedding")(ids)),
    ]


def operations(x, y, ids):
    """What only Keras 3 writes into its files."""
    mask = keras.ops.logical_and(keras.ops.not_equal(ids, 0), keras.ops.not_equal(ids, 3))
    return [
        (x * 2 + 1) * y - x / 3, 2 - x, 1 / (y * y + 1), -x, keras.ops.maximum(x, y), keras.ops.minimum(x, 0.5),
        L.GRU(3, name="given-mask")(x, mask=mask),
        L.GlobalAveragePooling1D(name="given-mask-mean")(x, mask=mask),
        L.Flatten(name="flat-ids")(ids),
    ]


def build(extra):
    keras.backend.clear_session()
    x, y, vector = keras.Input((6, 4), name="x"), keras.Input((6, 4), name="y"), keras.Input((4,), name="vector")
    ids = keras.Input((6,), dtype="int32", name="ids")
    outputs = common(x, y, vector, ids) + ([] if KERAS2 else operations(x, y, ids) if extra else [])
    model = keras.Model([x, y, vector, ids], outputs, name="edges")
    model.set_weights([
        np.abs(numbers(*w.shape)) + 0.3 if w.ndim and (w > 0.99).all() else 0.5 * numbers(*w.shape)
        for w in model.get_weights()])
    return model


def write(path, model):
    model.save(path)
    inputs = [padded(3, 6, 4), padded(3, 6, 4)[[2, 0, 1]], numbers(3, 4), rng.integers(0, 9, (3, 6)).astype(np.int32)]
    outputs = model.predict(inputs, verbose=0)
    arrays = {f"in{i}": x for i, x in enumerate(inputs)} | {f"out{i}": y for i, y in enumerate(outputs)}
    np.savez_compressed(path.with_name(path.name + ".npz"), **arrays)


def deflate(path):
    """Compress the members of a zip, which Keras stores as they are."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)


if KERAS2:
    write(HERE / "edges-k2.h5", build(False))
else:
    write(HERE / "edges-k3.keras", build(True))
    deflate(HERE / "edges-k3.keras")
    write(HERE / "edges-k3.h5", build(False))
