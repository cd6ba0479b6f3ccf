"""The Keras models of fixtures/keras, by subject; see interop/make_fixtures.py."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "torch")  # read by Keras 3 alone
