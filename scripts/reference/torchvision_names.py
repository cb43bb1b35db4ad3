"""testdata/torchvision: what torchvision's ResNet-18 and ResNet-50 look like as state
dicts. NAME.txt lists the names and shapes of the real ones (width 64, 1000 classes) in
order; NAME-width1.pth is one of width 1 with 3 classes, as torch.save writes it, that
of ResNet-18 in the format before PyTorch 1.6, as torchvision's files once had it.
"""
import torch
import torchvision

import networks

FOLDER = "testdata/torchvision"


def listing(net):
    shapes = {name: "x".join(map(str, t.shape)) or "scalar" for name, t in net.state_dict().items()}
    return "".join(f"{name} {shape}\n" for name, shape in shapes.items())


def values(given, out):
    folder = out / FOLDER
    ours = {"resnet18": networks.resnet18_224x224, "resnet50": networks.resnet50}
    for name, build in ours.items():
        names = listing(getattr(torchvision.models, name)())
        (folder / f"{name}.txt").write_text(names)
        torch.manual_seed(0)
        if listing(build(64, 1000)) != names:
            raise SystemExit(f"{name} of networks.py is not torchvision's")
        torch.save(
            build(1, 3).state_dict(), folder / f"{name}-width1.pth",
            _use_new_zipfile_serialization=name == "resnet50",
        )
