"""posthoc/testdata/posthoc.safetensors: a trained network's logits and features of real
images, and the scores (higher is more in-distribution) that OpenOOD v1.5's post-hoc
methods give them with their published hyperparameters.

z [N,C] are logits, h [N,D] features, W [C,D] and b [C] the last layer, E(z) the energy;
the bank is the training set. Each method is fitted to the data d and returns the score
of a set s. The publications are named in full beside the methods of the package posthoc.
"""
from types import SimpleNamespace

import numpy as np
import torch
from scipy.special import logsumexp, softmax
from scipy.stats import entropy
from sklearn.covariance import EmpiricalCovariance
from torch.nn import functional as F

import networks
import safetensors
from fashion import CLASSES, NET, SETS, draw, images  # draw for generate.py
from odin import scores as odin_scores

FILE = "posthoc/testdata/posthoc.safetensors"


def E(z):
    return logsumexp(z, 1)


# From logits.

def msp(d):
    """Hendrycks and Gimpel 2017: max softmax(z)."""
    return lambda s: softmax(s.z, 1).max(1)


def mls(d):
    """Hendrycks et al. 2022: max z."""
    return lambda s: s.z.max(1)


def ebo(d):
    """Liu et al. 2020: T·E(z/T), T = 1."""
    return lambda s: E(s.z)


def temp_scaling(d, T=1.251914):
    """Guo et al. 2017, at the T where OpenOOD's optimiser stops, short of the best, 1.03."""
    return lambda s: softmax(s.z / T, 1).max(1)


def mcm(d, tau=1):
    """Ming et al. 2022: max softmax(z/tau)."""
    return lambda s: softmax(s.z / tau, 1).max(1)


def t2fnorm(d, tau=0.1):
    """Regmi et al. 2024: max softmax(W·h/tau + b)."""
    return lambda s: softmax(d.logits(s.h / tau), 1).max(1)


def mcm_sharp(d):
    return mcm(d, 0.01)


def mcm_flat(d):
    return mcm(d, 10)


def gen(d, gamma=0.1, M=100):
    """Liu et al. 2023: -Σ p^γ·(1-p)^γ over the M largest probabilities."""
    def score(s):
        p = np.sort(softmax(s.z, 1), 1)[:, -M:]
        return -(p**gamma * (1 - p) ** gamma).sum(1)
    return score


def klm(d):
    """Hendrycks et al. 2022: -min over c of KL(p || mean p of what is predicted c in val_id,
    or one-hot where nothing is)."""
    p, pred = softmax(d.val_id.z, 1), d.val_id.z.argmax(1)
    means = [p[pred == c].mean(0) if (pred == c).any() else np.eye(CLASSES)[c] for c in range(CLASSES)]
    return lambda s: -np.min([entropy(softmax(s.z, 1), mean[None], axis=1) for mean in means], 0)


# From changed features.

def react(d, percentile=90):
    """Sun et al. 2021: E of h cut off at a percentile, as in OpenOOD that of val_id."""
    threshold = np.percentile(d.val_id.h, percentile)
    return lambda s: E(d.logits(s.h.clip(max=threshold)))


def vra(d, high=90, low=10):
    """Xu et al. 2023: E of h between two percentiles of val_id."""
    bounds = np.percentile(d.val_id.h, [low, high])
    return lambda s: E(d.logits(s.h.clip(*bounds)))


def strongest(h, percentile):
    """A mask of each row's largest activations, all but a percentile."""
    n = h.shape[1]
    order = np.argsort(-h, 1, kind="stable")[:, :n - round(n * percentile / 100)]
    mask = np.zeros(h.shape, bool)
    np.put_along_axis(mask, order, True, 1)
    return mask


def ash(d, percentile=90):
    """Djurisic et al. 2023, ASH-B: E of the strongest, which share the sum of all."""
    def score(s):
        mask = strongest(s.h, percentile)
        return E(d.logits(mask * s.h.sum(1, keepdims=True) / mask.sum(1, keepdims=True)))
    return score


def scale(d, percentile=85):
    """Xu et al. 2024: E of h·exp(sum of all / sum of the strongest)."""
    def score(s):
        ratio = s.h.sum(1) / (s.h * strongest(s.h, percentile)).sum(1)
        return E(d.logits(s.h * np.exp(ratio)[:, None]))
    return score


