"""Writes torchvision's classifiers in full size as ONNX files, for BenchmarkZoo.

    zoo.py FOLDER [NAME...]

Weights are random, of a scale at which no layer's values grow or vanish: what a network
costs does not depend on them, but numbers near zero are slow. Nothing is downloaded.
"""
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torchvision import models

OPSET = 17
NETWORKS = (
    "resnet18", "resnet50", "resnext50_32x4d", "convnext_tiny", "vit_b_32", "vit_b_16", "swin_t", "maxvit_t", "densenet121", "regnet_y_400mf",
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "efficientnet_b0", "efficientnet_v2_s", "shufflenet_v2_x0_5",
    "squeezenet1_1", "googlenet", "inception_v3", "alexnet", "vgg11",
)


def build(name):
    torch.manual_seed(1)
    options = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    net = getattr(models, name)(weights=None, **options).eval()
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
    return net, 299 if name == "inception_v3" else 224


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NETWORKS:
        net, size = build(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                net, torch.randn(2, 3, size, size), str(folder / f"{name}.onnx"), opset_version=OPSET,
                input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
            )
        print(name, flush=True)


main()
