"""Times training steps in PyTorch: a line of JSON in (cell, features, units, batch, steps, classes, threads, count), a line out."""

import json
import sys
import time

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self, cell, features, units, classes):
        super().__init__()
        self.layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](features, units, batch_first=True)
        self.head = nn.Linear(units, classes)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


def best_step(cell, features, units, batch, steps, classes, threads, count):
    """Milliseconds of the best of `count` steps (forward, backward, Adam), by the clock and of the processor."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    network = Network(cell, features, units, classes)
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    x = torch.rand(batch, steps, features) * 2 - 1
    y = torch.arange(batch) % classes
    best = {"clock": float("inf"), "processor": float("inf")}
    clocks = {"clock": time.perf_counter, "processor": time.process_time}
    for _ in range(count):
        start = {name: now() for name, now in clocks.items()}
        adam.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        adam.step()
        best = {name: min(best[name], 1000 * (now() - start[name])) for name, now in clocks.items()}
    return best


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(best_step(**json.loads(line))), flush=True)
