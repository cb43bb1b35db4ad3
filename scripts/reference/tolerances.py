"""Which reference data are given, and how far the others may be off when made again."""
import math
from fnmatch import fnmatch

import numpy as np

# Files that others are made from (--fresh makes them too), or nothing is.
GIVEN = {
    "presets/testdata/published.json": "collected by hand from the publications",
    "preprocess/testdata/crops/photo.txt": "written by hand",
    "preprocess/testdata/crops/*.[jp][pn]g": "cut out of two photographs",
    "preprocess/testdata/variants/restart.jpg": "written by cjpeg",
    "preprocess/testdata/variants/arithmetic.jpg": "written by cjpeg",
    "testdata/nets/*[0-9t].safetensors": "weights drawn at random, with seed 1",
    "testdata/nets/*.x.safetensors": "images drawn at random, with seed 1",
    "train/testdata/*-given.safetensors": "weights, images and choices drawn at random",
    "train/testdata/methods/*.safetensors": "three steps by the published implementations, whose code is not here",
    "posthoc/testdata/single-given.safetensors": "logits drawn at random, with seed 1",
    "importer/testdata/torchvision/*.onnx": "weights drawn at random, with the seed that they name",
    "importer/testdata/users/*.onnx": "weights drawn at random, with the seed that they name",
    "eval/testdata/net.safetensors": "trained on the training images",
    "eval/testdata/images/*": "images 1500 and on of Fashion-MNIST and MNIST",
}


def magnitude(got, want):
    """of the largest magnitude"""
    return np.abs(got - want).max() / max(np.abs(want).max(), 1e-300)


def spread(got, want):
    """of the spread"""
    return np.abs(got - want).max() / max(np.ptp(want), 1e-300)


def absolute(got, want):
    """absolutely"""
    return np.abs(got - want).max()


# File, values in it, measure, the most allowed, why that much. The first line that fits
# counts; where none does, values must be equal.
TOLERANCES = [
    ("testdata/nets/*", "*pred", absolute, 0, "a class"),
    ("testdata/nets/*", "*iodin_index", absolute, 0, "an element"),
    ("testdata/nets/*", "*", magnitude, 1e-6, "float64, stored as float32"),
    ("train/testdata/*-steps.safetensors", "*", magnitude, 1e-6, "float64, stored as float32"),
    ("train/testdata/saliency.safetensors", "*", magnitude, 1e-6, "float64, stored as float32"),
    ("train/testdata/schedules.json", "*", magnitude, 1e-12, "float64"),
    ("metrics/testdata/metrics.json", "*", absolute, 1e-9, "float64"),
    ("posthoc/testdata/posthoc.safetensors", "*.label", absolute, 0, "a class"),
    ("posthoc/testdata/posthoc.safetensors", "relation.*", spread, 1e-3, "each pair that crosses 0.03 takes that"),
    ("posthoc/testdata/posthoc.safetensors", "adascale_a.k25_10.*", spread, 5e-3, "an image that keeps one activation more"),
    ("posthoc/testdata/posthoc.safetensors", "*.*_*", spread, 1e-4, "float32"),
    ("posthoc/testdata/posthoc.safetensors", "*", magnitude, 1e-5, "float32"),
    ("posthoc/testdata/single.safetensors", "*", absolute, 1e-6, "float32"),
    ("preprocess/testdata/crops/expected.safetensors", "*.jpg|*", absolute, 3, "decoders of JPEG differ"),
    ("importer/testdata/torchvision/logits.json", "*.logits", magnitude, 1e-4, "float32"),
    ("importer/testdata/users/values.json", "*", magnitude, 1e-4, "six digits"),
    ("testdata/torchvision/small.json", "*", magnitude, 1e-9, "float64"),
    ("testdata/torchvision/*.pth", "*", absolute, 1e-6, "processors draw the last digit differently"),
    ("checkpoint/testdata/torch/*", "*", absolute, 1e-6, "processors draw the last digit differently"),
]


def of(file, name):
    """The measure for a file's values of a name, how much it may be, and why."""
    for files, names, *rest in TOLERANCES:
        if fnmatch(file, files) and fnmatch(name, names):
            return rest
    return absolute, 0, "nothing is rounded"


def given(file):
    """Why a file is not made again; None where it is."""
    return next((why for pattern, why in GIVEN.items() if fnmatch(file, pattern)), None)
