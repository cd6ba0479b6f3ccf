"""Write the option fixtures of the Keras importer to fixtures/keras.

    interop/.venv-keras2/bin/python interop/make_fixtures.py [NAME ...]
    interop/.venv-keras3/bin/python interop/make_fixtures.py [NAME ...]

The first writes k2-NAME.h5 with Keras 2, the second k3-NAME.keras with Keras 3
on PyTorch (some cases write other files), each with an .npz of its inputs and
outputs beside: `in0`, `in1`, ... and `out0`, `out1`, ... in the order of
`model.inputs` and `model.outputs`; for stateful models `in0_call0`,
`out0_call0`, `in0_call1`, ...  Weights and inputs are seeded by their names.
"""

import argparse
import io
import os
import zipfile
from pathlib import Path

from fixturegen import files, layers, models, recurrent  # noqa: F401  (they register their cases)
from fixturegen.common import CASES, KERAS2, np
from keras_predict import predict

OUT = Path(__file__).resolve().parent.parent / "fixtures/keras"
STORED = 28_000  # bytes; larger .keras files are compressed, to keep the repository small
PREFIX = "k2-" if KERAS2 else "k3-"


def save_arrays(path, arrays):
    """Write a compressed npz that is the same whenever its arrays are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue(),
                             zipfile.ZIP_DEFLATED, 9)


def deflate(path):
    """Compress the members of a zip, which Keras stores as they are."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)


def evaluate(case):
    """Run the case's model and return the arrays of its npz."""
    arrays = {}
    for number, inputs in enumerate(case.calls):
        suffix = f"_call{number}" if len(case.calls) > 1 else ""
        outputs = predict(case.model, inputs)
        for place, output in enumerate(outputs):
            assert np.isfinite(output).all() and abs(output).max() < 100, f"output {place}"
        arrays |= {f"in{i}{suffix}": array for i, array in enumerate(inputs)}
        arrays |= {f"out{i}{suffix}": array for i, array in enumerate(outputs)}
    return arrays


def save_model(case, stem):
    """Save the model in the usual format; return the paths written."""
    if KERAS2:
        case.model.save(stem + ".h5", include_optimizer=case.optimizer)
        return [stem + ".h5"]
    path = stem + ".keras"
    case.model.save(path)
    if os.path.getsize(path) > STORED:
        deflate(path)
    return [path]


def write(name):
    """Build, run and save one case."""
    case = CASES[name]()
    folder, _, last = name.rpartition("/")
    (OUT / folder).mkdir(parents=True, exist_ok=True)
    stem = str(OUT / folder / (PREFIX + last))
    paths = case.save(stem) if case.save else save_model(case, stem)
    if case.calls:
        save_arrays(stem + ".npz", evaluate(case))
        paths.append(stem + ".npz")
    print(*(f"{os.path.relpath(path, OUT)} ({os.path.getsize(path)})" for path in paths), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a case; default: all")
    args = parser.parse_args()
    for name in args.names or CASES:
        write(name)


if __name__ == "__main__":
    main()
