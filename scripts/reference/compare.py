"""Compares reference data that were made again with those checked in."""
import json
import math
import pickle
import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import idx
import safetensors
import tolerances

ROOT = Path(__file__).resolve().parents[2]


def checked_in():
    """The data in all folders testdata, relative to the repository; programs are none."""
    command = ["git", "ls-files", "*testdata/*", *(f":!*.{kind}" for kind in ("md", "py", "c", "go", "mjs"))]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def flatten(value, name=""):
    """Nested dicts, and lists of dicts, as arrays by their path."""
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if isinstance(value, list) and any(isinstance(v, (dict, torch.Tensor)) for v in value):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        return {path: leaf for key, v in value.items() for path, leaf in flatten(v, f"{name}.{key}").items()}
    if isinstance(value, torch.Tensor):
        value = value.detach().to(torch.float32 if value.dtype == torch.bfloat16 else value.dtype).numpy()
    return {name.lstrip("."): np.asarray(value)}


def read(path):
    """A file's values by name."""
    if path.suffix == ".safetensors":
        return safetensors.load(path)
    if path.suffix == ".gz":
        return {"values": idx.load(path)}
    if path.suffix == ".json":
        return flatten(json.loads(path.read_text()))
    if path.suffix == ".pt" and path.stem == "script":
        return flatten(torch.jit.load(str(path)))
    if path.suffix in (".pth", ".pt", ".ckpt") and not path.name.startswith("evil"):  # which run a command
        content = torch.load(path, weights_only=False)
        return flatten(content["state_dict"] if "beside" in path.name else content)
    if path.suffix == ".pkl":
        return flatten(pickle.loads(path.read_bytes()))
    if path.suffix in (".png", ".jpg", ".gif", ".webp", ".bmp", ".tif"):
        with Image.open(path) as image:
            return {"pixels": np.asarray(image).astype(np.uint8)}
    return {"bytes": np.frombuffer(path.read_bytes(), np.uint8)}


def compare(file, folder, shapes_only):
    """Whether a file in folder agrees with the one checked in, and in words how well."""
    if (folder / file).read_bytes() == (ROOT / file).read_bytes():
        return True, "same bytes"
    got, want = read(folder / file), read(ROOT / file)
    if got.keys() != want.keys():
        return False, "only one has " + ", ".join(sorted(got.keys() ^ want.keys())[:5])
    worst, words = 0, "same values"
    for name in want:
        a, b = got[name], want[name]
        if (a.shape, a.dtype.kind) != (b.shape, b.dtype.kind):
            return False, f"{name} is {a.dtype} {a.shape}, want {b.dtype} {b.shape}"
        if np.array_equal(a, b):
            continue
        measure, most, why = tolerances.of(file, name)
        if shapes_only or most == math.inf:
            words = "same names and shapes" + ("" if shapes_only else f": {why}")
            continue
        off = measure(a.astype(float), b.astype(float)) if b.dtype.kind in "biuf" else math.inf
        excess = off / most if most and off < math.inf else math.inf  # NaN is not
        if excess > worst:
            worst, words = excess, f"off by {off:.1e} {measure.__doc__}, allowed {most:.0e}: {why} ({name})"
    return worst <= 1, words


def report(folder, shapes_only=False, all_made=True):
    """Prints how each file in folder compares with that checked in, and returns whether all
    agree. With all_made every checked-in file must be there that is not given."""
    good = True
    files = checked_in()
    made = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    for file in sorted(set(files + made)):
        why = tolerances.given(file)
        if file not in files:
            agrees, words = False, "made, but not checked in"
        elif file in made:
            agrees, words = compare(file, folder, shapes_only)
        elif not all_made:
            continue
        else:
            agrees, words = bool(why), f"given: {why}" if why else "neither made nor given"
        good = good and agrees
        print(f"{file:62} {'' if agrees else 'WRONG: '}{words}")
    return good
