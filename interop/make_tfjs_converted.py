"""Convert Keras fixtures with the Python converter of TensorFlow.js into fixtures/tfjs/.

    interop/.venv-keras2/bin/python -m pip install --no-deps tensorflowjs==4.22.0
    interop/.venv-keras2/bin/python interop/make_tfjs_converted.py
    node interop/tfjs/make_fixtures.mjs    # TensorFlow.js' answers

The package as a whole imports JAX and decision forests; its reader of HDF5 files does not, so the
package's own __init__ is passed over.
"""

import importlib.util
import os
import sys
import types
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = Path(__file__).resolve().parent.parent

# Folder, Keras fixture, what --quantize_* of the converter is given.
CONVERTED = (
    ("converted-float", "k2-lstm.h5", {}),
    ("converted-uint8", "k2-gru-reset-before.h5", {"uint8": "*"}),
    ("converted-uint16", "k2-trained.h5", {"uint16": "*"}),
    ("converted-float16", "k2-simple-rnn.h5", {"float16": "*"}),
)


def converter():
    """Return the module keras_h5_conversion without importing the package around it."""
    folder = Path(importlib.util.find_spec("tensorflowjs").submodule_search_locations[0])
    for name, path in (("tensorflowjs", folder), ("tensorflowjs.converters", folder / "converters")):
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module
    from tensorflowjs.converters import keras_h5_conversion

    return keras_h5_conversion


def main():
    conversion = converter()
    for folder, source, quantization in CONVERTED:
        path = ROOT / "fixtures" / "keras" / source
        split = folder.endswith("float")
        topology, groups = conversion.h5_merged_saved_model_to_tfjs_format(str(path), split_by_layer=split)
        target = ROOT / "fixtures" / "tfjs" / folder
        target.mkdir(parents=True, exist_ok=True)
        conversion.write_artifacts(
            topology, groups, str(target), quantization_dtype_map=quantization or None)
        print(folder, sorted(entry.name for entry in target.iterdir()))


if __name__ == "__main__":
    main()
