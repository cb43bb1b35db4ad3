"""checkpoint/testdata/torch: one small file for each variant of torch.save, and in
expected.json the tensors that loading must find in each, or what the error must say."""
import collections
import json
import os

import torch

FOLDER = "checkpoint/testdata/torch"


def numbers(*shape, dtype=torch.float32):
    n = torch.Size(shape).numel()
    return ((torch.arange(n) - n // 2) * 0.25).reshape(shape).to(dtype)


def describe(tensor):
    kind = {torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
    wide = tensor.detach().to(torch.float64)
    return {"dtype": kind.get(tensor.dtype, "F32"), "shape": list(tensor.shape), "values": wide.flatten().tolist()}


class Shell:
    def __reduce__(self):
        return os.system, ("touch /tmp/this-must-not-exist",)


def values(given, out):
    folder = out / FOLDER
    expected = {}

    def save(name, content, state, **options):
        torch.save(content, folder / name, **options)
        expected[name] = {"tensors": {key: describe(t) for key, t in state.items()}}

    def refuse(name, content, error, **options):
        torch.save(content, folder / name, **options)
        expected[name] = {"error": error}

    state = collections.OrderedDict(
        [("conv.weight", numbers(2, 3, 1, 2)), ("bn.running_mean", numbers(2)), ("bn.num_batches_tracked", torch.tensor(7))]
    )
    for name, zipped in [("zip", True), ("legacy", False)]:
        save(f"{name}-plain.pth", state, state, _use_new_zipfile_serialization=zipped)
        base = numbers(4, 6)
        views = {
            "transposed": base.t(),
            "rows": base[1:3],
            "columns": base[:, ::2],
            "element": base[2, 3],
            "expanded": base[0, :1].expand(5),
            "channels_last": numbers(2, 3, 2, 2).to(memory_format=torch.channels_last),
            "empty": numbers(0, 3),
        }
        save(f"{name}-views.pt", views, views, _use_new_zipfile_serialization=zipped)
        kinds = {
            str(dtype)[6:]: numbers(5, dtype=dtype)
            for dtype in [torch.float16, torch.bfloat16, torch.float64, torch.float32, torch.int64, torch.int32, torch.int16, torch.int8]
        }
        kinds["uint8"] = torch.tensor([0, 200], dtype=torch.uint8)
        kinds["bool"] = torch.tensor([True, False])
        kinds["extremes"] = torch.tensor([65504.0, 6e-8, -6.1e-5, 0.0], dtype=torch.float16)
        save(f"{name}-kinds.pth", kinds, kinds, _use_new_zipfile_serialization=zipped)
        parallel = {"module." + key: value for key, value in state.items()}
        save(f"{name}-parallel.ckpt", {"epoch": 3, "state_dict": parallel}, state, _use_new_zipfile_serialization=zipped)

    save("nested-model.pth", {"model": state, "best": 0.5, "args": {"lr": 0.1, "list": [1, (2, None)]}}, state)
    save("nested-net.pth", {"net": state, "acc": 91.5}, state)
    save("protocol3.pth", state, state, pickle_protocol=3)
    save("protocol4.pth", state, state, pickle_protocol=4)
    save("parameter.pth", {"w": torch.nn.Parameter(numbers(3))}, {"w": numbers(3)})
    save("module-state.pth", torch.nn.BatchNorm2d(2).state_dict(), torch.nn.BatchNorm2d(2).state_dict())

    refuse("evil-zip.pth", {"a": Shell()}, "refers to posix.system")
    refuse("evil-legacy.pth", {"a": Shell()}, "refers to posix.system", _use_new_zipfile_serialization=False)
    refuse("evil-protocol4.pth", {"a": Shell()}, "refers to posix.system", pickle_protocol=4)
    refuse("module.pth", torch.nn.Linear(2, 1), "refers to torch.nn.modules.linear.Linear")
    refuse("module-legacy.pth", torch.nn.Linear(2, 1), "refers to torch.nn.modules.linear.Linear", _use_new_zipfile_serialization=False)
    refuse("complex.pth", {"c": torch.zeros(1, dtype=torch.complex64)}, "refers to torch.ComplexFloatStorage")
    refuse("tensor.pth", numbers(2), "holds a tensor, want a state dict")
    refuse("list.pth", [numbers(2)], "holds a list, want a state dict")
    refuse("other-keys.pth", {"weights": state, "epoch": 1}, "the keys are epoch, weights")
    refuse("no-tensors.pth", {}, "no tensors")
    refuse("twice.pth", {"a": numbers(1), "module.a": numbers(1)}, "both a and module.a")
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(folder / "script.pt"))
    expected["script.pt"] = {"error": "TorchScript"}

    (folder / "expected.json").write_text(json.dumps(expected, indent=1))
