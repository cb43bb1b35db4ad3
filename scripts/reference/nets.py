"""testdata/nets: networks with random weights, a batch of random images, and what
must come out of it. checkpoint/testdata: the LeNet as both kinds of file."""
from pathlib import Path

import torch

import networks
import odin
import safetensors
from networks import ASCOOD, LeNet, resnet18_32x32, resnet18_224x224, resnet50

FOLDER, LENET = "testdata/nets", Path("checkpoint/testdata/lenet.pth")
CIFAR10, CIFAR100 = (0.2470, 0.2435, 0.2616), (0.2675, 0.2565, 0.2761)
IMAGENET, HALF = (0.229, 0.224, 0.225), (0.5,) * 3
SETTINGS = {"T1000.": (1000, 0.0014), "T1.": (1, 0.0098)}  # temperature, noise

# name: network, image size, number of images, standard deviations of the ID set
NETS = {
    "resnet18_32x32": (lambda: resnet18_32x32(8, 10), 32, 4, CIFAR10),
    "ascood-resnet18_32x32": (lambda: ASCOOD(resnet18_32x32(8, 10)), 32, 4, CIFAR100),
    "ascood-resnet18_224x224": (lambda: ASCOOD(resnet18_224x224(8, 2)), 224, 2, IMAGENET),
    "ascood-resnet50": (lambda: ASCOOD(resnet50(8, 9)), 160, 2, IMAGENET),
    "lenet": (lambda: LeNet(10), 28, 4, HALF),
}
LARGE = {"ascood-resnet18_224x224", "ascood-resnet50"}  # images in a file of their own
THINNED = 4  # of their gradients every fourth element is kept


def draw(given, out, seed):
    """With seed 1 this draws the checked-in weights and images."""
    torch.manual_seed(seed)
    for name, (build, size, count, _) in NETS.items():
        net = networks.randomise(build()).eval()
        safetensors.save(out / FOLDER / f"{name}.safetensors", networks.state(net))
        x = 1.2 * torch.randn(count, 3, size, size)
        inputs = {"x": x, "target": torch.randint(net(x).shape[1], (count,))}
        if name in LARGE:
            safetensors.save(out / FOLDER / f"{name}.x.safetensors", {"x": inputs.pop("x")})
        safetensors.save(out / FOLDER / f"{name}.io.safetensors", inputs)


def values(given, out):
    for name, (build, _, _, std) in NETS.items():
        path = given / FOLDER / f"{name}.safetensors"
        net = networks.load(build(), safetensors.load(path)).eval().double()
        inputs = safetensors.load(path.with_suffix(".io.safetensors"))
        if name in LARGE:
            inputs |= safetensors.load(path.with_suffix(".x.safetensors"))
        x, target = (torch.from_numpy(inputs[key]) for key in ("x", "target"))
        x = x.double().requires_grad_()
        feature = net.feature(x)
        logits = net.head(feature)
        result = {"target": target, "logits": logits, "feature": feature}
        if name not in LARGE:
            result["x"] = x
            (result["saliency"],) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), x)
        for prefix, (temperature, noise) in SETTINGS.items():
            scores = odin.scores(net, x, temperature, noise, std)
            if name in LARGE:
                scores["ce_grad"] = scores["ce_grad"].flatten()[::THINNED]
            result |= {prefix + key: value for key, value in scores.items()}
        result = {key: (value.float() if value.is_floating_point() else value).detach().numpy() for key, value in result.items()}
        safetensors.save(out / FOLDER / f"{name}.io.safetensors", result)
    lenet = safetensors.load(given / FOLDER / "lenet.safetensors")
    safetensors.save(out / LENET.with_suffix(".safetensors"), lenet)
    torch.save(networks.load(LeNet(10), lenet).state_dict(), out / LENET)
