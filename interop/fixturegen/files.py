"""Other kinds of files: weights alone, CuDNN layouts, and files to be refused."""

import tempfile

import keras
from keras.layers import GRU, LSTM, Bidirectional, Conv2D, Dense, Embedding, Flatten, Lambda

from .common import KERAS2, Branches, Case, case, ids, numbers, seed_weights

WEIGHTS = ".weights-only.h5" if KERAS2 else ".weights.h5"


def save_weights(model):
    """Return a function that writes the weights, and the architecture as JSON."""
    def save(stem):
        model.save_weights(stem + WEIGHTS)
        with open(stem + ".json", "w", encoding="utf-8") as file:
            file.write(model.to_json())
        return [stem + WEIGHTS, stem + ".json"]
    return save


def small_sequential(name):
    """Return a small Sequential of the usual layers."""
    keras.backend.clear_session()
    return seed_weights(keras.Sequential([
        keras.Input((6,), dtype="int32", name="words"),
        Embedding(9, 4, name="embedding"),
        Bidirectional(LSTM(5, return_sequences=True), name="bidirectional"),
        GRU(6, name="gru"),
        Dense(3, "softmax", name="dense"),
    ], name=name))


@case("weights-sequential")
def weights_sequential():
    """Weights alone of a Sequential."""
    model = small_sequential("weights-sequential")
    return Case(model, [[ids("weights-sequential", 3, 6, size=9)]], save=save_weights(model))


@case("weights-functional")
def weights_functional():
    """Weights alone of a functional model with a nested one and layers without names."""
    b = Branches("weights-functional")
    x = b.input(numbers("weights-functional", 2, 6, 3))
    head = keras.Sequential([keras.Input((5,)), Dense(4, "relu"), Dense(3)], name="head")
    first = LSTM(5, return_sequences=True)(x)
    b.add(head(LSTM(5)(first)))
    b.add(Dense(2)(GRU(6, go_backwards=True)(x)))
    made = b.case()
    made.save = save_weights(made.model)
    return made


@case("native", keras3=False)
def native():
    """The .keras format as Keras 2.15 writes it."""
    b = Branches("native")
    x = b.input(numbers("native", 2, 6, 3))
    y = Bidirectional(LSTM(5, return_sequences=True))(x)
    b.add(Dense(2)(GRU(6)(y)), Dense(3, "gelu")(y))
    made = b.case()

    def save(stem):
        made.model.save(stem + ".keras")
        return [stem + ".keras"]
    made.save = save
    return made


def recurrent_model(lstm, gru, name):
    """Return a Case whose recurrent layers the constructors `lstm` and `gru` make."""
    b = Branches(name)
    x = b.input(numbers("cudnn", 2, 6, 3))
    b.add(lstm(5, return_sequences=True, name="lstm")(x))
    b.add(gru(5, return_sequences=True, name="gru")(x))
    b.add(lstm(6, go_backwards=True, return_state=True, name="lstm-backwards")(x))
    b.add(Bidirectional(lstm(5, return_sequences=True), name="bi-lstm")(x))
    b.add(Bidirectional(gru(6), name="bi-gru")(x))
    return b.case()


def cudnn_pair(name):
    """Return a model of CuDNN layers and the Case of plain layers with the same weights.

    CuDNN layers run on a GPU alone.  Keras itself converts their weights when
    the plain model loads them.
    """
    from tensorflow.compat.v1.keras.layers import CuDNNGRU, CuDNNLSTM

    cudnn = recurrent_model(CuDNNLSTM, CuDNNGRU, name).model
    plain = recurrent_model(LSTM, GRU, name)
    with tempfile.TemporaryDirectory() as folder:
        cudnn.save_weights(folder + "/cudnn.h5")
        plain.model.load_weights(folder + "/cudnn.h5")
    return cudnn, plain


@case("cudnn", keras3=False)
def cudnn():
    """A whole model of CuDNNLSTM and CuDNNGRU."""
    model, plain = cudnn_pair("cudnn")

    def save(stem):
        model.save(stem + ".h5", include_optimizer=False)
        return [stem + ".h5"]
    plain.save = save
    return plain


@case("cudnn-weights", keras3=False)
def cudnn_weights():
    """CuDNN weights alone beside the architecture of plain LSTM and GRU."""
    model, plain = cudnn_pair("cudnn-weights")

    def save(stem):
        model.save_weights(stem + WEIGHTS)
        with open(stem + ".json", "w", encoding="utf-8") as file:
            file.write(plain.model.to_json())
        return [stem + WEIGHTS, stem + ".json"]
    plain.save = save
    return plain


@case("refused/lambda")
def refused_lambda():
    """A Lambda layer, whose Python code is in the file."""
    keras.backend.clear_session()
    # Byte code names its source file: compiled here, it holds no path of this machine.
    double = eval(compile("lambda x: 2 * x", "fixture", "eval"))
    return Case(keras.Sequential([
        keras.Input((6, 3)), Lambda(double, output_shape=(6, 3)), LSTM(5)], name="lambda"))


@case("refused/custom")
def refused_custom():
    """A layer of a class that is no part of Keras."""
    keras.backend.clear_session()

    @keras.utils.register_keras_serializable("somewhere", "Scale")
    class Scale(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    return Case(keras.Sequential([keras.Input((6, 3)), Scale(), LSTM(5)], name="custom"))


@case("refused/unsupported")
def refused_unsupported():
    """A layer of Keras that is far from sequences."""
    keras.backend.clear_session()
    return Case(keras.Sequential([
        keras.Input((6, 6, 3)), Conv2D(2, 3), Flatten(), Dense(2)], name="unsupported"))


@case("refused/no-architecture")
def refused_no_architecture():
    """Weights alone, without JSON beside them."""
    model = small_sequential("no-architecture")

    def save(stem):
        model.save_weights(stem + WEIGHTS)
        return [stem + WEIGHTS]
    return Case(model, save=save)
