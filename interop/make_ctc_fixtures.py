"""CTC losses and gradients of the real PyTorch: fixtures/training/ctc-*.npz

    interop/.venv-keras3/bin/python interop/make_ctc_fixtures.py

Each file holds logits x [steps, sequences, classes], which of the steps count, labels with their numbers, the blank, every
sequence's loss and the gradient of their sum, computed in float64.
"""

from pathlib import Path

import numpy as np
import torch

torch.manual_seed(11)
out = Path(__file__).resolve().parent.parent / "fixtures" / "training"


def save(name, steps, counts, classes, blank, longest, spread=1.0):
    batch = len(steps)
    x = (spread * torch.randn(longest, batch, classes)).double().requires_grad_()
    labels = torch.randint(0, classes - 1, (batch, max(counts)))
    labels[labels >= blank] += 1
    # Equal neighbours need a blank between them.
    labels[0, : counts[0]] = labels[0, 0]
    loss = torch.nn.functional.ctc_loss(
        torch.log_softmax(x, -1), labels, torch.tensor(steps), torch.tensor(counts), blank=blank, reduction="none"
    )
    loss.sum().backward()
    arrays = {"x": x, "labels": labels, "steps": steps, "counts": counts, "blank": [blank], "loss": loss, "gradient": x.grad}
    np.savez_compressed(
        out / f"ctc-{name}.npz",
        **{k: np.asarray(v.detach() if torch.is_tensor(v) else v, dtype=np.float32) for k, v in arrays.items()},
    )


save("blank-last", steps=[12, 9, 12, 5, 3], counts=[5, 4, 3, 5, 0], classes=6, blank=5, longest=12)
save("blank-first", steps=[9, 10, 4], counts=[4, 2, 1], classes=4, blank=0, longest=10, spread=4.0)
save("long", steps=[90, 60], counts=[30, 12], classes=12, blank=3, longest=90, spread=2.0)
print("PyTorch", torch.__version__, *sorted(path.name for path in out.glob("ctc-*")))
