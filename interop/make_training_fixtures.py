"""Loss trajectories of the real PyTorch: fixtures/training/*.npz

    interop/.venv-keras3/bin/python interop/make_training_fixtures.py

Each file holds the weights to begin with, in Gatefold's layout (matrices [outputs, inputs]; LSTM gates i, f, o, g; GRU gates
z, r, n), one full batch or a text, and the loss of every step. PyTorch adds two biases to every LSTM gate; the second is held
at zero here, so that one bias moves as Gatefold's does.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

torch.manual_seed(5)
out = Path(__file__).resolve().parent.parent / "fixtures" / "training"
out.mkdir(exist_ok=True)
STEPS = 50


def gates(array, order):
    parts = np.split(array.detach().numpy(), len(order))
    return np.concatenate([parts[i] for i in order])


def rows(rnn, layer, direction):
    """Weights of one direction of one layer, by Gatefold's roles."""
    suffix = f"_l{layer}" + ("_reverse" if direction else "")
    get = lambda name: getattr(rnn, name + suffix)
    lstm = isinstance(rnn, nn.LSTM)
    order = [0, 1, 3, 2] if lstm else [1, 0, 2]
    weights = {"W": get("weight_ih"), "U": get("weight_hh"), "b": get("bias_ih")}
    if not lstm:
        weights["bR"] = get("bias_hh")
    return {role: gates(value, order) for role, value in weights.items()}


def freeze_second_bias(rnn):
    for name, parameter in rnn.named_parameters():
        if name.startswith("bias_hh"):
            nn.init.zeros_(parameter)
            parameter.requires_grad_(not isinstance(rnn, nn.LSTM))


def save(name, arrays, **more):
    np.savez_compressed(out / f"{name}.npz", **{k: np.asarray(v, dtype=np.float32) for k, v in {**arrays, **more}.items()})


def collect(rnn, dense, embedding=None):
    arrays = {}
    for layer in range(rnn.num_layers):
        for direction in range(2 if rnn.bidirectional else 1):
            for role, value in rows(rnn, layer, direction).items():
                arrays[f"w/{'back' if direction else 'rnn'}{layer}/{role}"] = value
    arrays["w/dense/kernel"] = dense.weight.detach().numpy().copy()
    arrays["w/dense/bias"] = dense.bias.detach().numpy().copy()
    if embedding is not None:
        arrays["w/embedding/table"] = embedding.weight.detach().numpy().copy()
    return {name: np.array(value) for name, value in arrays.items()}


def classifier(name, rnn, width, optimizer, clip=0.0, norm=False):
    """Class of a sequence, from the last step; one batch."""
    freeze_second_bias(rnn)
    dense = nn.Linear(width, 3)
    batch_norm = nn.BatchNorm1d(width) if norm else nn.Identity()
    x = torch.randn(8, 7, 5)
    y = torch.randint(0, 3, (8,))
    arrays = collect(rnn, dense)
    if norm:
        # Statistics begin with mean 0 and variance 1: 1/sqrt(1 + epsilon), and no shift.
        arrays["w/statistics/scale"] = (np.ones(width) + batch_norm.eps) ** -0.5
        arrays["w/statistics/shift"] = np.zeros(width)
        arrays["w/norm/scale"], arrays["w/norm/shift"] = np.ones(width), np.zeros(width)
    parameters = [p for p in [*rnn.parameters(), *batch_norm.parameters(), *dense.parameters()] if p.requires_grad]
    step = optimizer(parameters)
    losses = []
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(dense(batch_norm(rnn(x)[0][:, -1])), y)
        losses.append(loss.item())
        step.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(parameters, clip)
        step.step()
    running = {"mean": batch_norm.running_mean, "variance": batch_norm.running_var} if norm else {}
    save(name, arrays, x=x, y=y, losses=losses, **running)


def language(name):
    """Two streams of a text, windows of ten symbols, states carried and detached between them."""
    rnn = nn.LSTM(6, 12, batch_first=True)
    freeze_second_bias(rnn)
    embedding, dense = nn.Embedding(9, 6), nn.Linear(12, 9)
    ids = torch.randint(0, 9, (2 * 10 * STEPS + 1,))
    length = 10 * STEPS
    x, y = ids[:-1].reshape(2, length), ids[1:].reshape(2, length)
    arrays = collect(rnn, dense, embedding)
    parameters = [p for p in [*embedding.parameters(), *rnn.parameters(), *dense.parameters()] if p.requires_grad]
    step = torch.optim.Adam(parameters, lr=0.01)
    losses, state = [], None
    for at in range(0, length, 10):
        h, state = rnn(embedding(x[:, at : at + 10]), state)
        state = tuple(part.detach() for part in state)
        loss = nn.functional.cross_entropy(dense(h).reshape(-1, 9), y[:, at : at + 10].reshape(-1))
        losses.append(loss.item())
        step.zero_grad()
        loss.backward()
        step.step()
    save(name, arrays, x=ids[:-1], y=ids[1:], losses=losses)


adam = lambda parameters: torch.optim.Adam(parameters, lr=0.01)
classifier("lstm", nn.LSTM(5, 8, batch_first=True), 8, adam)
classifier("gru", nn.GRU(5, 8, batch_first=True), 8, adam)
classifier("stacked-bidirectional", nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True), 12, adam)
classifier(
    "lstm-sgd",
    nn.LSTM(5, 8, batch_first=True),
    8,
    lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9, nesterov=True, weight_decay=1e-3),
    clip=0.25,
)
language("language")
classifier("batch-norm", nn.GRU(5, 8, batch_first=True), 8, adam, norm=True)
print("PyTorch", torch.__version__, *sorted(path.name for path in out.iterdir()))
