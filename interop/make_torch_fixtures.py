"""Makes fixtures/torch with the real PyTorch: files of every form, with inputs and outputs.

    interop/.venv-keras3/bin/python interop/make_torch_fixtures.py

cells.pt holds every recurrent module in one state dict; cells.json tells the options of each, cells.npz its
input, its outputs of every step and its final hidden state, batch first. Every other NAME.pt has NAME.npz with
`in` and `out`.
"""

import json
import os
import struct
from collections import OrderedDict
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from torch_weights import randomize

torch.manual_seed(5)
# The legacy form of whole modules keeps the source of their classes and where it stands: nothing that a reader needs.
torch.serialization.get_source_lines_and_file = lambda obj: (["pass"], 0, "models.py")
folder = Path(__file__).resolve().parent.parent / "fixtures" / "torch"
folder.mkdir(parents=True, exist_ok=True)


def vectors(name, x, y):
    np.savez(folder / f"{name}.npz", **{"in": x.numpy(), "out": y.detach().to(torch.float32).numpy()})


def cells():
    tensors, arrays, options = OrderedDict(), {}, {}
    kinds = [("lstm", nn.LSTM, {}), ("gru", nn.GRU, {}), ("rnn", nn.RNN, {}), ("relu", nn.RNN, {"nonlinearity": "relu"})]
    for (kind, cls, more), bias, layers, both, projection in product(kinds, (True, False), (1, 2), (False, True), (0, 2)):
        if projection and kind != "lstm":
            continue
        name = f"{kind}-{'b' if bias else 'n'}{layers}{'d' if both else 's'}{'p' if projection else ''}"
        extra = {**more, **({"proj_size": projection} if projection else {})}
        module = randomize(cls(3, 4, layers, bias=bias, batch_first=True, bidirectional=both, **extra))
        x = torch.randn(2, 5, 3)
        with torch.no_grad():
            y, state = module(x)
        h = state[0] if kind == "lstm" else state
        last = torch.cat(list(h[-2 if both else -1 :]), dim=-1)
        for key, value in module.state_dict().items():
            tensors[f"{name}.{key}"] = value
        options[name] = {"type": "rnn" if kind == "relu" else kind, **more}
        arrays.update({f"{name}/in": x.numpy(), f"{name}/y": y.numpy(), f"{name}/h": last.numpy()})
    for kind, cls in (("lstm", nn.LSTMCell), ("gru", nn.GRUCell), ("rnn", nn.RNNCell)):
        name = f"{kind}-cell"
        module = randomize(cls(3, 4))
        x = torch.randn(2, 5, 3)
        state, outputs = None, []
        with torch.no_grad():
            for step in range(5):
                state = module(x[:, step], state)
                outputs.append(state[0] if kind == "lstm" else state)
        for key, value in module.state_dict().items():
            tensors[f"{name}.{key}"] = value
        options[name] = {"type": kind}
        arrays.update({f"{name}/in": x.numpy(), f"{name}/y": torch.stack(outputs, 1).numpy(), f"{name}/h": outputs[-1].numpy()})
    torch.save(tensors, folder / "cells.pt")
    (folder / "cells.json").write_text(json.dumps(options, indent=1) + "\n")
    np.savez_compressed(folder / "cells.npz", **arrays)


