"""LSTM, GRU and SimpleRNN with every option."""

from functools import partial
from itertools import product

import keras
from keras.layers import (
    GRU, LSTM, Bidirectional, Concatenate, Dense, Embedding, Masking, SimpleRNN)

from .common import KERAS2, Branches, Case, case, ids, numbers, padded, seed_weights

# name of the family: the layer's constructor and its number of states
FAMILIES = {
    "lstm": (LSTM, 2),
    "gru": (partial(GRU, reset_after=True), 1),
    "gru-reset-before": (partial(GRU, reset_after=False), 1),
    "simple-rnn": (SimpleRNN, 1),
}

ACTIVATIONS = [
    "tanh", "relu", "sigmoid", "hard_sigmoid", "linear", "elu", "selu", "softplus", "softsign",
    "swish", "gelu", "exponential", "mish", *([] if KERAS2 else ["relu6", "leaky_relu"])]
RECURRENT_ACTIVATIONS = ["sigmoid", "hard_sigmoid", "tanh", "relu", "linear"]


def options(family, bidirectional):
    """Return all combinations of the structural options of one family.

    Every layer is called twice, with plain and with masked input: each layer of
    an HDF5 file costs some 5 kB.
    """
    make, _ = FAMILIES[family]
    b = Branches(f"{family}-bidirectional" if bidirectional else family)
    plain = b.input(numbers("plain", 3, 6, 4), "plain")
    masked = Masking(name="masking")(b.input(padded("padded", 3, 6, 4), "padded"))
    for no_bias, sequences, backwards in product([False, True], repeat=3):
        words = {"no_bias": no_bias, "sequences": sequences, "backwards": backwards}
        name = "-".join(["rnn", *(word for word, flag in words.items() if flag)])
        settings = {"use_bias": not no_bias, "return_sequences": sequences}
        layer = make(5, **settings, go_backwards=backwards, name=name)
        if bidirectional:
            # Keras 3 cannot turn a backward layer round itself.
            other = None if KERAS2 or not backwards else make(5, **settings, name=f"{name}-other")
            layer = Bidirectional(layer, backward_layer=other, name=f"bi-{name}")
        b.add(layer(plain), layer(masked))
    return b.case()


def activations(family):
    """Return one layer for every activation and recurrent activation."""
    make, _ = FAMILIES[family]
    b = Branches(f"{family}-activations")
    x = b.input(numbers("activations", 2, 6, 3))
    few = ["relu", "hard_sigmoid", "softsign", "gelu"]
    for activation in few if family == "gru-reset-before" else ACTIVATIONS:
        b.add(make(5, activation=activation, name=activation)(x))
    if family != "simple-rnn":
        for activation in RECURRENT_ACTIVATIONS:
            b.add(make(5, recurrent_activation=activation, name=f"recurrent_{activation}")(x))
    if family == "lstm":
        b.add(make(5, activation="relu", recurrent_activation="hard_sigmoid",
                   unit_forget_bias=False, name="relu_hard_sigmoid")(x))
    return b.case()


for _family in FAMILIES:
    case(_family)(partial(options, _family, False))
    case(f"{_family}-bidirectional")(partial(options, _family, True))
    case(f"{_family}-activations")(partial(activations, _family))


@case("bidirectional-merge")
def bidirectional_merge():
    """Every merge_mode, plain and masked, with and without sequences."""
    b = Branches("bidirectional-merge")
    plain = b.input(numbers("merge-plain", 2, 7, 3))
    masked = Masking(name="masking")(b.input(padded("merge-padded", 2, 7, 3)))
    for mode, sequences in product(["concat", "sum", "mul", "ave"], [False, True]):
        name = f"{mode}-{'sequences' if sequences else 'last'}"
        layer = Bidirectional(LSTM(6, return_sequences=sequences), mode, name=name)
        b.add(layer(plain), layer(masked))
    return b.case()


@case("bidirectional-states")
def bidirectional_states():
    """merge_mode None, return_state, initial states and an explicit backward layer."""
    b = Branches("bidirectional-states")
    x = b.input(numbers("bi-states", 2, 7, 3))
    lstm_states = [b.input(numbers(f"bi-state{i}", 2, 6)) for i in range(4)]
    gru_states = [b.input(numbers(f"bi-gru-state{i}", 2, 5)) for i in range(2)]
    b.add(Bidirectional(LSTM(6, return_sequences=True), None, name="two_outputs")(x))
    b.add(Bidirectional(LSTM(6, return_sequences=True, return_state=True), name="lstm_states")(x))
    b.add(Bidirectional(GRU(5, return_state=True), "sum", name="gru_states")(x))
    b.add(Bidirectional(LSTM(6, return_sequences=True), name="lstm_initial")(
        x, initial_state=lstm_states))
    b.add(Bidirectional(GRU(5), "ave", name="gru_initial")(x, initial_state=gru_states))
    b.add(Bidirectional(
        LSTM(6, return_sequences=True, name="to_the_right"),
        backward_layer=GRU(5, return_sequences=True, go_backwards=True, name="to_the_left"),
        name="unequal")(x))
    return b.case()


