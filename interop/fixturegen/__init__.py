"""The Keras models of fixtures/keras, by subject; see interop/make_fixtures.py."""
