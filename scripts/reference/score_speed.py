"""Scores of a batch on demand, to be timed beside the program's.

    score_speed.py ARCH WIDTH SIZE BATCH THREADS

A line is written at the start, and one for each line `FORM SCORE` read from standard
input: the seconds that the batch took. FORM is `reference`, as published: the loss's
backward(), which computes the gradients of the weights too, in PyTorch's default layout;
or `expert`, the same formulas as one would write them who knows PyTorch: channels last,
weights that need no gradient, autograd only where there is one to compute. SCORE is
`forward`, the logits alone; `odin` and `iodin`, as odin.py has them; or `iodin_fast`, the
logarithm of iodin to first order. The network is in evaluation mode, its weights random.
"""
import sys
import time

import torch
from torch.nn import functional as F

import networks

CLASSES, TEMPERATURE, NOISE = 10, 1000, 0.0014
STD = torch.full((1, 3, 1, 1), 0.5)


def build(arch, width, size):
    if hasattr(networks, arch):
        return networks.randomise(getattr(networks, arch)(width, CLASSES))
    from torchvision import models
    if arch == "mobilenet_v2":
        return networks.randomise(models.mobilenet_v2(num_classes=CLASSES, width_mult=width / 32))
    return models.VisionTransformer(size, 16, 12, width // 64, width, 4 * width, num_classes=CLASSES)


class Scorer:
    def __init__(self, form, arch, width, size, batch):
        self.expert = form == "expert"
        layout = torch.channels_last if self.expert else torch.contiguous_format
        self.net = build(arch, width, size).eval().to(memory_format=layout)
        self.x = torch.randn(batch, 3, size, size).to(memory_format=layout)
        if self.expert:
            self.net.requires_grad_(False)

    def forward(self):
        with torch.no_grad():
            return self.net(self.x)

    def gradient(self):
        """The logits, and the gradient of the cross-entropy against their largest."""
        x = self.x.detach().requires_grad_()
        logits = self.net(x)
        loss = F.cross_entropy(logits / TEMPERATURE, logits.argmax(1))
        if self.expert:
            return logits.detach(), torch.autograd.grad(loss, x)[0]
        self.net.zero_grad()
        loss.backward()
        return logits.detach(), x.grad

    def confidence(self, step):
        x = self.x - NOISE * step
        with torch.set_grad_enabled(not self.expert):
            return F.softmax(self.net(x) / TEMPERATURE, 1).amax(1)

    def odin(self):
        _, gradient = self.gradient()
        return self.confidence(torch.where(gradient >= 0, 1.0, -1.0) / STD)

    def iodin(self):
        _, gradient = self.gradient()
        index = gradient.abs().flatten(1).argmax(1, keepdim=True)
        one = torch.zeros_like(gradient).flatten(1).scatter(1, index, 1).view_as(gradient)
        return self.confidence(torch.where(gradient >= 0, 1.0, -1.0) / STD * one)

    def iodin_fast(self):
        logits, gradient = self.gradient()
        index = gradient.abs().flatten(1).argmax(1, keepdim=True)
        largest = gradient.flatten(1).gather(1, index).abs()
        std = STD.expand_as(gradient).flatten(1).gather(1, index)
        return F.log_softmax(logits / TEMPERATURE, 1).amax(1) + (NOISE / std * largest)[:, 0] * logits.shape[0]


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    arch, (width, size, batch, threads) = sys.argv[1], map(int, sys.argv[2:])
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    scorers = {form: Scorer(form, arch, width, size, batch) for form in ("reference", "expert")}
    print(0, flush=True)
    for line in sys.stdin:
        form, score = line.split()
        start = time.perf_counter()
        getattr(scorers[form], score)()
        print(time.perf_counter() - start, flush=True)


main()
