"""importer/testdata/users: small networks with parts of all kinds that people put into
classifiers, as torch.onnx writes them, and what PyTorch computes of two images: logits,
and how a sum of them changes along three directions.

The files are inputs, drawn from a seed that they name; the values are PyTorch's, of the
networks that the same seed gives. Activations are smooth, so that rounding does not
decide what a gradient is.
"""
import io
import json
import math
import warnings

import numpy
import onnx
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = "importer/testdata/users"
SIZE, CLASSES, WIDTH = 16, 5, 8


class Part(nn.Module):
    """A function (part, x) with modules, parameters and buffers of its own."""

    def __init__(self, compute, /, **own):
        super().__init__()
        self.compute = compute
        for name, value in own.items():
            if isinstance(value, (nn.Module, nn.Parameter)):
                setattr(self, name, value)
            else:
                self.register_buffer(name, value)

    def forward(self, x):
        return self.compute(self, x)


def stem(channels=3, stride=2):
    return nn.Sequential(nn.Conv2d(channels, WIDTH, 3, stride, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.SiLU())


def mean(x):
    return x.mean((2, 3))


def head(width=WIDTH):
    return nn.Linear(width, CLASSES)


def within(f, /, **own):
    """A part between the stem and the mean of each map."""
    return nn.Sequential(stem(), Part(f, **own), Part(lambda p, x: mean(x)), head())


def pooled(f, width=WIDTH, /, **own):
    """A part that makes a vector of the maps."""
    return nn.Sequential(stem(), Part(f, **own), head(width))


def tokens(f, /, **own):
    """A part on the patches of an image, [N,16,8]."""
    patches = Part(lambda p, x: p.c(x).flatten(2).transpose(1, 2), c=nn.Conv2d(3, WIDTH, 4, 4))
    return nn.Sequential(patches, Part(f, **own), Part(lambda p, x: x.mean(1)), head())


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class StdConv2d(nn.Conv2d):
    def forward(self, x):
        w = F.batch_norm(self.weight.reshape(1, self.out_channels, -1), None, None, training=True, momentum=0.0, eps=1e-6)
        return F.conv2d(x, w.reshape_as(self.weight), self.bias, self.stride, self.padding)


def split_attention(p, x):
    x = F.silu(p.c(x))
    n, _, h, w = x.shape
    x = x.reshape(n, 2, WIDTH, h, w)
    a = p.b(F.silu(p.a(x.sum(1).mean((2, 3), keepdim=True)))).view(n, 1, 2, -1).transpose(1, 2).softmax(1)
    return (x * a.reshape(n, 2, WIDTH, 1, 1)).sum(1)


def attention_pool(p, x):
    x = x.flatten(2).permute(2, 0, 1)
    x = torch.cat([x.mean(0, keepdim=True), x], 0) + p.position[:, None]
    return p.m(x[:1], x, x, need_weights=False)[0].squeeze(0)


def windowed(p, x):
    n, length, c = x.shape
    q, k, v = p.qkv(x).reshape(n, length, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
    bias = p.table[p.index.view(-1)].view(length, length, 2).permute(2, 0, 1)
    a = F.softmax(q @ k.transpose(-1, -2) * 0.5 + bias[None], -1)
    return (a @ v).transpose(1, 2).flatten(2)


def distilled(p, x):
    n = x.shape[0]
    x = torch.cat((p.a.expand(n, -1, -1), p.b.expand(n, -1, -1), p.c(x).flatten(2).transpose(1, 2)), 1)
    x = x + p.m(x, x, x, need_weights=False)[0]
    return (p.f(x[:, 0]) + p.g(x[:, 1])) / 2


def coordinates(p, x):
    n, _, h, w = x.shape
    rows = torch.linspace(-1, 1, h).view(1, 1, h, 1).expand(n, 1, h, w)
    columns = torch.linspace(-1, 1, w).view(1, 1, 1, w).expand(n, 1, h, w)
    return torch.cat([x, rows, columns], 1)


def experts(p, x):
    x = mean(x)
    return (torch.stack([p.a(x), p.b(x), p.c(x)], 1) * p.gate(x).softmax(1).unsqueeze(-1)).sum(1)


def bilinear(p, x):
    x = x.flatten(2)
    x = torch.bmm(x, x.transpose(1, 2)).flatten(1) / x.shape[2]
    return F.normalize(torch.sign(x) * torch.sqrt(x.abs() + 1e-3))


def networks():
    conv, line, par = nn.Conv2d, nn.Linear, nn.Parameter
    w = WIDTH
    blur = torch.tensor([1.0, 2.0, 1.0])
    blur = (blur[:, None] * blur / 16)[None, None].repeat(w, 1, 1, 1)
    return {
        # normalisation
        "layernorm2d": lambda: within(lambda p, x: p.n(x), n=LayerNorm2d(w)),
        "groupnorm": lambda: within(lambda p, x: p.n(x).tanh(), n=nn.GroupNorm(2, w)),
        "instancenorm": lambda: within(lambda p, x: p.n(x).tanh(), n=nn.InstanceNorm2d(w, affine=True)),
        "rms_norm": lambda: within(lambda p, x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6)),
        "response_norm": lambda: within(lambda p, x: x * (x.norm(dim=(2, 3), keepdim=True) / (x.norm(dim=(2, 3), keepdim=True).mean(1, keepdim=True) + 1e-6)) + x),
        "local_response": lambda: within(lambda p, x: F.local_response_norm(x, 5)),
        "filter_response": lambda: within(lambda p, x: torch.max(x * torch.rsqrt(x.pow(2).mean((2, 3), keepdim=True) + 1e-6), p.t), t=par(torch.full((1, w, 1, 1), -0.1))),
        "standardised_weights": lambda: within(lambda p, x: p.c(x), c=StdConv2d(w, w, 3, padding=1)),
        "weight_norm": lambda: within(lambda p, x: p.c(x), c=nn.utils.weight_norm(conv(w, w, 3, padding=1))),
        "image_norm": lambda: nn.Sequential(Part(lambda p, x: (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 1e-5)), stem(), Part(lambda p, x: mean(x)), head()),
        # activations
        "gelu": lambda: within(lambda p, x: F.gelu(x)),
        "gelu_tanh": lambda: within(lambda p, x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))))),
        "mish_and_others": lambda: within(lambda p, x: F.mish(p.c(x)) + F.softplus(x) + F.elu(x) + F.celu(x) + F.softsign(x), c=conv(w, w, 1)),
        "maxout": lambda: within(lambda p, x: p.c(x).view(x.shape[0], w, 2, x.shape[2], x.shape[3]).max(2)[0], c=conv(w, 2 * w, 1)),
        "max_of_halves": lambda: within(lambda p, x: torch.max(*torch.split(p.c(x), w, 1)), c=conv(w, 2 * w, 1)),
        # convolutions and resampling
        "blur_pool": lambda: within(lambda p, x: F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), p.k, stride=2, groups=w), k=blur),
        "dilated": lambda: within(lambda p, x: p.a(x) + p.b(x), a=conv(w, w, 3, padding=2, dilation=2), b=conv(w, w, (1, 5), padding=(0, 2))),
        "transposed": lambda: within(lambda p, x: p.t(x), t=nn.ConvTranspose2d(w, w, 3, stride=2, padding=1, output_padding=1)),
        "three_dimensional": lambda: within(lambda p, x: p.c(x.unsqueeze(1)).mean(1), c=nn.Conv3d(1, 2, 3, padding=1)),
        "pixel_shuffle": lambda: within(lambda p, x: F.pixel_unshuffle(F.pixel_shuffle(x, 2) ** 2, 2)),
        "pyramid": lambda: within(lambda p, x: x + F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear", align_corners=False)
                                  + F.interpolate(F.max_pool2d(x, 4), size=(8, 8), mode="nearest") + F.interpolate(F.avg_pool2d(x, 4), scale_factor=4, mode="bicubic", align_corners=True)),
        "resized": lambda: nn.Sequential(Part(lambda p, x: F.interpolate(x, size=(12, 12), mode="bilinear", align_corners=False)), stem(), Part(lambda p, x: mean(x)), head()),
        "ceiling_pools": lambda: within(lambda p, x: F.max_pool2d(F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), 3, 2, ceil_mode=True)),
        # attention of all kinds
        "excitation": lambda: within(lambda p, x: x * torch.sigmoid(p.b(F.silu(p.a(F.adaptive_avg_pool2d(x, 1))))), a=conv(w, 2, 1), b=conv(2, w, 1)),
        "excitation_linear": lambda: within(lambda p, x: x * torch.sigmoid(p.b(F.silu(p.a(mean(x))))).view(x.size(0), -1, 1, 1), a=line(w, 2), b=line(2, w)),
        "efficient_channels": lambda: within(lambda p, x: x * torch.sigmoid(p.c(mean(x).unsqueeze(1))).view(x.shape[0], -1, 1, 1), c=nn.Conv1d(1, 1, 3, padding=1, bias=False)),
        "spatial_attention": lambda: within(lambda p, x: x * torch.sigmoid(p.c(torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1))), c=conv(2, 1, 7, padding=3)),
        "split_attention": lambda: within(split_attention, c=conv(w, 2 * w, 3, padding=1, groups=2), a=conv(w, 4, 1), b=conv(4, 2 * w, 1)),
        "non_local": lambda: within(lambda p, x: x + (torch.softmax(p.q(x).flatten(2).transpose(1, 2) @ p.k(x).flatten(2), -1) @ p.v(x).flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape),
                                    q=conv(w, 4, 1), k=conv(w, 4, 1), v=conv(w, w, 1)),
        "linear_attention": lambda: within(lambda p, x: torch.einsum("ndp,nde->nep", p.q(x).flatten(2).softmax(1), torch.einsum("ndp,nep->nde", p.k(x).flatten(2).softmax(2), p.v(x).flatten(2))).view(x.shape),
                                           q=conv(w, w, 1), k=conv(w, w, 1), v=conv(w, w, 1)),
        "multihead": lambda: tokens(lambda p, x: x + p.m(x, x, x, need_weights=False)[0], m=nn.MultiheadAttention(w, 2, batch_first=True)),
        "sequence_first": lambda: tokens(lambda p, x: p.m(x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1), need_weights=False)[0].transpose(0, 1), m=nn.MultiheadAttention(w, 2)),
        "relative_positions": lambda: tokens(windowed, qkv=line(w, 3 * w, bias=False), table=par(torch.randn(49, 2)), index=torch.randint(0, 49, (16, 16))),
        "mixer": lambda: tokens(lambda p, x: x + p.b(F.gelu(p.a(p.n(x).transpose(1, 2)))).transpose(1, 2), n=nn.LayerNorm(w), a=line(16, 12), b=line(12, 16)),
        "unfolded": lambda: nn.Sequential(Part(lambda p, x: F.unfold(x, 8, stride=8).transpose(1, 2)), nn.Linear(192, w), nn.SiLU(), Part(lambda p, x: x.mean(1)), head()),
        # movement
        "channel_shuffle": lambda: within(lambda p, x: torch.cat([x.chunk(2, 1)[0], p.c(x.chunk(2, 1)[1])], 1).view(x.size(0), 2, w // 2, x.size(2), x.size(3)).transpose(1, 2).contiguous().view(x.shape), c=conv(w // 2, w // 2, 3, padding=1)),
        "rolled": lambda: within(lambda p, x: torch.roll(x, (2, -3), (2, 3)) * x),
        "flipped": lambda: within(lambda p, x: p.c(x) + p.c(x.flip(3)).flip(3), c=conv(w, w, 3, padding=1)),
        "masked": lambda: within(lambda p, x: x.masked_fill(p.m, 0.0)[:, p.i], m=torch.rand(8, 8) > 0.5, i=torch.randperm(w)),
        "coordinates": lambda: nn.Sequential(Part(coordinates), stem(5), Part(lambda p, x: mean(x)), head()),
        "gray_inside": lambda: nn.Sequential(Part(lambda p, x: (x * torch.tensor([0.3, 0.6, 0.1]).view(1, 3, 1, 1)).sum(1, keepdim=True)), stem(1), Part(lambda p, x: mean(x)), head()),
        # pools
        "generalised_mean": lambda: pooled(lambda p, x: F.adaptive_avg_pool2d(x.clamp(min=1e-3).pow(3.0), 1).pow(1 / 3.0).flatten(1)),
        "deviation_pool": lambda: pooled(lambda p, x: torch.cat([mean(x), x.flatten(2).std(2)], 1), 2 * w),
        "mean_and_most": lambda: pooled(lambda p, x: torch.cat([F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)], 1).flatten(1), 2 * w),
        "log_sum_exp": lambda: pooled(lambda p, x: torch.logsumexp(x.flatten(2), 2)),
        "spatial_pyramid": lambda: pooled(lambda p, x: torch.cat([F.adaptive_avg_pool2d(x, n).flatten(1) for n in (1, 2, 4)], 1), 21 * w),
        "attention_pool": lambda: pooled(attention_pool, m=nn.MultiheadAttention(w, 2), position=par(torch.randn(65, w) * 0.1)),
        "bilinear_pool": lambda: pooled(bilinear, w * w),
        # heads
        "hidden_layers": lambda: nn.Sequential(stem(), Part(lambda p, x: mean(x)), nn.BatchNorm1d(w), nn.Dropout(), line(w, 12), nn.SiLU(), nn.BatchNorm1d(12), head(12)),
        "normalised_logits": lambda: nn.Sequential(stem(), Part(lambda p, x: mean(x)), head(), nn.BatchNorm1d(CLASSES)),
        "cosines": lambda: nn.Sequential(stem(), Part(lambda p, x: 16 * F.linear(F.normalize(mean(x)), F.normalize(p.w)), w=par(torch.randn(CLASSES, w)))),
        "tempered": lambda: nn.Sequential(stem(), Part(lambda p, x: p.f(mean(x)) / p.t, f=head(), t=par(torch.tensor(1.7)))),
        "convolutional": lambda: nn.Sequential(stem(), conv(w, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "pooled_convolutional": lambda: nn.Sequential(stem(), Part(lambda p, x: p.c(F.adaptive_avg_pool2d(x, 1)).squeeze(-1).squeeze(-1), c=conv(w, CLASSES, 1))),
        "distilled": lambda: nn.Sequential(Part(distilled, a=par(torch.randn(1, 1, w)), b=par(torch.randn(1, 1, w)), c=conv(3, w, 4, 4), m=nn.MultiheadAttention(w, 2, batch_first=True), f=head(), g=head())),
        "experts": lambda: nn.Sequential(stem(), Part(experts, a=head(), b=head(), c=head(), gate=line(w, 3))),
        "einsum": lambda: nn.Sequential(stem(), Part(lambda p, x: torch.einsum("nd,dc->nc", mean(x), p.w), w=par(torch.randn(w, CLASSES)))),
        "two_ways": lambda: nn.Sequential(Part(lambda p, x: torch.cat([mean(p.a(x)), p.b(F.avg_pool2d(x, 2)).mean((2, 3))], 1), a=stem(), b=stem()), head(2 * w)),
        "squeezed": lambda: nn.Sequential(stem(), Part(lambda p, x: F.adaptive_avg_pool2d(x, 1).squeeze()), head()),
        "no_convolution": lambda: nn.Sequential(nn.Flatten(), line(3 * SIZE * SIZE, 12), nn.Tanh(), head(12)),
        "float64": lambda: nn.Sequential(stem(), Part(lambda p, x: mean(x)), head()).double(),
    }


# Opset and whether the file takes any number of images, by the number of the network.
FORMS = [(17, True), (13, True), (17, False), (12, True), (13, False)]


def files():
    return [(name, *FORMS[i % len(FORMS)]) for i, name in enumerate(networks())]


def stem_of(name, opset, dynamic):
    return f"{name}.{opset}" + ("" if dynamic else ".fixed")


def build(name, seed):
    torch.manual_seed(seed)
    net = networks()[name]().eval()
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return net


def export(name, opset, dynamic, seed):
    net = build(name, seed)
    axes = {"input": {0: "batch"}, "logits": {0: "batch"}} if dynamic else None
    file = io.BytesIO()
    image = torch.randn(2 if dynamic else 1, 3, SIZE, SIZE, dtype=next(net.parameters()).dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, image, file, opset_version=opset, input_names=["input"], output_names=["logits"], dynamic_axes=axes)
    model = onnx.load_from_string(file.getvalue())
    model.metadata_props.add(key="seed", value=str(seed))
    for node in model.graph.node:
        node.ClearField("doc_string")
    return model.SerializeToString()


def draw(given, out, seed):
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for file in files():
        (folder / f"{stem_of(*file)}.onnx").write_bytes(export(*file, seed))


def sines(frequency, *shape):
    numbers = numpy.arange(1, numpy.prod(shape) + 1, dtype=numpy.float64)
    return torch.from_numpy(numpy.sin(frequency * numbers + 0.001 * numbers * numpy.sin(numbers)).reshape(shape))


def values(given, out):
    found = {}
    for file in files():
        model = onnx.load(str(given / FOLDER / f"{stem_of(*file)}.onnx"))
        net = build(file[0], int(model.metadata_props[0].value)).double()
        image = sines(0.37, 2, 3, SIZE, SIZE).float().double().requires_grad_()
        logits = net(image)
        (gradient,) = torch.autograd.grad((logits * sines(1, 1, CLASSES)).sum(), image)
        directions = torch.stack([sines(f, 3, SIZE, SIZE) for f in (0.1, 0.9, 2.3)])
        found[stem_of(*file)] = {
            "logits": logits.detach().numpy().round(6).tolist(),
            "slopes": (gradient[:, None] * directions).flatten(2).sum(2).numpy().round(7).tolist(),
            "scales": (gradient[:, None] * directions).abs().flatten(2).sum(2).numpy().round(7).tolist(),
        }
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in found.items()]
    (out / FOLDER / "values.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
