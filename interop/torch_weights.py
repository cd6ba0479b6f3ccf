"""Numbers for modules that nothing has trained."""

import torch


def randomize(module, matrices=0.5, vectors=0.3):
    """Larger weights than the initial ones, so that gates leave their linear part; statistics that are not 0 and 1."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * (matrices if parameter.dim() > 1 else vectors))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn_like(buffer) * 0.3)
            if name.endswith("running_var"):
                buffer.copy_(torch.rand_like(buffer) + 0.5)
    return module.eval()
