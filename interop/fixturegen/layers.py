"""The layers around the recurrent ones."""

from keras.layers import (
    ELU, GRU, LSTM, Activation, ActivityRegularization, Add, AlphaDropout, Average,
    AveragePooling1D, BatchNormalization, Bidirectional, Concatenate, Conv1D, Cropping1D, Dense,
    DepthwiseConv1D, Dropout, Embedding, Flatten, GaussianDropout, GaussianNoise,
    GlobalAveragePooling1D, GlobalMaxPooling1D, LayerNormalization, LeakyReLU, Masking,
    Maximum, MaxPooling1D, Minimum, Multiply, Normalization, Permute, PReLU, ReLU, RepeatVector,
    Rescaling, Reshape, SeparableConv1D, Softmax, SpatialDropout1D, Subtract, TimeDistributed,
    UnitNormalization, UpSampling1D, ZeroPadding1D)

from .common import KERAS2, Branches, case, ids, keras, np, numbers, padded

ACTIVATIONS = [
    "tanh", "relu", "sigmoid", "hard_sigmoid", "linear", "elu", "selu", "softplus", "softsign",
    "swish", "gelu", "exponential", "mish", "softmax",
    *([] if KERAS2 else [
        "silu", "relu6", "leaky_relu", "log_sigmoid", "hard_silu", "hard_tanh", "celu",
        "tanh_shrink", "hard_shrink", "soft_shrink", "squareplus", "sparse_plus",
        "sparse_sigmoid", "log_softmax"])]


@case("dense")
def dense():
    """Dense with every activation, on steps and on vectors, with and without bias."""
    b = Branches("dense")
    x = b.input(numbers("dense", 2, 4))
    steps = b.input(numbers("dense-steps", 2, 6, 3))
    for activation in ACTIVATIONS:
        b.add(Dense(7, activation, name=activation)(x))
    b.add(Dense(5, "softmax", name="steps-softmax")(steps))
    b.add(Dense(5, use_bias=False, name="steps-no-bias")(steps))
    b.add(TimeDistributed(Dense(5, "relu"), name="time-distributed")(steps))
    return b.case()


@case("activation-layers")
def activation_layers():
    """Activation with every name, and the layers that are activations."""
    b = Branches("activation-layers")
    x = b.input(numbers("activation-layers", 2, 6, 5, scale=1.2))
    for activation in ACTIVATIONS:
        b.add(Activation(activation, name=f"activation-{activation}")(x))
    slope = "alpha" if KERAS2 else "negative_slope"
    b.add(ReLU(name="relu")(x))
    b.add(ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5, name="relu-all")(x))
    b.add(ReLU(6.0, name="relu-6")(x))
    b.add(ReLU(negative_slope=0.3, threshold=1.0, name="relu-slope")(x))
    b.add(LeakyReLU(name="leaky")(x))
    b.add(LeakyReLU(**{slope: 0.05}, name="leaky-slope")(x))
    b.add(PReLU(name="prelu")(x))
    b.add(PReLU(shared_axes=[1], name="prelu-shared")(x))
    b.add(ELU(name="elu")(x))
    b.add(ELU(alpha=0.4, name="elu-alpha")(x))
    b.add(Softmax(name="softmax")(x))
    b.add(Softmax(axis=1, name="softmax-steps")(x))
    if KERAS2:
        b.add(keras.layers.ThresholdedReLU(theta=0.7, name="thresholded")(x))
    return b.case()


@case("embedding")
def embedding():
    """Embedding of sequences and of single ids."""
    b = Branches("embedding")
    words = b.input(ids("embedding", 3, 6, size=11))
    one = b.input(np.array([[3], [0], [8]], np.int32))
    numbers_as_ids = b.input(ids("embedding-float", 3, 6, size=9).astype(np.float32))
    b.add(Embedding(11, 5, name="sequence")(words))
    b.add(Embedding(9, 4, name="single")(one))
    b.add(Flatten(name="flat")(Embedding(9, 3, name="flattened")(one)))
    b.add(Embedding(9, 3, name="from-float")(numbers_as_ids))
    return b.case()


