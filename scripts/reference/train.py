"""train/testdata: the saliency in training mode, and three optimiser steps of ASCOOD (Regmi, "Image-based Outlier Synthesis
With Training Data", 2024) for each type of outliers, as epoch 2 of 4, in float64, where
rounding decides neither a ReLU nor the order of saliencies: so they hold on every
processor. Each step starts from the state that the one before left, in float32.
"""
import re
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

import networks
import safetensors
from schedules import alpha, lr_multiplier

FOLDER = "train/testdata"
EPOCH, EPOCHS, STEPS, BATCH, SIZE, CLASSES = 2, 4, 3, 8, 32, 10
LR, MOMENTUM, WEIGHT_DECAY, SIGMA = 0.1, 0.9, 5e-4, 0.5


@dataclass
class Settings:
    w: float  # weight of the outliers' loss
    share: float  # of elements (gradient) or pixels (shuffle) that change
    alpha: tuple  # lowest and highest strength
    fc_lr_factor: float  # on the last layer's learning rate

    def strength(self):
        return alpha(EPOCH, EPOCHS, *self.alpha)

    def rates(self, step):
        lr = LR * lr_multiplier(step, EPOCHS * STEPS, LR)
        return lr, self.fc_lr_factor * lr


TYPES = {
    "gradient": Settings(1.0, 0.10, (30.0, 300.0), 1.0),
    "shuffle": Settings(5.0, 0.15, (1.0, 1.0), 0.05),
    "gaussian": Settings(1.0, 0.10, (0.1, 0.1), 1.0),
}


def build():
    return networks.ASCOOD(networks.resnet18_32x32(8, CLASSES))


def saliency(net, x, label, training=False):
    """d logit[label]/dx, with the statistics of evaluation, or of the batch, which the
    running ones then take in."""
    net.train(training)
    x = x.clone().requires_grad_()
    (m,) = torch.autograd.grad(net(x).gather(1, label[:, None]).sum(), x)
    return m


def gradient_outliers(x, m, settings):
    """x + alpha·m on the elements of each image where |m| is largest."""
    top = m.abs().flatten(1).topk(int(m[0].numel() * settings.share)).indices
    mask = torch.zeros_like(m).flatten(1).scatter(1, top, 1).view_as(m)
    return x + settings.strength() * m * mask


def shuffle_outliers(x, m, settings, order):
    """The pixels with the largest sum of exp(m) over the channels change places:
    the i-th of them becomes what the order[i]-th was."""
    top = m.exp().sum(1).flatten(1).topk(int(m[0, 0].numel() * settings.share)).indices
    target, source = (i[:, None].expand(-1, 3, -1) for i in (top, top.gather(1, order)))
    flat = x.flatten(2)
    return flat.scatter(2, target, flat.gather(2, source)).view_as(x)


def losses(net, x, outliers, label):
    """Cross-entropy of the images, KL(uniform || prediction) of the outliers, from
    one pass in training mode."""
    net.train()
    logits, outlier_logits = net(torch.cat([x, outliers])).split(len(x))
    uniform = torch.full_like(outlier_logits, 1 / CLASSES)
    kl = F.kl_div(F.log_softmax(outlier_logits, 1), uniform, reduction="batchmean")
    return F.cross_entropy(logits, label), kl


def learner(given):
    """The network in its given state, and SGD in two groups: backbone, last layer."""
    net = networks.load(build(), under("init.", given)).double()
    net.sigma.data.fill_(SIGMA)  # the reference sets it after the weights are loaded
    backbone = [p for name, p in net.backbone.named_parameters() if not name.startswith("fc.")]
    groups = [{"params": backbone}, {"params": net.backbone.fc.parameters()}]
    return net, torch.optim.SGD(groups, LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)


