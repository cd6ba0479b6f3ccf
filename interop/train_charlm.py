"""Train the character language model: Embedding 64, LSTM 256, softmax of 65.

    GATEFOLD_CORPUS=DIR .venv-keras2/bin/python interop/train_charlm.py

reads DIR/data/tinyshakespeare/input.txt.gz (or input.txt).  The first 90 % of
the text trains, as parallel streams whose state is carried from window to
window; the rest only measures.  No epoch is chosen by the validation text.

Written, relative to the repository:

    fixtures/charlm/charlm-lstm256.h5    the model, stateless, Keras 2.15 HDF5
    fixtures/charlm/vocab.json           the 65 characters in the order of their ids
    fixtures/charlm/charlm-lstm256.json  validation loss, seed, versions
"""

import argparse
import gzip
import json
import math
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

ROOT = Path(__file__).resolve().parent.parent
MEASURED = 50_000


def read_text(corpus):
    """Return tinyshakespeare as one string."""
    path = Path(corpus) / "data/tinyshakespeare/input.txt"
    if path.exists():
        return path.read_text("utf-8")
    return gzip.decompress(path.with_name("input.txt.gz").read_bytes()).decode("utf-8")


def build(vocabulary, batch=None, dropout=0.0):
    """Return the model; with `batch` its twin for training, which carries state."""
    layers = [
        keras.Input((None,), batch, dtype="int32", name="ids"),
        keras.layers.Embedding(vocabulary, 64, name="embedding"),
        keras.layers.LSTM(256, return_sequences=True, stateful=batch is not None, name="lstm"),
        keras.layers.Dropout(dropout) if dropout else None,
        keras.layers.Dense(vocabulary, activation="softmax", name="next"),
    ]
    return keras.Sequential([layer for layer in layers if layer is not None], name="charlm")


def windows(ids, batch, length, offset):
    """Yield (x, y) windows of `batch` parallel streams, beginning at `offset`."""
    stride = (len(ids) - offset - 1) // batch
    x = ids[offset:offset + batch * stride].reshape(batch, stride)
    y = ids[offset + 1:offset + 1 + batch * stride].reshape(batch, stride)
    for t in range(0, stride - length + 1, length):
        yield x[:, t:t + length], y[:, t:t + length]


def validation_loss(model, ids):
    """Mean nats per character of one run through `ids` with carried state."""
    p = model.predict_on_batch(ids[None, :-1])[0]
    return float(-np.log(p[np.arange(len(p)), ids[1:]].astype(np.float64)).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default=os.environ.get("GATEFOLD_CORPUS"))
    parser.add_argument("--minutes", type=float, default=40, help="stop before --epochs if the time is up")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=100, help="characters per window")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if not args.corpus:
        parser.error("set GATEFOLD_CORPUS or give --corpus")

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    keras.utils.set_random_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    text = read_text(args.corpus)
    vocabulary = sorted(set(text))
    index = {character: i for i, character in enumerate(vocabulary)}
    ids = np.array([index[character] for character in text], np.int32)
    split = len(ids) * 9 // 10
    train, validation = ids[:split], ids[split:][:MEASURED]

    trainer = build(len(vocabulary), args.batch, args.dropout)
    model = build(len(vocabulary))
    per_epoch = sum(1 for _ in windows(train, args.batch, args.length, args.length))
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(args.rate, args.epochs * per_epoch, 0.02),
        clipnorm=5.0)
    trainer.compile(optimizer, "sparse_categorical_crossentropy")

    begin = time.monotonic()
    epochs = 0
    while epochs < args.epochs and time.monotonic() - begin < 60 * args.minutes:
        trainer.reset_states()
        losses = [trainer.train_on_batch(x, y, reset_metrics=True)
                  for x, y in windows(train, args.batch, args.length, int(rng.integers(args.length)))]
        epochs += 1
        model.set_weights(trainer.get_weights())
        loss = validation_loss(model, validation)
        print(f"epoch {epochs:2d}  {time.monotonic() - begin:5.0f} s  "
              f"train {np.mean(losses):.4f}  validation {loss:.4f}", flush=True)

    out = ROOT / "fixtures/charlm"
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "charlm-lstm256.h5", include_optimizer=False)
    (out / "vocab.json").write_text(json.dumps(vocabulary) + "\n")
    (out / "charlm-lstm256.json").write_text(json.dumps({
        "model": "charlm-lstm256.h5",
        "parameters": model.count_params(),
        "data": "tinyshakespeare, first 90 % train, rest validation",
        "validation_characters": len(validation),
        "validation_loss_nats": loss,
        "validation_perplexity": math.exp(loss),
        "epochs": epochs,
        "batch": args.batch,
        "window": args.length,
        "learning_rate": args.rate,
        "dropout": args.dropout,
        "seed": args.seed,
        "versions": {"python": platform.python_version(), "keras": keras.__version__,
                     "tensorflow": tf.__version__, "numpy": np.__version__},
    }, indent=2) + "\n")


if __name__ == "__main__":
    main()