@case("convolutions")
def convolutions():
    """Conv1D, DepthwiseConv1D and SeparableConv1D with paddings, strides, dilation, groups."""
    b = Branches("convolutions")
    x = b.input(numbers("convolutions", 2, 9, 4))
    for padding in ["valid", "same", "causal"]:
        b.add(Conv1D(5, 3, padding=padding, name=padding)(x))
        b.add(Conv1D(5, 4, strides=2, padding=padding, activation="relu",
                     name=f"{padding}-strides")(x))
        b.add(Conv1D(5, 3, dilation_rate=2, padding=padding, name=f"{padding}-dilation")(x))
    b.add(Conv1D(6, 1, use_bias=False, name="pointwise")(x))
    b.add(Conv1D(6, 2, strides=3, padding="same", name="same-strides-3")(x))
    b.add(Conv1D(6, 3, groups=2, name="groups")(x))
    b.add(Conv1D(8, 3, groups=4, padding="causal", name="groups-depth")(x))
    for padding in ["valid", "same"]:
        b.add(DepthwiseConv1D(3, padding=padding, name=f"depthwise-{padding}")(x))
        b.add(SeparableConv1D(5, 3, padding=padding, activation="tanh",
                              name=f"separable-{padding}")(x))
    b.add(DepthwiseConv1D(3, strides=2, depth_multiplier=2, padding="same", use_bias=False,
                          name="depthwise-multiplier")(x))
    b.add(SeparableConv1D(5, 3, depth_multiplier=2, strides=2, padding="same",
                          name="separable-multiplier")(x))
    return b.case()


@case("pooling")
def pooling():
    """Max and average pooling, local and global."""
    b = Branches("pooling")
    x = b.input(numbers("pooling", 2, 9, 3))
    masked = Masking(name="masking")(b.input(padded("pooling-padded", 3, 6, 4)[:2]))
    for kind, layer in [("max", MaxPooling1D), ("average", AveragePooling1D)]:
        for padding in ["valid", "same"]:
            b.add(layer(2, padding=padding, name=f"{kind}-{padding}")(x))
            b.add(layer(3, strides=2, padding=padding, name=f"{kind}-{padding}-strides")(x))
            # On PyTorch Keras 3 averages copies of the border where "same" pads unevenly.
            b.add(layer(4 if KERAS2 else 3, strides=1, padding=padding,
                        name=f"{kind}-{padding}-overlap")(x))
    for kind, layer in [("max", GlobalMaxPooling1D), ("average", GlobalAveragePooling1D)]:
        b.add(layer(name=f"global-{kind}")(x))
        b.add(layer(name=f"global-{kind}-masked")(masked))
        b.add(layer(keepdims=True, name=f"global-{kind}-kept")(x))
    return b.case()


@case("normalizations")
def normalizations():
    """Batch, layer, unit and RMS normalization, Normalization and Rescaling."""
    b = Branches("normalizations")
    x = b.input(numbers("normalizations", 2, 6, 4))
    flat = b.input(numbers("normalizations-flat", 2, 5))
    for scale in [True, False]:
        for center in [True, False]:
            name = f"{'scale' if scale else 'plain'}-{'center' if center else 'origin'}"
            b.add(BatchNormalization(scale=scale, center=center, name=f"batch-{name}")(x))
            b.add(LayerNormalization(scale=scale, center=center, name=f"layer-{name}")(x))
    b.add(BatchNormalization(epsilon=0.1, name="batch-epsilon")(flat))
    b.add(BatchNormalization(axis=1, name="batch-steps")(x))
    b.add(LayerNormalization(epsilon=0.1, name="layer-epsilon")(flat))
    b.add(LayerNormalization(axis=[1, 2], name="layer-axes")(x))
    b.add(UnitNormalization(name="unit")(x))
    b.add(Rescaling(0.5, name="rescaling")(x))
    b.add(Rescaling(1 / 3, offset=-0.7, name="rescaling-offset")(x))
    b.add(Normalization(mean=[0.1, -0.2, 0.3, 1.0], variance=[0.5, 1.0, 2.0, 3.0],
                        name="normalization-given")(x))
    b.add(Normalization(mean=0.4, variance=1.7, axis=None, name="normalization-scalar")(x))
    b.add(Normalization(mean=0.4, variance=1.7, axis=None, invert=True,
                        name="normalization-invert")(x))
    adapted = Normalization(name="normalization-adapted")
    adapted.adapt(numbers("adapt", 20, 6, 4, scale=2) + 0.5)
    b.add(adapted(x))
    if not KERAS2:
        b.add(keras.layers.RMSNormalization(name="rms")(x))
        b.add(keras.layers.RMSNormalization(epsilon=0.1, name="rms-epsilon")(flat))
    return b.case()