@case("states")
def states():
    """return_state and initial_state of every family; a stack that passes its states on."""
    b = Branches("states")
    x = b.input(numbers("states", 3, 6, 4))
    masked = Masking(name="masking")(b.input(padded("states-padded", 3, 6, 4)))
    for family, (make, count) in FAMILIES.items():
        initial = [b.input(numbers(f"{family}-{i}", 3, 5), f"{family}-{'hc'[i]}")
                   for i in range(count)]
        name = family.replace("-", "_")
        b.add(make(5, return_sequences=True, return_state=True, go_backwards=True,
                   name=f"{name}_all")(masked, initial_state=initial))
        last, *passed = make(5, return_state=True, name=f"{name}_state")(x)
        b.add(last, *passed)
        initial_layer = make(5, name=f"{name}_initial")
        b.add(initial_layer(x, initial_state=initial),
              initial_layer(masked, initial_state=passed))
    return b.case()


@case("implementations")
def implementations():
    """implementation 1 (2 is the default), and unroll."""
    b = Branches("implementations")
    x = b.input(numbers("implementations", 2, 6, 3))
    masked = Masking(name="masking")(b.input(padded("implementations-padded", 2, 6, 3)))
    for family in ["lstm", "gru", "gru-reset-before"]:
        make, _ = FAMILIES[family]
        b.add(make(5, implementation=1, name=f"{family}-1")(x))
        b.add(make(5, implementation=2, unroll=True, return_sequences=True,
                   name=f"{family}-unroll")(masked))
    return b.case()


@case("masks")
def masks():
    """Masks of Masking (two values) and Embedding, and zero_output_for_mask."""
    b = Branches("masks")
    zero = b.input(padded("masks-zero", 3, 6, 4))
    other = b.input(padded("masks-other", 3, 6, 4, value=-1.0))
    words = b.input(ids("masks-ids", 3, 6, size=9))
    masked = {
        "zero": Masking(name="mask-zero")(zero),
        "other": Masking(-1.0, name="mask-other")(other),
        "embedding": Embedding(9, 4, mask_zero=True, name="embedding")(words),
    }
    lstm = LSTM(5, return_sequences=True, name="lstm")
    gru = GRU(5, name="gru")
    rnn = SimpleRNN(5, return_sequences=True, go_backwards=True, name="rnn")
    for tensor in masked.values():
        b.add(tensor, lstm(tensor), gru(tensor), rnn(tensor))
    for family, (make, _) in FAMILIES.items():
        b.add(make(5, return_sequences=True, zero_output_for_mask=True,
                   name=f"{family}-zero-output")(masked["other"]))
    b.add(LSTM(5, return_sequences=True, go_backwards=True, zero_output_for_mask=True,
               name="lstm-zero-output-backwards")(masked["other"]))
    b.add(LSTM(5, zero_output_for_mask=True, name="lstm-zero-output-last")(masked["zero"]))
    empty = numbers("masks-empty", 3, 6, 4)
    empty[1] = 0
    nothing = Masking(name="mask-row")(b.input(empty))
    b.add(LSTM(5, return_sequences=True, return_state=True, name="lstm-empty-row")(nothing))
    b.add(GRU(5, name="gru-empty-row")(nothing))
    return b.case()


@case("stacks")
def stacks():
    """Stacks of recurrent layers, plain, masked, bidirectional, with skips."""
    b = Branches("stacks")
    x = b.input(numbers("stacks", 2, 7, 3))
    masked = Masking(name="masking")(b.input(padded("stacks-padded", 2, 7, 3)))
    stack = [LSTM(6, return_sequences=True, name="lstm"), GRU(5, return_sequences=True, name="gru"),
             SimpleRNN(7, name="rnn"), Dense(3, "softmax", name="dense")]
    both = [Bidirectional(LSTM(5, return_sequences=True), name="bi-lstm"),
            Bidirectional(GRU(6), name="bi-gru")]
    back = [LSTM(5, return_sequences=True, go_backwards=True, name=f"back-{i}") for i in range(2)]
    skip = [LSTM(5, return_sequences=True, name="skip-from"), LSTM(5, name="skip-to")]
    for name, tensor in [("plain", x), ("masked", masked)]:
        for layers in [stack, both, back]:
            y = tensor
            for layer in layers:
                y = layer(y)
            b.add(y)
        b.add(skip[1](Concatenate(name=f"skip-{name}")([tensor, skip[0](tensor)])))
    return b.case()


@case("stateful")
def stateful():
    """Layers that keep their states between calls, go_backwards and Bidirectional too."""
    keras.backend.clear_session()
    if KERAS2:
        x = keras.Input((4, 3), batch_size=2)
        padded_x = keras.Input((4, 3), batch_size=2)
    else:
        x = keras.Input(batch_shape=(2, 4, 3))
        padded_x = keras.Input(batch_shape=(2, 4, 3))
    masked = Masking(name="masking")(padded_x)
    outputs = []
    for family, (make, _) in FAMILIES.items():
        outputs += [
            make(5, stateful=True, name=f"{family}-last")(x),
            make(5, stateful=True, return_sequences=True, go_backwards=True,
                 name=f"{family}-backwards")(x),
            make(5, stateful=True, return_sequences=True, name=f"{family}-masked")(masked),
        ]
    outputs.append(Bidirectional(LSTM(5, stateful=True, return_sequences=True), name="bi-lstm")(x))
    model = seed_weights(keras.Model([x, padded_x], outputs, name="stateful"))
    return Case(model, [[numbers(f"stateful{i}", 2, 4, 3), padded(f"stateful-padded{i}", 2, 4, 3)]
                        for i in range(2)])