def dice(d, percentile=90):
    """Sun and Li 2022: E by the weights whose mean contribution is above a percentile."""
    contribution = d.W * d.train.h.mean(0)
    sparse = d.W * (contribution > np.percentile(contribution, percentile))
    return lambda s: E(s.h @ sparse.T + d.b)


def gradnorm(d):
    """Huang et al. 2021: L1 norm of the gradient by W of Σ_c -log softmax(Wh+b)_c."""
    def norm(h):
        W = torch.tensor(d.W, requires_grad=True)
        F.log_softmax(W @ torch.from_numpy(h) + torch.from_numpy(d.b), 0).sum().backward()
        return W.grad.abs().sum().item()
    return lambda s: np.array([norm(h) for h in s.h])


# From the distribution of features.

def class_means(h, label):
    return np.stack([h[label == c].mean(0) for c in range(CLASSES)])


def mahalanobis(h, mean, precision):
    return np.einsum("ni,ij,nj->n", h - mean, precision, h - mean)


def nearest_class(d):
    """The least squared distance to a class mean, under the pooled covariance."""
    means = class_means(d.train.h, d.train.label)
    precision = EmpiricalCovariance().fit(d.train.h - means[d.train.label]).precision_
    return lambda h: np.min([mahalanobis(h, mean, precision) for mean in means], 0)


def mds(d):
    """Lee et al. 2018: -(h-μ_c)ᵀP(h-μ_c) of the nearest class c."""
    nearest = nearest_class(d)
    return lambda s: -nearest(s.h)


def rmds(d):
    """Ren et al. 2021: mds + (h-μ)ᵀP₀(h-μ), of one Gaussian for all."""
    nearest, whole = nearest_class(d), EmpiricalCovariance().fit(d.train.h)
    return lambda s: mahalanobis(s.h, whole.location_, whole.precision_) - nearest(s.h)


def vim(d, dim=32):
    """Wang et al. 2022: E - α·‖what the principal subspace about -W⁺b leaves of h‖, with α the
    ratio of the bank's mean max z to its mean norm; dim suits 64 features (published: 256)."""
    origin = -np.linalg.pinv(d.W) @ d.b
    _, vectors = np.linalg.eigh((d.train.h - origin).T @ (d.train.h - origin))  # by rising eigenvalue
    rest = lambda h: np.linalg.norm((h - origin) @ vectors[:, :-dim], axis=1)
    alpha = d.train.z.max(1).mean() / rest(d.train.h).mean()
    return lambda s: E(d.logits(s.h)) - alpha * rest(s.h)


def residual(d, dim=32):
    """-‖what the principal subspace about -W⁺b of val_id leaves of h‖; published: 512."""
    origin = -np.linalg.pinv(d.W) @ d.b
    _, vectors = np.linalg.eigh((d.val_id.h - origin).T @ (d.val_id.h - origin))
    return lambda s: -np.linalg.norm((s.h - origin) @ vectors[:, :-dim], axis=1)


def nci(d, alpha=0.001):
    """Liu and Qin 2025: w_pred·(h - mean h)/‖h - mean h‖ + alpha·‖h‖₁."""
    def score(s):
        centred = s.h - d.train.h.mean(0)
        closeness = (d.W[s.z.argmax(1)] * centred).sum(1) / np.linalg.norm(centred, axis=1)
        return closeness + alpha * np.abs(s.h).sum(1)
    return score


def she(d):
    """Zhang et al. 2023: h · mean h of the predicted class's correctly classified images."""
    pred = d.train.z.argmax(1)
    right = pred == d.train.label
    patterns = class_means(d.train.h[right], pred[right])
    return lambda s: (s.h * patterns[s.z.argmax(1)]).sum(1)


def fdbd(d, centre=True):
    """Liu and Qin 2024: Σ_c |z_c - z_pred| / ‖w_c - w_pred‖, over ‖h - mean h‖ or ‖h‖."""
    between = np.linalg.norm(d.W[:, None] - d.W[None], axis=2) + np.eye(CLASSES)
    def score(s):
        below = np.abs(s.z - s.z.max(1, keepdims=True)) / between[s.z.argmax(1)]
        return below.sum(1) / np.linalg.norm(s.h - d.train.h.mean(0) * centre, axis=1)
    return score


def fdbd_norm(d):
    return fdbd(d, centre=False)


# From the bank itself.

