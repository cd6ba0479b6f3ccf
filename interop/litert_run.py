"""Run TensorFlow Lite files in the LiteRT interpreter.

    interop/.venv-litert/bin/python interop/litert_run.py JOBS.json RESULTS.json

A job is {"model": path, "calls": [[input, ...], ...], "states": [[i, o], ...],
"reset": bool}; an input is {"shape", "data"}.  Calls follow each other: what
output o gave is input i of the next call (zeros at first), and variables are
reset before each where `reset` says so.  A result lists the outputs of each
call as flat lists of real numbers, and the scale of the first where it is integer.
"""

import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

INTEGERS = (np.int8, np.int16)


def to_tensor(values, detail):
    """Real numbers as the file's own."""
    if detail["dtype"] in INTEGERS:
        scale, zero = detail["quantization"]
        bounds = np.iinfo(detail["dtype"])
        return np.clip(np.round(values / scale) + zero, bounds.min, bounds.max).astype(detail["dtype"])
    return values.astype(detail["dtype"])


def from_tensor(values, detail):
    if detail["dtype"] in INTEGERS:
        scale, zero = detail["quantization"]
        return (values.astype(np.float32) - zero) * np.float32(scale)
    return values


def run(job):
    interpreter = Interpreter(job["model"])
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    states = {i: o for i, o in job["states"]}
    given = [i for i in range(len(inputs)) if i not in states]
    for i, array in zip(given, job["calls"][0]):
        if list(inputs[i]["shape"]) != array["shape"]:
            interpreter.resize_tensor_input(inputs[i]["index"], array["shape"], strict=True)
    interpreter.allocate_tensors()
    kept = {i: np.zeros(inputs[i]["shape"], inputs[i]["dtype"]) for i in states}
    results = []
    for call in job["calls"]:
        if job["reset"]:
            interpreter.reset_all_variables()
        for i, array in zip(given, call):
            values = np.array(array["data"], np.float32).reshape(array["shape"])
            interpreter.set_tensor(inputs[i]["index"], to_tensor(values, inputs[i]))
        for i, values in kept.items():
            interpreter.set_tensor(inputs[i]["index"], values)
        interpreter.invoke()
        made = [interpreter.get_tensor(detail["index"]) for detail in outputs]
        kept = {i: made[o] for i, o in states.items()}
        results.append([from_tensor(values, detail).ravel().tolist()
                        for o, (values, detail) in enumerate(zip(made, outputs)) if o not in states.values()])
    scale = float(outputs[0]["quantization"][0]) if outputs[0]["dtype"] in INTEGERS else 0
    return {"calls": results, "step": scale}


def main():
    jobs, path = sys.argv[1:]
    with open(jobs, encoding="utf-8") as file:
        results = [run(job) for job in json.load(file)]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main()
