"""Run ONNX models with onnxruntime, as a list of jobs says.

    interop/.venv-onnx/bin/python interop/onnx_run.py JOBS.json RESULTS.json

A job is {"model": path, "calls": [{name: {"shape", "data", "type"}}], "carry": {input: output}, "expose": [tensor],
"quantize": path}.
Calls follow each other; `carry` hands outputs of one call to the next as inputs. `expose` makes inner tensors outputs
of the first call. `quantize` is where onnxruntime's own dynamic quantization of the model goes, which then is run instead.
A result is {"calls": [{name: {"shape", "data"}}]}, or {"error": text}.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import quantize_dynamic


def array(given):
    return np.array(given["data"], given.get("type", "float32")).reshape(given["shape"])


def plain(value):
    return {"shape": list(value.shape), "data": value.astype("float64").ravel().tolist()}


def run(job):
    if "quantize" in job:
        # On processors without VNNI, products of wider signed codes clip.
        quantize_dynamic(job["model"], job["quantize"], per_channel=True, reduce_range=True)
    model = onnx.load(job.get("quantize", job["model"]))
    # Models that lean on newer or rarer parts of the format are still to be valid.
    onnx.checker.check_model(model, full_check=not job.get("expose"))
    for name in job.get("expose", []):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    carried, results = {}, []
    for call in job["calls"]:
        feeds = {name: array(value) for name, value in call.items()} | carried
        outputs = dict(zip(names, session.run(names, feeds)))
        carried = {name: outputs[output] for name, output in job.get("carry", {}).items()}
        results.append({name: plain(value) for name, value in outputs.items()})
    return {"calls": results}


def main(jobs, results):
    done = []
    for job in json.load(open(jobs)):
        try:
            done.append(run(job))
        except Exception as error:  # the test shows it beside the model's name
            done.append({"error": str(error)[:2000]})
    json.dump(done, open(results, "w"))


if __name__ == "__main__":
    main(*sys.argv[1:])
