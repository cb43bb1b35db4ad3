"""ODIN (Liang et al., "Enhancing the Reliability of Out-of-distribution Image
Detection in Neural Networks", 2018, eq. 1 and 2) as OpenOOD computes it, and i-ODIN,
which perturbs the one element with the largest gradient (Regmi 2024)."""
import torch
from torch.nn import functional as F


def scores(net, x, temperature, noise, std):
    """For normalised images x [N,C,H,W]: the gradient of the mean cross-entropy of
    logits/temperature against the predicted class, i-ODIN's element (an index into
    C·H·W), and the confidences max softmax(f(x')/temperature), x' = x - noise·s/std,
    s = +1 where the gradient is at least 0, else -1."""
    x = x.detach().requires_grad_()
    logits = net(x)
    loss = F.cross_entropy(logits / temperature, logits.argmax(1))
    (gradient,) = torch.autograd.grad(loss, x)
    step = torch.where(gradient >= 0, 1.0, -1.0) / torch.tensor(std).view(1, -1, 1, 1)
    index = gradient.abs().flatten(1).argmax(1)
    one = torch.zeros_like(x).flatten(1).scatter(1, index[:, None], 1).view_as(x)
    with torch.no_grad():
        odin, iodin = net(x - noise * step), net(x - noise * step * one)
    return {
        "ce_grad": gradient,
        "pred": odin.argmax(1),
        "odin_conf": F.softmax(odin / temperature, 1).amax(1),
        "iodin_index": index,
        "iodin_conf": F.softmax(iodin / temperature, 1).amax(1),
    }
