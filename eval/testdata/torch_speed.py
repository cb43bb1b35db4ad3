"""The same way from JPEG files to scores in PyTorch, as one would write it first.

    torch_speed.py ARCH METHOD IMAGES...

ARCH is resnet18_32x32 or resnet18_224x224, METHOD msp, odin or iodin. Prints
images a second, on two threads and random weights. For the benchmark alone.
"""
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

T, NOISE, BATCH = 1000, 0.0014, 32


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.skip = nn.Identity()
        if stride != 1 or cin != cout:
            self.skip = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.skip(x))


def resnet18(large):
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False)] if large else [nn.Conv2d(3, 64, 3, 1, 1, bias=False)]
    layers += [nn.BatchNorm2d(64), nn.ReLU()] + ([nn.MaxPool2d(3, 2, 1)] if large else [])
    cin = 64
    for cout, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(cin, cout, stride), Block(cout, cout, 1)]
        cin = cout
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)).eval()


def load(path, pre, size, mean, std):
    img = Image.open(path).convert("RGB")
    w, h = img.size
    s = pre / min(w, h)
    img = img.resize((pre, int(h * s)) if w <= h else (int(w * s), pre), Image.BILINEAR)
    x, y = round((img.width - size) / 2), round((img.height - size) / 2)
    pixels = np.asarray(img.crop((x, y, x + size, y + size)), dtype=np.float32) / 255
    return torch.from_numpy((pixels - mean) / std).permute(2, 0, 1)


def score(net, x, method, std):
    if method == "msp":
        with torch.no_grad():
            return F.softmax(net(x), 1).max(1)[0]
    x.requires_grad_()
    z = net(x)
    grad, = torch.autograd.grad(F.cross_entropy(z / T, z.argmax(1)), x)
    step = torch.where(grad >= 0, 1.0, -1.0) / std
    if method == "iodin":
        flat = grad.abs().flatten(1)
        step *= torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), 1).view_as(step)
    with torch.no_grad():
        return F.softmax(net(x - NOISE * step) / T, 1).max(1)[0]


def main(arch, method, *files):
    torch.set_num_threads(2)
    large = arch == "resnet18_224x224"
    pre, size = (256, 224) if large else (32, 32)
    mean, std = (np.array(v, dtype=np.float32) for v in ((.485, .456, .406), (.229, .224, .225)))
    net, std_t = resnet18(large), torch.from_numpy(std).view(1, 3, 1, 1)

    def run(files):
        for i in range(0, len(files), BATCH):
            score(net, torch.stack([load(f, pre, size, mean, std) for f in files[i:i + BATCH]]), method, std_t)

    run(files[:BATCH])
    start = time.perf_counter()
    run(files)
    print(len(files) / (time.perf_counter() - start))


main(*sys.argv[1:])
