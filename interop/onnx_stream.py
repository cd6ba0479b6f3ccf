"""Run an ONNX model of one step per call over whole sequences with onnxruntime.

    interop/.venv-onnx/bin/python interop/onnx_stream.py MODEL SEQUENCES.npz RESULTS.npz DATA STATE=NEXT [NAME=INTEGER...]

Every array of SEQUENCES.npz is [steps, width]: row by row it goes to the input DATA as [1, width], while the output NEXT of a
call is the input STATE of the following one (zeros at first). Other inputs are constant integers. RESULTS.npz has the first
output under the same names, [steps, ...].
"""

import sys

import numpy as np
import onnxruntime


def main(path, sequences, results, data, carry, *constants):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    state, following = carry.split("=")
    shapes = {i.name: [n if isinstance(n, int) else 1 for n in i.shape] for i in session.get_inputs()}
    fixed = {name: np.array(int(value), "int64") for name, value in (c.split("=") for c in constants)}
    first = next(o.name for o in session.get_outputs() if o.name != following)
    answers = {}
    for name, rows in np.load(sequences).items():
        memory = np.zeros(shapes[state], "float32")
        out = []
        for row in rows:
            value, memory = session.run([first, following], {data: row[None], state: memory, **fixed})
            out.append(value.ravel())
        answers[name] = np.array(out, "float32")
    np.savez(results, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
