"""testdata/torchvision: torchvision's classifiers that package models writes.
parameters.json lists the names and shapes of the real ones (1000 classes) in order;
small.json has the features and logits of small ones, of weights and images that follow
from their names (number), and the gradient of the first logit where the network is smooth.
"""
import json
import zlib
from functools import partial

import numpy
import torch
from torchvision import models
from torchvision.models.efficientnet import EfficientNet, MBConvConfig

import networks
from torchvision_names import listing

FOLDER = "testdata/torchvision"

bottlenecks = partial(networks.ResNet, [3, 4, 6, 3], bottleneck=True)
resnets = {
    "resnet34": partial(networks.ResNet, [3, 4, 6, 3]),
    "resnet101": partial(networks.ResNet, [3, 4, 23, 3], bottleneck=True),
    "resnet152": partial(networks.ResNet, [3, 8, 36, 3], bottleneck=True),
    "wide_resnet50_2": partial(bottlenecks, wide=2),
    "resnext50_32x4d": partial(bottlenecks, wide=2, groups=32),
}


def efficientnet(width, classes):
    stage = partial(MBConvConfig, width_mult=width / 32, depth_mult=1)
    stages = [
        stage(1, 3, 1, 32, 16, 1), stage(6, 3, 2, 16, 24, 2), stage(6, 5, 2, 24, 40, 2), stage(6, 3, 2, 40, 80, 3),
        stage(6, 5, 1, 80, 112, 3), stage(6, 5, 2, 112, 192, 4), stage(6, 3, 1, 192, 320, 1),
    ]
    return EfficientNet(stages, dropout=0.2, num_classes=classes)


# Of a width, a number of classes, and a size of images.
others = {
    "mobilenet_v2": lambda width, classes, _: models.MobileNetV2(classes, width_mult=width / 32),
    "efficientnet_b0": lambda width, classes, _: efficientnet(width, classes),
    "densenet121": lambda width, classes, _: models.DenseNet(width // 2, num_init_features=width, num_classes=classes),
    "vit_b_16": lambda width, classes, size: models.VisionTransformer(size, 16, 12, width // 64, width, 4 * width, num_classes=classes),
    "swin_t": lambda width, classes, _: models.SwinTransformer(
        [4, 4], width, [2, 2, 6, 2], [width // 32 * n for n in (1, 2, 4, 8)], [7, 7], num_classes=classes),
}

small = [
    ("resnet34", 4, 64), ("resnet101", 4, 64), ("resnet152", 2, 64), ("wide_resnet50_2", 4, 64), ("resnext50_32x4d", 16, 64),
    ("mobilenet_v2", 8, 64), ("efficientnet_b0", 8, 64), ("densenet121", 8, 64),
    ("vit_b_16", 64, 48), ("swin_t", 32, 64), ("swin_t", 32, 148),
]
smooth = ("efficientnet_b0", "vit_b_16", "swin_t")


def number(name, shape):
    """Numbers in [0, 1) for a tensor: the i-th is a hash of i and of the name's CRC-32."""
    h = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint32) * numpy.uint32(747796405)
    h += numpy.uint32(zlib.crc32(name.encode()))
    for shift, factor in (16, 0x7FEB352D), (15, 0x846CA68B):
        h = (h ^ (h >> numpy.uint32(shift))) * numpy.uint32(factor)
    return ((h ^ (h >> numpy.uint32(16))) / 2**32).reshape(shape)


def weight(name, shape):
    u = number(name, shape)
    if len(shape) > 1:
        u = (2 * u - 1) * numpy.sqrt(3 / numpy.prod(shape[1:]))
    elif name.endswith("weight") or name.endswith("var"):
        u += 0.5
    else:
        u = (2 * u - 1) * 0.2
    return torch.from_numpy(u.astype(numpy.float32))


def last(net):
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    return layers[-1]


def build(name, width, classes, size):
    if name in resnets:
        return resnets[name](width, classes)
    return others[name](width, classes, size)


def run(name, width, size):
    net = build(name, width, 3, size).eval()
    for key, t in net.state_dict().items():
        if t.is_floating_point():
            t.copy_(weight(key, t.shape))
    net, kept = net.double(), []
    last(net).register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    x = torch.from_numpy((4 * number("image", (2, 3, size, size)) - 2).astype(numpy.float32)).double().requires_grad_()
    logits = net(x)
    row = {"arch": name, "width": width, "size": size, "feature": kept[0][:, :16].tolist(), "logits": logits.tolist()}
    if name in smooth:
        logits[:, 0].sum().backward()
        row["gradient"] = {"norm": x.grad.flatten(1).norm(dim=1).tolist(), "corner": x.grad[:, :, :4, :4].flatten(1).tolist()}
    return row


def values(given, out):
    lists = {}
    for name in (*resnets, *others):
        lists[name] = listing(getattr(models, name)()).splitlines()
        if name in resnets and listing(build(name, 64, 1000, 224)).splitlines() != lists[name]:
            raise SystemExit(f"{name} of networks.py is not torchvision's")
    (out / FOLDER / "parameters.json").write_text(json.dumps(lists, indent=0) + "\n")
    rows = [run(*which) for which in small]
    (out / FOLDER / "small.json").write_text("[" + ",\n".join(json.dumps(row) for row in rows) + "]\n")
