"""A step of ASCOOD on demand, to be timed beside the trainer's.

    step_speed.py FORM ARCH WIDTH SIZE BATCH THREADS

FORM is `reference`, the step as published: the saliency by backward(), which computes the
gradients of the weights too, PyTorch's default layout and optimiser; `expert`, the same
formulas as one would write them who knows PyTorch: channels last, the gradient of the images
alone, one call of the optimiser for all tensors, nothing that waits for a number; or `ce`,
the expert's step of cross-entropy alone. A line is written at the
start, and for each line read from standard input a step is made and another one written: the
most memory that the process has had, in MB, the seconds that the step took, and the processor's
seconds. The images are random bytes, and are normalised anew in each step.
"""
import sys
import time

import torch
from torch.nn import functional as F

import networks

CLASSES, SHARE, ALPHA, LR = 10, 0.1, 300.0, 0.1


class Stepper:
    def __init__(self, form, arch, width, size, batch):
        self.form, self.size = form, size
        self.layout = torch.contiguous_format if form == "reference" else torch.channels_last
        backbone = getattr(networks, arch)(width, CLASSES)
        self.net = (backbone if form == "ce" else networks.ASCOOD(backbone)).to(memory_format=self.layout)
        head = set(backbone.fc.parameters())
        groups = [[p for p in backbone.parameters() if p not in head], list(head)]
        options = {} if form == "reference" else {"foreach": True}
        self.sgd = torch.optim.SGD([{"params": g} for g in groups], LR, momentum=0.9, weight_decay=5e-4, nesterov=True, **options)
        self.params = sum(groups, [])
        self.pixels = torch.randint(256, (batch, size, size, 3), dtype=torch.uint8)
        self.label = torch.randint(CLASSES, (batch,))

    def images(self):
        return ((self.pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5).contiguous(memory_format=self.layout)

    def saliency(self, x):
        """d logit[label]/dx in evaluation mode."""
        self.net.eval()
        x = x.detach().clone().requires_grad_()
        if self.form == "reference":
            self.net(x).gather(1, self.label[:, None]).sum().backward()
            return x.grad
        for p in self.params:
            p.requires_grad_(False)
        score = self.net(x).gather(1, self.label[:, None]).sum()
        (m,) = torch.autograd.grad(score, x)
        for p in self.params:
            p.requires_grad_(True)
        return m

    def outliers(self, x):
        m = self.saliency(x)
        top = m.abs().flatten(1).topk(int(m[0].numel() * SHARE), sorted=self.form == "reference").indices
        mask = torch.zeros_like(m).flatten(1).scatter(1, top, 1).view_as(m)
        return x + ALPHA * m * mask

    def loss(self, x):
        if self.form == "ce":
            self.net.train()
            return F.cross_entropy(self.net(x), self.label)
        both = torch.cat([x, self.outliers(x)])
        self.net.train()
        logits, of_outliers = self.net(both).chunk(2)
        uniform = torch.full_like(of_outliers, 1 / CLASSES)
        kl = F.kl_div(F.log_softmax(of_outliers, 1), uniform, reduction="batchmean")
        return F.cross_entropy(logits, self.label) + kl

    def step(self):
        loss = self.loss(self.images())
        self.sgd.zero_grad(set_to_none=self.form != "reference")  # also what the saliency left
        loss.backward()
        self.sgd.step()
        if self.form == "reference":
            loss.item()


def main():
    if len(sys.argv) != 7 or sys.argv[1] not in ("reference", "expert", "ce"):
        sys.exit(__doc__)
    form, arch, (width, size, batch, threads) = sys.argv[1], sys.argv[2], map(int, sys.argv[3:])
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    report(0, 0)
    stepper = Stepper(form, arch, width, size, batch)
    for _ in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        stepper.step()
        report(time.perf_counter() - start, time.process_time() - processor)


def report(seconds, processor):
    print(peak(), seconds, processor, flush=True)


def peak():
    """Not ru_maxrss, which begins with what the process had that started this one."""
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


main()
