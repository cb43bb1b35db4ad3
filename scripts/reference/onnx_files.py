"""importer/testdata/torchvision: small classifiers of torchvision's families as
torch.onnx writes them, and what PyTorch computes of two images.

The networks are torchvision's own classes with few channels and layers. The files are
inputs, drawn from a seed that they name; the logits are PyTorch's, of the networks that
the same seed gives.

    onnx_files.py FOLDER

writes all families there at opsets 9, 11, 13 and 17, in each of the ways.
"""
import io
import json
import sys
import warnings
from functools import partial
from pathlib import Path
from unittest import mock

import numpy
import onnx
import torch
from torch import nn
from torchvision import models
from torchvision.models import convnext, efficientnet, maxvit, regnet, swin_transformer, vision_transformer

FOLDER = "importer/testdata/torchvision"
CLASSES = 10


def thin(by):
    """Within it, convolutions and linear layers have a part of the channels."""
    conv, linear, norm = nn.Conv2d.__init__, nn.Linear.__init__, nn.BatchNorm2d.__init__
    less = lambda n: n if n in (1, 3, CLASSES) else max(n // by, 1)

    def thin_conv(self, i, o, *args, groups=1, **kwargs):
        conv(self, less(i), less(o), *args, groups=less(groups) if groups == i else groups, **kwargs)

    return [
        mock.patch.object(nn.Conv2d, "__init__", thin_conv),
        mock.patch.object(nn.Linear, "__init__", lambda self, i, o, *a, **k: linear(self, less(i), less(o), *a, **k)),
        mock.patch.object(nn.BatchNorm2d, "__init__", lambda self, n, *a, **k: norm(self, less(n), *a, **k)),
    ]


def thinned(make, by, **kwargs):
    patches = thin(by)
    for p in patches:
        p.start()
    try:
        return make(num_classes=CLASSES, **kwargs)
    finally:
        for p in patches:
            p.stop()


def resnet(block, layers, **kwargs):
    return partial(models.ResNet, block, layers, **kwargs)


def networks():
    """Name: (function that makes the network, size of its images)."""
    bottleneck, basic = models.resnet.Bottleneck, models.resnet.BasicBlock
    mbconv = [
        efficientnet.MBConvConfig(1, 3, 1, 8, 8, 1, 1.0, 1.0),
        efficientnet.MBConvConfig(4, 3, 2, 8, 16, 1, 1.0, 1.0),
        efficientnet.MBConvConfig(4, 5, 2, 16, 24, 2, 1.0, 1.0),
    ]
    fused = [efficientnet.FusedMBConvConfig(1, 3, 1, 8, 8, 1), efficientnet.FusedMBConvConfig(4, 3, 2, 8, 16, 1)]
    v3 = partial(models.mobilenetv3.InvertedResidualConfig, width_mult=1.0)
    small = [v3(16, 3, 16, 16, True, "RE", 2, 1), v3(16, 3, 32, 24, False, "RE", 2, 1), v3(24, 5, 48, 24, True, "HS", 1, 1)]
    blocks = regnet.BlockParams
    return {
        "alexnet": (lambda: thinned(models.AlexNet, 32), 224),
        "vgg11_bn": (lambda: thinned(models.vgg11_bn, 64), 224),
        "squeezenet1_1": (lambda: thinned(models.squeezenet1_1, 8), 33),
        "resnet18": (lambda: thinned(resnet(basic, [1, 1, 1, 1]), 16), 32),
        "resnext50_32x4d": (lambda: thinned(resnet(bottleneck, [1, 1, 1, 1], groups=2, width_per_group=32), 16), 32),
        "wide_resnet50_2": (lambda: thinned(resnet(bottleneck, [1, 1, 1, 1], width_per_group=128), 32), 32),
        "densenet": (lambda: models.DenseNet(growth_rate=8, block_config=(2, 2), num_init_features=16, num_classes=CLASSES), 32),
        "googlenet": (lambda: thinned(models.GoogLeNet, 16, aux_logits=False, init_weights=True, transform_input=True), 32),
        "inception_v3": (lambda: thinned(models.Inception3, 32, aux_logits=False, init_weights=True), 75),
        "mobilenet_v2": (lambda: models.MobileNetV2(CLASSES, 0.25, [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 1, 2]], round_nearest=4), 32),
        "mobilenet_v3": (lambda: models.MobileNetV3(small, 32, num_classes=CLASSES), 32),
        "mnasnet": (lambda: thinned(partial(models.MNASNet, 1.0), 16), 32),
        "shufflenet_v2": (lambda: models.ShuffleNetV2([2, 2, 2], [8, 16, 32, 64, 64], CLASSES), 32),
        "efficientnet": (lambda: models.EfficientNet(mbconv, 0.2, num_classes=CLASSES, last_channel=48), 32),
        "efficientnet_v2": (lambda: models.EfficientNet(fused + mbconv[2:], 0.2, num_classes=CLASSES, last_channel=48), 32),
        "regnet_x": (lambda: models.RegNet(blocks.from_init_params(4, 8, 8.0, 2.0, 8), CLASSES, stem_width=8), 32),
        "regnet_y": (lambda: models.RegNet(blocks.from_init_params(4, 8, 8.0, 2.0, 8, se_ratio=0.25), CLASSES, stem_width=8), 32),
        "convnext": (lambda: models.ConvNeXt([convnext.CNBlockConfig(16, 32, 1), convnext.CNBlockConfig(32, None, 1)], num_classes=CLASSES, layer_scale=0.5), 32),
        "vit": (lambda: vision_transformer.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=CLASSES), 32),
        "swin": (lambda: swin_transformer.SwinTransformer([2, 2], 16, [2, 1], [2, 4], [4, 4], num_classes=CLASSES), 32),
        "maxvit": (lambda: maxvit.MaxVit((64, 64), 8, 4, [8, 16], [1, 1], 8, 0.0, num_classes=CLASSES), 64),
    }