def make_step(net, sgd, batch, kind, rates):
    """Makes a step; returns the outliers, both losses, the gradients of CE + w·KL before
    weight decay, and the state after the step."""
    x, label, record = batch["data"].double(), batch["label"], {}
    if kind == "gaussian":
        outliers = batch["ood"].double()
    else:
        m = saliency(net, x, label)
        outliers = (gradient_outliers(x, m, TYPES[kind]) if kind == "gradient"
                    else shuffle_outliers(x, m, TYPES[kind], batch["shuffle_index"]))
        record["ood"] = rounded(outliers)
    for group, lr in zip(sgd.param_groups, rates):
        group["lr"] = lr
    sgd.zero_grad()
    ce, kl = losses(net, x, outliers, label)
    (ce + TYPES[kind].w * kl).backward()
    sgd.step()
    record["loss"] = np.array([ce.item(), kl.item()])
    record |= {f"grad.{name}": single(p.grad) for name, p in net.named_parameters() if p.requires_grad}
    return record | {f"after.{name}": single(t) for name, t in state(net).items()}


def steps(given, kind):
    """All steps, under stepK. in front of make_step's names; from the second on also
    what they start from: stepK.before.NAME, and SGD's buffers stepK.momentum.NAME."""
    net, sgd = learner(given)
    tensors = {}
    for k in range(STEPS):
        start = {f"before.{name}": rounded(t) for name, t in state(net).items()}
        for name, p in net.named_parameters():
            if p in sgd.state:
                start[f"momentum.{name}"] = rounded(sgd.state[p]["momentum_buffer"])
        batch = {name: torch.from_numpy(v) for name, v in under(f"batch{k}.", given).items()}
        record = make_step(net, sgd, batch, kind, TYPES[kind].rates(k))
        tensors |= {f"step{k}.{name}": v for name, v in ((start if k else {}) | record).items()}
    return tensors


def under(prefix, tensors):
    return {name[len(prefix):]: v for name, v in tensors.items() if name.startswith(prefix)}


def state(net):
    """Weights and running statistics."""
    return {name: t for name, t in net.state_dict().items() if t.is_floating_point() and name != "sigma"}


def single(tensor):
    return tensor.detach().float().numpy().copy()


def rounded(tensor):
    """Rounds a tensor in its place to float32, and returns it as that."""
    array = single(tensor)
    tensor.data.copy_(torch.from_numpy(array))
    return array


def thin(name, array):
    """Of more than 1,024 values every seventh, which passes through all places of 1x1
    and 3x3 kernels. Outliers and losses stay whole, as a step is made from them."""
    return array if name.endswith((".ood", ".loss")) or array.size <= 1024 else array.ravel()[::7]


def draw(given, out, seed):
    torch.manual_seed(seed)
    for kind, settings in TYPES.items():
        given = {f"init.{name}": v for name, v in networks.state(networks.randomise(build())).items()}
        for step in range(STEPS):
            batch = {"data": torch.randn(BATCH, 3, SIZE, SIZE), "label": torch.randint(CLASSES, (BATCH,))}
            if kind == "shuffle":
                batch["shuffle_index"] = torch.rand(BATCH, int(SIZE * SIZE * settings.share)).argsort(1)
            if kind == "gaussian":
                batch["ood"] = settings.strength() * torch.randn(BATCH, 3, SIZE, SIZE)
            given |= {f"batch{step}.{name}": v.numpy() for name, v in batch.items()}
        safetensors.save(out / FOLDER / f"{kind}-given.safetensors", given)


def saliency_in_training(given):
    """What the saliency is in training mode, and the running statistics after it."""
    net, _ = learner(given)
    batch = under("batch0.", given)
    m = saliency(net, torch.from_numpy(batch["data"]).double(), torch.from_numpy(batch["label"]), training=True)
    after = {name: single(t) for name, t in state(net).items() if "running" in name}
    return {"saliency": single(m).ravel()[::7]} | {f"after.{name}": v for name, v in after.items()}


def values(given, out):
    given_gradient = safetensors.load(given / FOLDER / "gradient-given.safetensors")
    safetensors.save(out / FOLDER / "saliency.safetensors", saliency_in_training(given_gradient))
    for kind, settings in TYPES.items():
        tensors = steps(safetensors.load(given / FOLDER / f"{kind}-given.safetensors"), kind)
        kept = {name: thin(name, v) for name, v in tensors.items() if not re.search("before|momentum", name)}
        kept |= {"alpha": [settings.strength()], "lr_per_step": [settings.rates(k) for k in range(STEPS)]}
        safetensors.save(out / FOLDER / f"{kind}-steps.safetensors", kept)
