"""Whole models: Sequential, nested, shared, encoder and decoder, wrapped cells."""

from keras.layers import (
    GRU, LSTM, RNN, Add, Bidirectional, Concatenate, Conv1D, Dense, Dropout, Embedding, GRUCell,
    LSTMCell, RepeatVector, SimpleRNN, SimpleRNNCell, StackedRNNCells, TimeDistributed)

from .common import KERAS2, Branches, Case, case, ids, keras, np, numbers, seed_weights


@case("sequential")
def sequential():
    """The usual Sequential: Embedding, recurrent layers, Dense."""
    keras.backend.clear_session()
    model = keras.Sequential([
        keras.Input((None,), dtype="int32", name="words"),
        Embedding(13, 4, mask_zero=True, name="embedding"),
        Bidirectional(LSTM(5, return_sequences=True), name="bidirectional"),
        Dropout(0.2, name="dropout"),
        GRU(6, name="gru"),
        Dense(3, activation="softmax", name="dense"),
    ], name="sequential")
    return Case(seed_weights(model), [[ids("sequential", 3, 7, size=13)]])


@case("sequential-built")
def sequential_built():
    """A Sequential without Input, whose first layer or `build` gives the shape."""
    keras.backend.clear_session()
    if KERAS2:
        first = Conv1D(5, 3, activation="relu", input_shape=(7, 3), name="conv")
    else:
        first = Conv1D(5, 3, activation="relu", name="conv")
    model = keras.Sequential([
        first, SimpleRNN(6, return_sequences=True, name="rnn"),
        TimeDistributed(Dense(2, "sigmoid"), name="distributed")], name="sequential-built")
    model.build((None, 7, 3))
    return Case(seed_weights(model), [[numbers("sequential-built", 2, 7, 3)]])


@case("nested")
def nested():
    """Models inside models, one of them called twice."""
    b = Branches("nested")
    left = b.input(numbers("nested-left", 2, 6, 3), "left")
    right = b.input(numbers("nested-right", 2, 6, 3), "right")
    encoder = keras.Sequential([
        keras.Input((6, 3), name="steps"),
        LSTM(5, return_sequences=True, name="lstm"), GRU(6, name="gru")], name="encoder")
    y, z = encoder(left), encoder(right)
    first, second = (keras.Input((6,), name=name) for name in ["first", "second"])
    added = Add(name="added")([
        Dense(4, name="dense")(first), Dense(4, use_bias=False, name="linear")(second)])
    head = keras.Model([first, second], [added, Dense(2, name="two")(added)], name="head")
    b.add(*head([y, z]))
    inner = keras.Sequential([keras.Input((6,)), Dense(4, "relu", name="dense")], name="inner")
    outer = keras.Sequential([keras.Input((6,)), inner, Dense(3, name="last")], name="outer")
    b.add(outer(y))
    b.add(TimeDistributed(keras.Sequential(
        [keras.Input((3,)), Dense(4, "tanh", name="dense")], name="each"), name="steps")(left))
    return b.case()


@case("shared")
def shared():
    """Layers with several call sites; outputs that other layers use as well."""
    b = Branches("shared")
    left = b.input(numbers("shared-left", 2, 6, 3), "left")
    right = b.input(numbers("shared-right", 2, 7, 3), "right")
    lstm = LSTM(5, name="lstm")
    dense = Dense(3, "tanh", name="dense")
    y = lstm(left)
    z = lstm(right)
    to = Dense(5, name="to")(left)
    b.add(y, dense(z), dense(y), to, lstm(Dense(3, name="from")(to)))
    b.add(Concatenate(name="both")([y, z]))
    return b.case()


@case("encoder-decoder")
def encoder_decoder():
    """A sequence-to-sequence model: states of the encoder start the decoder."""
    b = Branches("encoder-decoder")
    source = b.input(ids("source", 2, 7, size=11), "source")
    target = b.input(ids("target", 2, 6, size=9), "target")
    masked = Embedding(11, 4, mask_zero=True, name="source-embedding")(source)
    _, h, c = LSTM(6, return_state=True, name="encoder")(masked)
    y, *_ = LSTM(6, return_sequences=True, return_state=True, name="decoder")(
        Embedding(9, 5, name="target-embedding")(target), initial_state=[h, c])
    b.add(Dense(9, "softmax", name="next")(y))
    _, forward, backward = Bidirectional(GRU(5, return_state=True), name="bi-encoder")(masked)
    state = Concatenate(name="states")([forward, backward])
    y = GRU(10, return_sequences=True, name="gru-decoder")(
        Embedding(9, 5, mask_zero=True, name="masked-embedding")(target), initial_state=state)
    b.add(Dense(9, name="scores")(y))
    return b.case()


@case("autoencoder")
def autoencoder():
    """RepeatVector between an encoder and a decoder."""
    keras.backend.clear_session()
    model = keras.Sequential([
        keras.Input((6, 3), name="steps"), LSTM(5, name="encoder"), RepeatVector(6, name="repeat"),
        LSTM(5, return_sequences=True, name="decoder"),
        TimeDistributed(Dense(3), name="steps_out")], name="autoencoder")
    return Case(seed_weights(model), [[numbers("autoencoder", 2, 6, 3)]])


@case("cells")
def cells():
    """RNN around cells, one and several."""
    b = Branches("cells")
    x = b.input(numbers("cells", 2, 6, 3))
    b.add(RNN(LSTMCell(5), return_sequences=True, name="lstm")(x))
    b.add(RNN(GRUCell(5, reset_after=False), go_backwards=True, name="gru")(x))
    b.add(RNN(SimpleRNNCell(5), return_state=True, name="simple")(x))
    b.add(RNN([LSTMCell(5), LSTMCell(6)], return_sequences=True, name="list")(x))
    b.add(RNN(StackedRNNCells([GRUCell(5), SimpleRNNCell(4)]), name="stacked")(x))
    return b.case()


@case("trained")
def trained():
    """A model that was compiled and trained for a step: optimizer slots stay in the file."""
    keras.backend.clear_session()
    model = keras.Sequential([
        keras.Input((6, 3), name="steps"), LSTM(5, name="lstm"), Dense(2, name="dense")],
        name="trained")
    seed_weights(model)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    x = numbers("trained", 3, 6, 3)
    model.fit(x, np.ones((3, 2), np.float32), epochs=1, batch_size=3, verbose=0)
    return Case(model, [[x]], optimizer=True)