def unit(h):
    return h / np.linalg.norm(h, axis=1, keepdims=True) + 1e-10


def knn(d, K=50):
    """Sun et al. 2022: -the squared distance to the K-th nearest of the bank."""
    squared = lambda h: ((unit(h)[:, None] - unit(d.train.h)[None]) ** 2).sum(2)
    return lambda s: -np.sort(squared(s.h), 1)[:, K - 1]


def nnguide(d, K=100):
    """Park et al. 2023: E(z) · mean of the K largest h·h_i·E(z_i)."""
    bank = unit(d.train.h) * E(d.train.z)[:, None]
    return lambda s: E(s.z) * np.sort(unit(s.h) @ bank.T, 1)[:, -K:].mean(1)


def relation(d, power=1, least=0.03):
    """Kim et al. 2023: Σ r^power, r = max(0, h·h_i)·(p·p_i) where that exceeds the least."""
    normal = lambda h: h / np.sqrt((h**2).sum(1, keepdims=True) + 1e-10)
    def score(s):
        r = (normal(s.h) @ normal(d.train.h).T).clip(min=0) * (softmax(s.z, 1) @ softmax(d.train.z, 1).T)
        return (r**power * (r > least)).sum(1)
    return score


# From images, through the network in float32.

def odin(d, key="odin_conf"):
    """odin.py, at the published temperature and noise."""
    confidence = lambda x: odin_scores(d.net, x, 1000, 0.0014, (0.5,) * 3)[key]
    return lambda s: torch.cat([confidence(x) for x in s.x.split(100)]).numpy()


def iodin(d):
    return odin(d, "iodin_conf")


def rankfeat(d):
    """Song et al. 2022: E of the mean of the logits after the map [C,H·W] of the third or of
    the fourth stage has lost its largest singular component."""
    def remove(maps):
        U, S, V = torch.linalg.svd(maps.flatten(2), full_matrices=False)
        return maps - (U[:, :, :1] * S[:, None, :1] @ V[:, :1]).view_as(maps)
    def score(s):
        with torch.no_grad():
            third = d.net.layer3_map(s.x)
            last = d.net.layer4(remove(third)), remove(d.net.layer4(third))
            return sum(d.net.head(maps.mean((2, 3))) for maps in last).div(2).logsumexp(1).numpy()
    return score


def by_parts(f, s):
    """What f makes of a set's images, in double precision."""
    return np.concatenate([f(x).detach().double().numpy() for x in s.x.split(100)])


def gram(d):
    """Sastry and Oore 2020: how far the sums over channels of s, with s^p the sums of the rows
    of F^p (F^p)^T, are outside of a class's least and largest s, p = 1 … 5, on five maps."""
    def statistics(x):
        with torch.no_grad():
            maps = [m.double().flatten(2) for m in (*d.net.stages(x)[:4], d.net.feature(x)[:, :, None, None])]
        powers = [(m.pow(p), p) for m in maps for p in range(1, 6)]
        return [(f @ f.transpose(1, 2)).sum(2).pow(1 / p) for f, p in powers]
    def all_of(s, reduce):
        return by_parts(lambda x: torch.stack([reduce(v) for v in statistics(x)], 1), s)
    least, most = (all_of(d.train, lambda v: getattr(v, side)(1)) for side in ("amin", "amax"))
    classes = [d.train.label == c for c in range(CLASSES)]
    least, most = np.stack([least[c].min(0) for c in classes]), np.stack([most[c].max(0) for c in classes])
    def score(s):
        sums, low, high = all_of(s, lambda v: v.sum(1)), least[s.z.argmax(1)], most[s.z.argmax(1)]
        below, above = np.maximum(low - sums, 0) / abs(low + 1e-6), np.maximum(sums - high, 0) / abs(high + 1e-6)
        return (below + above).sum(1) / 50
    return score


def mds_ensemble(d, noise=0.0014):
    """Lee et al. 2018 on the averaged maps of the first layer, after a step of the image
    towards the nearest class."""
    mean_map = lambda x: d.net.stages(x)[0].mean((2, 3))
    f = by_parts(mean_map, d.train)
    means = class_means(f, d.train.label)
    precision = EmpiricalCovariance().fit(f - means[d.train.label]).precision_
    means, precision = (torch.tensor(v, dtype=d.train.x.dtype) for v in (means, precision))
    def half_squares(f):
        from_mean = f[:, None] - means
        return torch.einsum("nci,ij,ncj->nc", from_mean, precision, from_mean).amin(1) / 2
    def score(x):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(half_squares(mean_map(x)).sum(), x)
        return -half_squares(mean_map(x - noise * torch.where(g >= 0, 1.0, -1.0) / 0.5))
    return lambda s: by_parts(score, s)


