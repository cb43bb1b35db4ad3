"""The networks, with the parameter names of their publishers' state dicts.

Each has feature(x) [N,D], the pooled penultimate feature, and head(feature) [N,C], the
logits.
"""
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(inside, out, kernel, stride=1, groups=1):
    return nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out)


class Block(nn.Module):
    """A residual block of He et al., "Deep Residual Learning for Image Recognition",
    2016: basic (fig. 5, left) or bottleneck (right), whose 3x3 convolution strides. It
    is on wide times as many channels in wide ResNets, and in groups in ResNeXts."""

    def __init__(self, inside, planes, stride, bottleneck, projection, wide=1, groups=1):
        super().__init__()
        out = planes * 4 if bottleneck else planes
        if bottleneck:
            self.conv1, self.bn1 = conv_bn(inside, planes * wide, 1)
            self.conv2, self.bn2 = conv_bn(planes * wide, planes * wide, 3, stride, groups)
            self.conv3, self.bn3 = conv_bn(planes * wide, out, 1)
        else:
            self.conv1, self.bn1 = conv_bn(inside, planes, 3, stride)
            self.conv2, self.bn2 = conv_bn(planes, planes, 3)
        self.projection = projection
        if stride != 1 or inside != out:
            setattr(self, projection, nn.Sequential(*conv_bn(inside, out, 1, stride)))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "conv3"):
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + getattr(self, self.projection, nn.Identity())(x))


class Classifier(nn.Module):
    def head(self, feature):
        return self.fc(feature)

    def forward(self, x):
        return self.head(self.feature(x))


class ResNet(Classifier):
    """torchvision's ResNet, or with small=True OpenOOD's for images of 32x32: a 3x3
    stem without stride and max-pool, and projections named shortcut."""

    def __init__(self, counts, width, classes, bottleneck=False, small=False, **block):
        super().__init__()
        self.small = small
        self.conv1, self.bn1 = conv_bn(3, width, 3) if small else conv_bn(3, width, 7, 2)
        inside = width
        for stage, count in enumerate(counts):
            blocks, planes = [], width << stage
            for i in range(count):
                stride = 2 if stage and not i else 1
                blocks.append(Block(inside, planes, stride, bottleneck, "shortcut" if small else "downsample", **block))
                inside = planes * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inside, classes)

    def stages(self, x):
        """The maps before the stages and after each of the first three."""
        x = F.relu(self.bn1(self.conv1(x)))
        maps = [x if self.small else F.max_pool2d(x, 3, 2, 1)]
        for stage in (self.layer1, self.layer2, self.layer3):
            maps.append(stage(maps[-1]))
        return maps

    def layer3_map(self, x):
        return self.stages(x)[3]

    def feature(self, x):
        return self.layer4(self.layer3_map(x)).mean((2, 3))


class LeNet(Classifier):
    """OpenOOD's LeNet."""

    def __init__(self, classes):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
        self.block2 = nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.block3 = nn.Sequential(nn.Conv2d(16, 120, 5), nn.ReLU())
        self.classifier1 = nn.Linear(120, 84)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(84, classes)

    def feature(self, x):
        return self.relu(self.classifier1(self.block3(self.block2(self.block1(x))).flatten(1)))


class ASCOOD(Classifier):
    """A ResNet whose features are standardised, each image's for itself, before the last
    layer (Regmi 2024): logits = fc(sigma·z), z = (h - mean) / (std + 1e-6), std unbiased."""

    def __init__(self, backbone):
        super().__init__()
        self.sigma = nn.Parameter(torch.tensor(0.5), requires_grad=False)
        self.backbone = backbone

    def feature(self, x):
        return self.backbone.feature(x)

    def head(self, feature):
        z = (feature - feature.mean(1, keepdim=True)) / (feature.std(1, keepdim=True) + 1e-6)
        return self.backbone.fc(self.sigma * z)


# Of a width and a number of classes.
resnet18_32x32 = partial(ResNet, [2, 2, 2, 2], small=True)
resnet18_224x224 = partial(ResNet, [2, 2, 2, 2])
resnet50 = partial(ResNet, [3, 4, 6, 3], bottleneck=True)


def randomise(net):
    """Draws weights and statistics, so that nothing is at its default: He's normal
    weights, batch normalisations around the identity."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return net


def state(net):
    """The state dict as arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in net.state_dict().items()}


def load(net, arrays):
    """Sets the whole state dict from arrays."""
    net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return net
