"""Loads files in the real PyTorch and runs them: `torch_run.py JOBS.json`.

A job is {"file", "model", "input", "output"}: `in` of the npz `input` goes through the model, its result becomes
`out` of the npz `output`. "module" loads a whole module, "script" a TorchScript archive; any other name is a class
below or of make_torch_fixtures, into which the file is loaded strictly as a state dict, by weights_only=True.
"""

import json
import struct
import sys

import make_torch_fixtures as fixtures
import numpy as np
import torch
from torch import nn


class Chain(nn.Module):
    """An LSTM named as the file names it, then a head on its last step."""

    def __init__(self, lstm, head, name="lstm"):
        super().__init__()
        self.name = name
        setattr(self, name, lstm)
        for key, module in head.items():
            setattr(self, key, module)
        self.steps = list(head)

    def forward(self, x):
        x = getattr(self, self.name)(x)[0][:, -1]
        for key in self.steps:
            x = getattr(self, key)(x)
        return x


class ThreeLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm1 = nn.LSTM(4, 50, batch_first=True)
        self.lstm2 = nn.LSTM(50, 50, batch_first=True)
        self.lstm3 = nn.LSTM(50, 200, batch_first=True)
        self.fc = nn.Linear(200, 1)

    def forward(self, x):
        for layer in (self.lstm1, self.lstm2, self.lstm3):
            x = layer(x)[0]
        return self.fc(x[:, -1])


def lstm(*sizes, **options):
    return nn.LSTM(*sizes, batch_first=True, **options)


def with_relu(first, second):
    return {first: nn.Linear(128, 128), "relu": nn.ReLU(), second: nn.Linear(128, 1)}


MODELS = {
    "classifier": fixtures.Classifier,
    "smaller": lambda: Chain(lstm(3, 6, 2, bidirectional=True), {"norm": nn.LayerNorm(12), "fc": nn.Linear(12, 3)}),
    "deep": fixtures.Deep,
    "tagger": fixtures.Tagger,
    "speech": lambda: Chain(lstm(12, 64, 3), {"fc": nn.Linear(64, 35)}),
    "wind-three": ThreeLayers,
    "wind-stack": lambda: Chain(lstm(31, 128, 3), {"norm": nn.LayerNorm(128), **with_relu("lin1", "lin2")}),
    "wind-both": lambda: Chain(
        lstm(31, 128, bidirectional=True),
        {"norm": nn.LayerNorm(256), "head": nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 1))},
    ),
    "digits": lambda: Chain(lstm(28, 128), {"digit": nn.Linear(128, 10), "softmax": nn.Softmax(-1)}),
}


def safetensors(path):
    """The library is small, and not needed for this."""
    data = open(path, "rb").read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64, "I64": torch.int64}
    out = {}
    for key, entry in header.items():
        if key != "__metadata__":
            start, end = (8 + size + offset for offset in entry["data_offsets"])
            out[key] = torch.frombuffer(bytearray(data[start:end]), dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return out


def state_in(checkpoint):
    """A checkpoint's state dict under the names of the bare model."""
    state = checkpoint
    for place in ("state_dict", "model_state_dict"):
        state = state.get(place, state)
    if not all(isinstance(value, torch.Tensor) for value in state.values()):
        parts = {key: value for key, value in state.items() if isinstance(value, dict)}
        state = {f"{part}.{key}": tensor for part, tensors in parts.items() for key, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}
    return {key.removeprefix("module.").removeprefix("model."): value for key, value in state.items()}


def load(path, kind):
    if kind == "module":
        for name in ("Classifier", "Deep", "Tagger"):
            setattr(sys.modules["__main__"], name, getattr(fixtures, name))
        return torch.load(path, weights_only=False, map_location="cpu")
    if kind == "script":
        return torch.jit.load(path)
    # NumPy's scalars stand beside the weights of some checkpoints; they are as harmless as numbers.
    safe = [np._core.multiarray.scalar, np.dtype, type(np.dtype("f8"))]
    with torch.serialization.safe_globals(safe):
        state = safetensors(path) if path.endswith(".safetensors") else state_in(torch.load(path, weights_only=True, map_location="cpu"))
    model = MODELS[kind]()
    model.load_state_dict({key: value.to(torch.float32) if value.is_floating_point() else value for key, value in state.items()})
    return model


def main():
    for job in json.load(open(sys.argv[1])):
        try:
            model = load(job["file"], job["model"]).eval()
            x = torch.from_numpy(np.load(job["input"])["in"])
            with torch.no_grad():
                y = model(x.long() if x.dtype == torch.int32 else x)
            np.savez(job["output"], out=(y[0] if isinstance(y, tuple) else y).numpy())
        except Exception as error:
            raise SystemExit(f"{job['file']} as {job['model']}: {error}") from error


if __name__ == "__main__":
    main()
