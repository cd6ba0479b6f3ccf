"""Makes fixtures/torchscript with the real PyTorch: networks that were scripted and traced, with inputs and outputs.

    interop/.venv-keras3/bin/python interop/make_torchscript_fixtures.py

NAME-script.pt and NAME-trace.pt have NAME.npz: `in`, `out` and, where forward() returns more, `out1`. What only helps debuggers
is left out of the archives. `loop.pt` and `branch.pt` hold code that says more than layers.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torch_weights import randomize

torch.manual_seed(11)
folder = Path(__file__).resolve().parent.parent / "fixtures" / "torchscript"
folder.mkdir(parents=True, exist_ok=True)


class Norms(nn.Module):
    """Both directions, two levels; the last step through functions between layers."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(5, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.norm = nn.LayerNorm(8, eps=1e-3)
        self.drop = nn.Dropout(0.2)
        self.fc1 = nn.Linear(8, 6)
        self.fc2 = nn.Linear(6, 3, bias=False)

    def forward(self, x):
        y, _ = self.rnn(x)
        y = self.drop(self.norm(y[:, -1, :]))
        return torch.log_softmax(self.fc2(torch.relu(self.fc1(y))), dim=-1)


class Ids(nn.Module):
    """Time first, the last state, and a Sequential."""

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(11, 4)
        self.gru = nn.GRU(4, 5, num_layers=2)
        self.head = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2), nn.LeakyReLU(0.2))

    def forward(self, x):
        _, h = self.gru(self.emb(x).permute(1, 0, 2))
        return self.head(h[-1])


class Front(nn.Module):
    """A convolution before, the mean over time behind."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.pool = nn.MaxPool1d(2)
        self.gru = nn.GRU(6, 4, batch_first=True)
        self.fc = nn.Linear(4, 1)

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.conv(x.transpose(1, 2)))))
        y, _ = self.gru(x.transpose(1, 2))
        return torch.sigmoid(self.fc(y.mean(dim=1)))


class States(nn.Module):
    """The last states of both directions."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        _, (h, _) = self.rnn(x)
        return self.fc(F.dropout(torch.cat([h[-2], h[-1]], dim=1), 0.3, self.training))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.RNN(4, 5, nonlinearity="relu", bias=False, batch_first=True)
        self.second = nn.LSTM(5, 4, batch_first=True)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        y, _ = self.first(x)
        z, (h, _) = self.second(F.gelu(y))
        return z + x, h


class Joined(nn.Module):
    """Modules within modules, a sum, layers side by side, and a second output."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        y, h = self.encoder(x)
        return F.softmax(self.out(torch.cat((y, x), dim=-1)), dim=2), h


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        h, c = torch.zeros(x.size(0), 4), torch.zeros(x.size(0), 4)
        for step in range(x.size(1)):
            h, c = self.cell(x[:, step], (h, c))
        return self.fc(h)


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        y, _ = self.rnn(x)
        if x.size(1) > 3:
            y = y * 2
        return self.fc(y[:, -1])


def save(module, name):
    """The archive without the tables of debuggers, which are larger than all the rest."""
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(folder / name, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry))
    torch.jit.load(folder / name)


def main():
    cases = {"norms": (Norms(), torch.randn(2, 7, 5)), "ids": (Ids(), torch.randint(0, 11, (2, 6))),
             "front": (Front(), torch.randn(2, 12, 3)), "states": (States(), torch.randn(3, 5, 4)),
             "joined": (Joined(), torch.randn(2, 5, 4))}
    for name, (module, x) in cases.items():
        randomize(module, 0.4, 0.4)
        with torch.no_grad():
            y = module(x)
        outputs = [y] if isinstance(y, torch.Tensor) else list(y)
        arrays = {"out" if i == 0 else f"out{i}": value.numpy() for i, value in enumerate(outputs)}
        np.savez(folder / f"{name}.npz", **{"in": x.numpy(), **arrays})
        save(torch.jit.script(module), f"{name}-script.pt")
        save(torch.jit.trace(module, x), f"{name}-trace.pt")
    save(torch.jit.script(randomize(Loop(), 0.4, 0.4)), "loop.pt")
    save(torch.jit.script(randomize(Branch(), 0.4, 0.4)), "branch.pt")


if __name__ == "__main__":
    main()
