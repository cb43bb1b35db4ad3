"""eval/testdata/images and net.safetensors: images of Fashion-MNIST (ID, of Debian's
dataset-fashion-mnist) and of MNIST (OOD), and a network trained on the former. Both
data sets are there after make setup."""
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import idx
import networks
import safetensors
from schedules import lr_multiplier

IMAGES, NET, CLASSES = "eval/testdata/images", "eval/testdata/net.safetensors", 10
FASHION, MNIST = Path("/usr/share/datasets/fashion-mnist"), Path("data/mnist")

# name: folder and files of its images, the first of them (after what the seed skips), how many
SETS = {
    "train": (FASHION, "train-{}-ubyte.gz", 0, 1000),
    "val_id": (FASHION, "t10k-{}-ubyte.gz", 0, 200),
    "test_id": (FASHION, "t10k-{}-ubyte.gz", 200, 200),
    "val_ood": (MNIST, "t10k-{}-ubyte", 0, 200),
    "test_ood": (MNIST, "t10k-{}-ubyte", 200, 200),
}


def images(given, name):
    """A set's normalised images [N,3,32,32] and labels, -1 where it is OOD."""
    pixels = idx.load(given / IMAGES / f"{name}-images-idx3-ubyte.gz")
    x = (torch.from_numpy(pixels[:, None] / np.float32(255)) - 0.5) / 0.5
    if name.endswith("_ood"):
        return x.repeat(1, 3, 1, 1), np.full(len(x), -1)
    return x.repeat(1, 3, 1, 1), idx.load(given / IMAGES / f"{name}-labels-idx1-ubyte.gz").astype(np.int64)


def draw(given, out, seed):
    """Takes images, with seed 1 those checked in, with a border of zeros to 32x32, and
    trains a network anew."""
    for name, (folder, files, first, count) in SETS.items():
        first += 1500 * seed % 9600
        pixels = idx.load(given / folder / files.format("images-idx3"))[first:first + count]
        pixels = np.pad(pixels, ((0, 0), (2, 2), (2, 2)))
        idx.save(out / IMAGES / f"{name}-images-idx3-ubyte.gz", pixels)
        if not name.endswith("_ood"):
            labels = idx.load(given / folder / files.format("labels-idx1"))[first:first + count]
            idx.save(out / IMAGES / f"{name}-labels-idx1-ubyte.gz", labels)
    train(out, seed)


def train(out, seed, epochs=10, batch=50, lr=0.1):
    torch.manual_seed(seed)
    x, label = images(out, "train")
    net = networks.resnet18_32x32(8, CLASSES)
    sgd = torch.optim.SGD(net.parameters(), lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    for step, rows in enumerate(rows for _ in range(epochs) for rows in torch.randperm(len(x)).split(batch)):
        sgd.param_groups[0]["lr"] = lr * lr_multiplier(step, epochs * len(x) // batch, lr)
        sgd.zero_grad()
        F.cross_entropy(net(x[rows]), torch.from_numpy(label[rows])).backward()
        sgd.step()
    safetensors.save(out / NET, networks.state(net))
