"""posthoc/testdata/single.safetensors: the scores by the softmax in float32, as OpenOOD
computes them, of logits so far apart that p is exactly 1 for many images, among them
more than 5% of the OOD ones. single-given.safetensors has the logits.
"""
import numpy as np
import torch
from scipy.stats import entropy

import safetensors

FOLDER = "posthoc/testdata"
CLASSES, IMAGES, T = 3, 400, 1.5


def gen(p, gamma=0.1, M=100):
    p = p.sort(1).values[:, -M:]
    return -(p**gamma * (1 - p) ** gamma).sum(1)


def templates(p):
    """The mean p of the images that are taken for each class."""
    pred = p.argmax(1)
    return np.stack([p[pred == c].mean(0) for c in range(CLASSES)])


def klm(p, means):
    return -np.min([entropy(p, mean[None], axis=1) for mean in means], 0)


def draw(given, out, seed):
    rng = np.random.default_rng(seed)
    logits = {}
    for name, margin in (("val_id", 14), ("id", 22), ("ood", 12)):
        z = rng.normal(0, 2, (IMAGES, CLASSES))
        z[np.arange(IMAGES), rng.integers(CLASSES, size=IMAGES)] += rng.normal(margin, 6, IMAGES).clip(0)
        logits[name] = z.astype(np.float32)
    safetensors.save(out / FOLDER / "single-given.safetensors", logits)


def values(given, out):
    logits = safetensors.load(given / FOLDER / "single-given.safetensors")
    means = templates(torch.from_numpy(logits["val_id"]).softmax(1).numpy())
    tensors = {}
    for name in ("id", "ood"):
        z = torch.from_numpy(logits[name])
        p = z.softmax(1)
        tensors |= {
            f"msp.{name}": p.max(1).values.numpy(),
            f"temp_scaling.{name}": (z / T).softmax(1).max(1).values.numpy(),
            f"gen.{name}": gen(p).numpy(),
            f"klm.{name}": klm(p.numpy(), means).astype(np.float32),
        }
    safetensors.save(out / FOLDER / "single.safetensors", tensors)