# Network, opset, and how: for any number of images or for one, or for any with batch
# normalisation kept for training.
ANY, ONE, KEPT = "", ".fixed", ".kept"
FILES = [
    ("alexnet", 17, ANY), ("vgg11_bn", 13, ONE), ("squeezenet1_1", 17, ANY), ("resnet18", 11, ONE), ("resnet18", 17, ANY),
    ("resnext50_32x4d", 17, ANY), ("wide_resnet50_2", 13, ONE), ("densenet", 17, ANY), ("googlenet", 13, ANY), ("inception_v3", 17, ANY),
    ("mobilenet_v2", 17, ANY), ("mobilenet_v3", 11, ANY), ("mobilenet_v3", 17, ONE), ("mnasnet", 13, ANY), ("shufflenet_v2", 11, ANY),
    ("efficientnet", 17, ANY), ("efficientnet_v2", 13, ONE), ("regnet_x", 13, ANY), ("regnet_y", 17, ONE),
    ("convnext", 11, ANY), ("convnext", 17, ONE), ("vit", 11, ANY), ("vit", 13, ONE), ("vit", 17, ANY),
    ("swin", 17, ONE), ("maxvit", 17, ONE),
    ("resnet18", 17, KEPT), ("mobilenet_v2", 13, KEPT),
    ("squeezenet1_1", 9, ANY), ("mobilenet_v3", 9, ONE),
]


def build(name, seed):
    """The network in evaluation mode, with weights and statistics that keep the scale."""
    torch.manual_seed(seed)
    make, size = networks()[name]
    net = make().eval()
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return net, size


def stem(name, opset, how):
    return f"{name}.{opset}{how}"


def export(name, opset, how, seed):
    net, size = build(name, seed)
    dynamic = how != ONE
    axes = {"input": {0: "batch"}, "logits": {0: "batch"}} if dynamic else None
    kept = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False} if how == KEPT else {}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, torch.randn(2 if dynamic else 1, 3, size, size), file,
            opset_version=opset, input_names=["input"], output_names=["logits"], dynamic_axes=axes, **kept,
        )
    model = onnx.load_from_string(file.getvalue())
    model.metadata_props.add(key="seed", value=str(seed))
    for node in model.graph.node:
        node.ClearField("doc_string")
    return model.SerializeToString()


def draw(given, out, seed):
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        (folder / f"{stem(*file)}.onnx").write_bytes(export(*file, seed))


def images(size):
    """Two images that anyone can make: sines of the elements' numbers."""
    numbers = numpy.arange(1, 2 * 3 * size * size + 1, dtype=numpy.float64)
    return torch.from_numpy(numpy.sin(0.37 * numbers + 0.001 * numbers * numpy.sin(numbers)).astype(numpy.float32).reshape(2, 3, size, size))


def values(given, out):
    logits = {}
    for name, opset, how in FILES:
        model = onnx.load(str(given / FOLDER / f"{stem(name, opset, how)}.onnx"))
        net, size = build(name, int(model.metadata_props[0].value))
        with torch.no_grad():
            logits[stem(name, opset, how)] = {"size": size, "logits": net(images(size)).numpy().round(6).tolist()}
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in logits.items()]
    (out / FOLDER / "logits.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def everything():
    """All networks in all forms that torch.onnx writes: MaxVit has einsum, Swin pads and
    ShuffleNet chunks."""
    since = {"maxvit": 12, "swin": 11, "shufflenet_v2": 11}
    forms = [(opset, how) for opset in (9, 11, 13, 17) for how in (ANY, ONE, KEPT)]
    return [(name, *form) for name in networks() for form in forms if form[0] >= since.get(name, 0)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    FILES[:] = everything()
    folder = Path(sys.argv[1])
    draw(folder, folder, 1)
    values(folder, folder)
