"""Makes the tests' reference data again, and compares them with those checked in.

    generate.py [--fresh [--seed N]] FOLDER [GENERATOR...]

writes into FOLDER, which is laid out as the repository and must be new or empty, what
all generators make (or those named) from the checked-in inputs: weights, images,
choices. It fails if anything is off by more than tolerances.py allows. With --fresh
inputs are drawn and networks trained anew, and only names and shapes are compared.

A generator is a module with values(given, out), which computes from inputs below given,
and draw(given, out, seed), if it has inputs that can be drawn.
"""
import argparse
import importlib
import platform
import sys
from pathlib import Path

import numpy
import PIL
import scipy
import sklearn
import torch
import torchvision

import compare

GENERATORS = (
    "torch_files", "formats", "variants", "tiffs", "bmps", "crops", "jitter", "torchvision_names", "architectures", "nets",
    "schedules", "train", "metrics", "posthoc", "single", "onnx_files", "user_networks",
)


def main():
    usage, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=usage)
    parser.add_argument("folder", type=Path, help="where to write; new or empty")
    parser.add_argument("generator", nargs="*", help=f"some of {', '.join(GENERATORS)}; all if none is named")
    parser.add_argument("--fresh", action="store_true", help="draw inputs and train networks anew")
    parser.add_argument("--seed", type=int, default=1, help="of --fresh")
    args = parser.parse_args()
    if unknown := set(args.generator) - set(GENERATORS):
        parser.error(f"no generator {', '.join(sorted(unknown))}: there are {', '.join(GENERATORS)}")
    if args.folder.exists() and any(args.folder.iterdir()):
        parser.error(f"{args.folder} is not empty")

    modules = (torch, torchvision, PIL, numpy, scipy, sklearn)
    print("Python", platform.python_version(), *(f"{m.__name__} {m.__version__}" for m in modules))
    torch.set_num_threads(1)
    for file in compare.checked_in():
        (args.folder / file).parent.mkdir(parents=True, exist_ok=True)
    for name in args.generator or GENERATORS:
        generator, given = importlib.import_module(name), compare.ROOT
        if args.fresh and hasattr(generator, "draw"):
            generator.draw(given, args.folder, args.seed)
            given = args.folder
        generator.values(given, args.folder)
    if not compare.report(args.folder, args.fresh, not args.generator):
        sys.exit("reference data differ: see WRONG above")


main()