@case("shapes")
def shapes():
    """Layers that only move numbers."""
    b = Branches("shapes")
    x = b.input(numbers("shapes", 2, 6, 4))
    flat = b.input(numbers("shapes-flat", 2, 12))
    b.add(Reshape((4, 3), name="reshape")(flat))
    b.add(Reshape((-1, 2), name="reshape-rest")(flat))
    b.add(Reshape((8, 3), name="reshape-steps")(x))
    b.add(Flatten(name="flatten")(x))
    b.add(Permute((2, 1), name="permute")(x))
    b.add(RepeatVector(3, name="repeat")(flat))
    b.add(ZeroPadding1D(2, name="padding")(x))
    b.add(ZeroPadding1D((1, 3), name="padding-both")(x))
    b.add(Cropping1D(1, name="cropping")(x))
    b.add(Cropping1D((0, 2), name="cropping-both")(x))
    b.add(UpSampling1D(3, name="upsampling")(x))
    y = Conv1D(5, 2, name="conv")(Reshape((6, 2), name="to-steps")(flat))
    b.add(LSTM(5, name="lstm")(Permute((2, 1), name="turn")(y)))
    return b.case()


@case("merges")
def merges():
    """Layers of several inputs, broadcasting too."""
    b = Branches("merges")
    x, y, z = (b.input(numbers(f"merges-{name}", 2, 6, 4)) for name in "xyz")
    one = b.input(numbers("merges-one", 2, 1, 4))
    flat = [b.input(numbers(f"merges-flat-{size}", 2, size)) for size in [3, 5]]
    for layer in [Add, Multiply, Average, Maximum, Minimum]:
        b.add(layer(name=layer.__name__.lower())([x, y, z]))
    b.add(Subtract(name="subtract")([x, y]))
    b.add(Add(name="broadcast")([x, one]))
    b.add(Multiply(name="twice")([x, x]))
    b.add(Concatenate(name="concatenate")([x, y, z]))
    b.add(Concatenate(axis=1, name="concatenate-steps")([x, one]))
    b.add(Concatenate(axis=-1, name="concatenate-flat")(flat))
    return b.case()


@case("training-layers")
def training_layers():
    """Layers that do nothing at inference."""
    b = Branches("training-layers")
    x = b.input(numbers("training-layers", 2, 6, 4))
    for layer in [Dropout(0.4), SpatialDropout1D(0.4), GaussianNoise(0.3), GaussianDropout(0.3),
                  AlphaDropout(0.2), ActivityRegularization(l2=0.01)]:
        b.add(layer(x))
    if not KERAS2:
        b.add(keras.layers.Identity()(x))
    y = LSTM(5, dropout=0.3, recurrent_dropout=0.2, return_sequences=True, name="lstm")(x)
    b.add(Dense(3, kernel_regularizer="l2", kernel_constraint="max_norm",
                name="dense")(Dropout(0.5, name="between")(y)))
    return b.case()


@case("mask-flow")
def mask_flow():
    """Which layers hand a mask on, and which lose it, seen by one GRU after all of them."""
    b = Branches("mask-flow")
    masked = Masking(name="masking")(b.input(padded("mask-flow", 3, 6, 4)))
    plain = b.input(numbers("mask-flow-plain", 3, 6, 4))
    words = Embedding(9, 4, mask_zero=True, name="embedding")(
        b.input(ids("mask-flow-ids", 3, 6, size=9)[[2, 0, 1]]))
    through = [
        Dense(4), Activation("tanh"), Dropout(0.3), SpatialDropout1D(0.3), GaussianNoise(0.1),
        BatchNormalization(), LayerNormalization(), LeakyReLU(), TimeDistributed(Dense(4)),
        Conv1D(4, 3, padding="same"), Reshape((6, 4)), MaxPooling1D(1), Permute((1, 2)),
        LSTM(4, return_sequences=True), Bidirectional(GRU(2, return_sequences=True)),
        LSTM(4, return_sequences=True, zero_output_for_mask=True), ZeroPadding1D(0),
        Rescaling(2.0), UnitNormalization()]
    after = GRU(3, return_sequences=True, name="after")
    wide = GRU(3, name="after-concat")
    for layer in through:
        b.add(after(layer(masked)))
    for name, pair in [("masked-plain", [masked, plain]), ("plain-masked", [plain, masked]),
                       ("masked-words", [masked, words])]:
        b.add(after(Add(name=f"add-{name}")(pair)))
        b.add(wide(Concatenate(name=f"concat-{name}")(pair)))
    b.add(after(Concatenate(axis=1, name="concat-steps")([masked, words])))
    b.add(GlobalAveragePooling1D(name="average")(
        LSTM(4, return_sequences=True, name="before-average")(masked)))
    b.add(after(RepeatVector(3, name="repeat")(LSTM(4, name="before-repeat")(masked))))
    return b.case()


@case("activations-with-settings", keras2=False)
def activations_with_settings():
    """Keras 3 activations that change the number of features."""
    b = Branches("activations-with-settings")
    x = b.input(numbers("glu", 2, 5, 6))
    b.add(Activation("glu", name="glu")(x))
    return b.case()
