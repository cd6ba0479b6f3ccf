"""What every fixture needs: a registry, seeded numbers, and models of many branches."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

KERAS2 = keras.__version__.startswith("2.")

CASES = {}

# Layers with one of these in their name can grow without bound, so they get small weights.
UNBOUNDED = re.compile("relu|linear|elu|exponential|soft(plus|_shrink)|squareplus|sparse_plus|shrink")


@dataclass
class Case:
    """A model and the inputs of one call, or of consecutive calls if it is stateful.

    `save`, given the path without its ending, replaces the usual saving and
    returns the paths that it wrote.
    """

    model: keras.Model
    calls: list = field(default_factory=list)
    optimizer: bool = False
    save: Callable[[str], list[str]] | None = None


def case(name, keras2=True, keras3=True):
    """Register a function that returns the Case called `name`."""
    def register(function):
        if keras2 if KERAS2 else keras3:
            CASES[name] = function
        return function
    return register


def generator(name):
    """Return a random generator that depends on the name alone."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def numbers(name, *shape, scale=1.5):
    """Return normal float32 numbers."""
    return (scale * generator(name).standard_normal(shape)).astype(np.float32)


def padded(name, *shape, value=0.0):
    """Return numbers with steps to be masked: at the end of row 0, the start and middle of row 1."""
    x = numbers(name, *shape)
    x[0, -2:] = value
    x[1, [0, 3]] = value
    return x


def ids(name, *shape, size):
    """Return int32 ids below `size`, with 0 at the places that `padded` masks, never elsewhere."""
    x = generator(name).integers(1, size, shape, np.int32)
    x[0, -2:] = 0
    x[1, [0, 3]] = 0
    return x


class Branches:
    """Collects the inputs and outputs of one functional model."""

    def __init__(self, name):
        keras.backend.clear_session()
        self.name = name
        self.arrays, self.inputs, self.outputs = [], [], []

    def input(self, array, name=None):
        """Add an input that `array` will feed; return its tensor."""
        self.arrays.append(array)
        self.inputs.append(keras.Input(
            array.shape[1:], dtype=array.dtype.name, name=name or f"in{len(self.inputs)}"))
        return self.inputs[-1]

    def add(self, *tensors):
        """Add output tensors, lists of them too."""
        for tensor in tensors:
            self.outputs.extend(tensor if isinstance(tensor, (list, tuple)) else [tensor])

    def case(self):
        """Return the model with seeded weights as a Case."""
        model = keras.Model(self.inputs, self.outputs, name=self.name)
        return Case(seed_weights(model), [self.arrays])


def seed_weights(model):
    """Give every weight numbers that depend on its name; return the model.

    Normal with deviation 0.5 (0.15 in layers that can grow without bound), so
    that gates saturate; positive variances.  Normalization keeps its own.
    """
    values = []
    for weight, value in zip(model.weights, model.get_weights(), strict=True):
        name = weight.name.removesuffix(":0") if KERAS2 else weight.path
        rng = generator(f"{model.name}/{name}")
        if re.search("normalization[^/]*/(mean|variance|count)$", name) and "batch" not in name:
            values.append(value)
        elif name.endswith("variance"):
            values.append(rng.uniform(0.3, 2.0, value.shape).astype(value.dtype))
        else:
            scale = 0.15 if UNBOUNDED.search(name) else 0.5
            values.append((scale * rng.standard_normal(value.shape)).astype(value.dtype))
    model.set_weights(values)
    return model
