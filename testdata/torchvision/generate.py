"""Writes what torchvision's ResNet-18 and ResNet-50 look like as state dicts,
with PyTorch alone: NAME.txt lists the names and shapes of the real networks
(width 64, 1000 classes) in order, and NAME-width1.pth is one of width 1 with 3
classes, as torch.save writes it; that of ResNet-18 in the format before PyTorch
1.6, in which torchvision's own files were once distributed.

usage: generate.py (into the current folder)
"""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, inside, planes, stride, bottleneck):
        super().__init__()
        out = planes * 4 if bottleneck else planes
        if bottleneck:
            self.conv1 = nn.Conv2d(inside, planes, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(planes)
            self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
            self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out)
        else:
            self.conv1 = nn.Conv2d(inside, planes, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(planes)
            self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
        if stride != 1 or inside != out:
            self.downsample = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inside = width
        for i, count in enumerate(blocks):
            layer = []
            for k in range(count):
                layer.append(Block(inside, width << i, 2 if i and not k else 1, bottleneck))
                inside = (width << i) * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(inside, classes)


for name, blocks, bottleneck in (("resnet18", [2, 2, 2, 2], False), ("resnet50", [3, 4, 6, 3], True)):
    torch.manual_seed(0)
    with open(name + ".txt", "w") as out:
        for key, value in ResNet(blocks, bottleneck, 64, 1000).state_dict().items():
            print(key, "x".join(map(str, value.shape)) or "scalar", file=out)
    small = ResNet(blocks, bottleneck, 1, 3).state_dict()
    torch.save(small, name + "-width1.pth", _use_new_zipfile_serialization=bottleneck)