class Classifier(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.lstm = nn.LSTM(3, 6, 2, batch_first=batch_first, bidirectional=True, dropout=0.2)
        self.norm = nn.LayerNorm(12)
        self.fc = nn.Linear(12, 4)

    def forward(self, x):
        y, _ = self.lstm(x if self.lstm.batch_first else x.transpose(0, 1))
        return self.fc(self.norm(y[:, -1] if self.lstm.batch_first else y[-1]))


class Deep(nn.Module):
    """A front end of convolutions and a head whose functions are modules: all in the order of use."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.act = nn.LeakyReLU(0.1)
        self.rnn = nn.GRU(6, 5, batch_first=True)
        self.head = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 3), nn.Sigmoid())

    def forward(self, x):
        x = self.act(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        y, _ = self.rnn(x)
        return self.head(y[:, -1])


class Tagger(nn.Module):
    """A language model with tied weights."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.gru = nn.GRU(6, 6, batch_first=True)
        self.decoder = nn.Linear(6, 11)
        self.decoder.weight = self.embedding.weight

    def forward(self, ids):
        return self.decoder(self.gru(self.embedding(ids))[0])


def with_optimizer(model, x):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    model(x).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def write_safetensors(state, path):
    """As the library does: keys sorted, the header padded to 8 bytes."""
    header, data = {}, b""
    for key in sorted(state):
        raw = state[key].contiguous().numpy().tobytes()
        header[key] = {"dtype": "F32", "shape": list(state[key].shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def files():
    x = torch.randn(2, 6, 3)
    model = randomize(Classifier())
    y = model(x)
    state = model.state_dict()
    for name, save in {
        "state": lambda path: torch.save(state, path),
        "legacy": lambda path: torch.save(state, path, _use_new_zipfile_serialization=False),
        "module": lambda path: torch.save(model, path),
        "module-legacy": lambda path: torch.save(model, path, _use_new_zipfile_serialization=False),
        "checkpoint": lambda path: torch.save(
            {
                "epoch": 3,
                "best": np.float64(0.25),
                "model_state_dict": {f"module.{key}": value for key, value in state.items()},
                "optimizer_state_dict": with_optimizer(model, x),
            },
            path,
        ),
        "parts": lambda path: torch.save({"lstm": model.lstm.state_dict(), "norm": model.norm.state_dict(), "fc": model.fc.state_dict()}, path),
        "views": lambda path: torch.save(views(state), path),
    }.items():
        save(folder / f"{name}.pt")
        vectors(name, x, y)
    lightning = {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": {f"model.{key}": value for key, value in state.items()},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "best_k_models": {}}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"hidden_size": 6, "num_layers": 2, "bidirectional": True},
    }
    torch.save(lightning, folder / "lightning.ckpt")
    vectors("lightning", x, y)
    write_safetensors(state, folder / "state.safetensors")
    for name, dtype in {"half": torch.float16, "bfloat16": torch.bfloat16, "double": torch.float64}.items():
        # The outputs are those of the rounded weights, in float64.
        torch.save({key: value.to(dtype) for key, value in state.items()}, folder / f"{name}.pt")
        exact = Classifier()
        exact.load_state_dict({key: value.to(dtype).to(torch.float32) for key, value in state.items()})
        vectors(name, x, exact.double().eval()(x.double()))
    sequence_first = randomize(Classifier(batch_first=False))
    torch.save(sequence_first, folder / "module-time-first.pt")
    vectors("module-time-first", x, sequence_first(x))
    lone = randomize(nn.LSTM(3, 4, 2, proj_size=2, batch_first=True, bidirectional=True))
    torch.save(lone, folder / "module-lstm.pt")
    vectors("module-lstm", x, lone(x)[0])
    relu = randomize(nn.RNN(3, 4, nonlinearity="relu", batch_first=True))
    torch.save(relu, folder / "module-rnn.pt")
    vectors("module-rnn", x, relu(x)[0])
    script = torch.jit.script(model)
    torch.jit.save(script, folder / "script.pt")
    vectors("script", x, y)
    deep = randomize(Deep())
    x = torch.randn(2, 9, 4)
    torch.save(deep, folder / "module-deep.pt")
    vectors("module-deep", x, deep(x))
    torch.save(deep.state_dict(), folder / "deep.pt")
    vectors("deep", x, deep(x))
    tagger = randomize(Tagger())
    ids = torch.randint(0, 11, (2, 7))
    torch.save(tagger.state_dict(), folder / "tied.pt")
    vectors("tied", ids.to(torch.int32), tagger(ids))
    unchecked = randomize(nn.LSTM(3, 4, batch_first=True))
    x = torch.randn(2, 6, 3)
    torch.serialization.set_crc32_options(False)
    torch.save(unchecked.state_dict(), folder / "unchecked.pt", pickle_protocol=5)
    torch.serialization.set_crc32_options(True)
    vectors("unchecked", x, unchecked(x)[0])


def views(state):
    """The same tensors as views of one storage, matrices transposed in memory."""
    flat = torch.zeros(sum(value.numel() for value in state.values()) + 7)
    out, at = OrderedDict(), 5
    for key, value in state.items():
        part = flat[at : at + value.numel()]
        view = part.view(value.shape[::-1]).t() if value.dim() == 2 else part
        view.copy_(value)
        out[key] = view
        at += value.numel()
    return out


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


def hostile():
    """Files that call what they must not; nothing here loads them."""
    weights = {"weight_ih_l0": torch.zeros(4, 1), "weight_hh_l0": torch.zeros(4, 1)}
    torch.save({**weights, "x": Evil()}, folder / "evil.pt")
    torch.save({**weights, "x": Evil()}, folder / "evil-legacy.pt", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    cells()
    files()
    hostile()
    print(sum(path.stat().st_size for path in folder.iterdir()), "bytes")