def mds_ensemble_still(d):
    return mds_ensemble(d, 0)


def adascale(d, logits, low, high, k1, k2):
    """Regmi 2025: the percentile of scale is each image's own, by how much the strongest
    activations keep when the 5% of pixels that matter least move."""
    def moved(x):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(d.net(x).amax(1).sum(), x)
        g = g.flatten(1)
        at = g.abs().argsort(dim=1, descending=False, stable=True)[:, :int(0.05 * g.shape[1])]
        steps = torch.zeros_like(g).scatter(1, at, 0.5 * g.gather(1, at).sign())
        with torch.no_grad():
            return d.net.feature(x + steps.view_as(x))
    def strength(s):
        h, after = s.h, by_parts(moved, s)
        order, (n1, n2) = np.argsort(-h, 1), (int(h.shape[1] * k / 100) for k in (k1, k2))
        top = lambda v, n: np.take_along_axis(v, order[:, :n], 1).sum(1)
        return (top(np.maximum(after, 0), n1) + 10 * top(abs(h - after), n2)).astype(np.float32)
    known = np.sort(strength(d.val_id))
    def score(s):
        share = np.searchsorted(known, strength(s), "right") / len(known)
        kept = s.h.shape[1] - np.rint(s.h.shape[1] * (low + (1 - share) * (high - low)) / 100).astype(int)
        h = np.maximum(s.h, 0)
        strongest = np.take_along_axis(np.cumsum(-np.sort(-h, 1), 1), kept[:, None] - 1, 1)
        return E(logits(s.h, h.sum(1, keepdims=True) / strongest))
    return score


def adascale_a(d, *settings):
    return adascale(d, lambda h, r: d.logits(h * np.exp(r)), *(settings or (75, 85, 5, 1)))


def adascale_a_wide(d):
    return adascale_a(d, 60, 95, 25, 10)


def adascale_l(d, *settings):
    return adascale(d, lambda h, r: r**2 * d.logits(h), *(settings or (75, 85, 5, 1)))


METHODS = (
    msp, mls, ebo, temp_scaling, odin, iodin, gen, mds, rmds, knn, vim, react, ash, scale, dice, she, klm,
    gradnorm, nnguide, relation, fdbd, rankfeat, mcm, t2fnorm, vra, residual, nci, mcm_sharp, mcm_flat, fdbd_norm,
    gram, mds_ensemble, mds_ensemble_still, adascale_a, adascale_a_wide, adascale_l,
)

NAMES = {"mcm_sharp": "mcm.tau0.01", "mcm_flat": "mcm.tau10", "fdbd_norm": "fdbd.norm", "mds_ensemble_still": "mds_ensemble.noise0",
         "adascale_a_wide": "adascale_a.k25_10"}  # further settings of a method


def observe(net, given, name):
    """A set with what the network makes of it, in double precision."""
    x, label = images(given, name)
    with torch.no_grad():
        h = torch.cat([net.feature(part) for part in x.split(100)])
        return SimpleNamespace(x=x, label=label, h=h.double().numpy(), z=net.head(h).double().numpy())


def values(given, out):
    net = networks.load(networks.resnet18_32x32(8, CLASSES), safetensors.load(given / NET)).eval()
    W, b = (p.detach().double().numpy() for p in net.fc.parameters())
    sets = {name: observe(net, given, name) for name in SETS}
    d = SimpleNamespace(net=net, W=W, b=b, logits=lambda h: h @ W.T + b, **sets)
    tensors = {"fc.weight": W.astype(np.float32), "fc.bias": b.astype(np.float32)}
    for name, s in sets.items():
        tensors |= {f"{name}.{key}": v.astype(np.float32) for key, v in (("logits", s.z), ("feature", s.h))}
        tensors[f"{name}.label"] = s.label
    for method in METHODS:
        score = method(d)
        for name in SETS.keys() - {"train"}:
            tensors[f"{NAMES.get(method.__name__, method.__name__)}.{name}"] = score(sets[name]).astype(np.float64)
    safetensors.save(out / FILE, tensors)
