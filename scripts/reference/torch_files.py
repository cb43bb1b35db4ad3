"""checkpoint/testdata/torch: one small file for each variant of torch.save, and of what
people save beside a state dict; in expected.json the state dicts that opening must find
in each, with the names of classes, or what the error must say."""
import argparse
import collections
import datetime
import functools
import json
import os
import pathlib
import pickle
import sys
import types
import zipfile

import numpy
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


def stand_in(module, name, base=object):
    """A class of a library that is not installed; the file only has its name."""
    *parents, _ = module.split(".")
    for i in range(len(parents) + 1):
        sys.modules.setdefault(".".join(module.split(".")[: i + 1]), types.ModuleType(module))
    made = type(name, (base,), {"__module__": module})
    setattr(sys.modules[module], name, made)
    return made


def filled(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def values(given, out):
    folder = out / FOLDER
    expected = {}

    def expect(name, states, classes=None):
        described = {key: {n: describe(t) for n, t in state.items()} for key, state in states.items()}
        expected[name] = {"states": described} | ({"classes": classes} if classes else {})

    def save(name, content, state, key="", classes=None, **options):
        torch.save(content, folder / name, **options)
        expect(name, {key: state}, classes)

    def refuse(name, content, error, **options):
        torch.save(content, folder / name, **options)
        expected[name] = {"error": error}

    state = collections.OrderedDict(
        [("conv.weight", numbers(2, 3, 1, 2)), ("bn.running_mean", numbers(2)), ("bn.num_batches_tracked", torch.tensor(7))]
    )
    formats(save, state)
    objects(save, refuse, state)
    places(save, refuse, expect, folder, state)
    networks(save, folder, expected, expect)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1))


def formats(save, state):
    """Both formats, all types of elements, views, protocols."""
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
    for protocol in range(3, 6):
        save(f"protocol{protocol}.pth", state, state, pickle_protocol=protocol)
        save(f"legacy-protocol{protocol}.pth", state, state, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    save("parameter.pth", {"w": torch.nn.Parameter(numbers(3))}, {"w": numbers(3)})
    marked = torch.nn.Parameter(numbers(3))
    marked.no_decay = True  # attributes make it another call
    save("parameter-state.pth", {"w": marked}, {"w": numbers(3)})
    save("module-state.pth", torch.nn.BatchNorm2d(2).state_dict(), torch.nn.BatchNorm2d(2).state_dict())


def objects(save, refuse, state):
    """What lies beside a state dict, and must not be run."""
    net = torch.nn.Linear(2, 1)
    beside = {
        "namespace": argparse.Namespace(lr=0.1, milestones=[30, 60]),
        "numpy": {"best": numpy.float64(71.2), "confusion": numpy.arange(4), "rng": numpy.random.RandomState(0).get_state()},
        "torch": [torch.Size([1, 2]), torch.device("cpu"), torch.float16, torch.Generator().get_state().numpy()[:4]],
        "containers": [collections.defaultdict(list, a=[1.0]), collections.Counter("aab"), {1, 2}, frozenset([b"x"]), {b"k": 1}, {(1, 2): 3}],
        "python": [b"x", 1 << 80, 0.5, datetime.datetime(2020, 1, 2), pathlib.PurePosixPath("runs"), range(3), slice(1), complex(1, 2), Ellipsis],
        "partial": functools.partial(numbers, 2),
        "optimizer": torch.optim.SGD(net.parameters(), 0.1, momentum=0.9),
        "scheduler": torch.optim.lr_scheduler.LambdaLR(torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1), functools.partial(max, 1)).state_dict(),
        "lightning": stand_in("pytorch_lightning.utilities.parsing", "AttributeDict", dict)(lr=0.1, net="resnet"),
        "omegaconf": filled(stand_in("omegaconf.dictconfig", "DictConfig")(), _content={"lr": 0.1}, _parent=None),
        "mmengine": filled(stand_in("mmengine.logging.history_buffer", "HistoryBuffer")(), _log_history=numpy.ones(3)),
        "quantised": torch.quantize_per_tensor(numbers(4), 0.25, 0, torch.qint8),
        "complex": numbers(2).to(torch.complex64),
        "sparse": torch.eye(2).to_sparse(),
    }
    for name, zipped in [("zip", True), ("legacy", False)]:
        save(f"{name}-beside.pth", {"state_dict": state, **beside}, state, "state_dict", _use_new_zipfile_serialization=zipped)
    for protocol in (4, 5):
        save(f"beside-protocol{protocol}.pth", {"state_dict": state, **beside}, state, "state_dict", pickle_protocol=protocol)
    arrays = {name: tensor.numpy() for name, tensor in state.items()} | {"turned": numpy.asfortranarray(numbers(2, 3).numpy())}
    save("arrays.pth", {"state_dict": arrays}, {name: torch.from_numpy(a.copy()) for name, a in arrays.items()}, "state_dict")

    for name, options in {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}, "protocol4": {"pickle_protocol": 4}}.items():
        refuse(f"evil-{name}.pth", {"a": Shell()}, "a (an object of class posix.system)", **options)


def places(save, refuse, expect, folder, state):
    """Where state dicts lie, and where there is none."""
    parallel = {"module." + key: value for key, value in state.items()}
    for name, zipped in [("zip", True), ("legacy", False)]:
        save(f"{name}-parallel.ckpt", {"epoch": 3, "state_dict": parallel}, parallel, "state_dict", _use_new_zipfile_serialization=zipped)
    save("nested-model.pth", {"model": state, "best": 0.5, "args": {"lr": 0.1, "list": [1, (2, None)]}}, state, "model")
    save("nested-net.pth", {"net": state, "acc": 91.5}, state, "net")
    save("deep.pth", {"state": {"epoch": 1, "nets": [None, {"model": state}]}}, state, "state.nets.1.model")
    save("pairs.pth", list(state.items()), state)
    save("in-object.pth", argparse.Namespace(weights=state), state, "weights")
    save("other-keys.pth", {"weights": state, "epoch": 1}, state, "weights")
    torch.save({"student": state, "teacher": parallel}, folder / "two.pth")
    expect("two.pth", {"student": state, "teacher": parallel})
    names = ["cat", "dog"]
    for i, beside in enumerate(
        [{"class_to_idx": {"dog": 1, "cat": 0}}, {"classes": names}, {"idx_to_class": {1: "dog", 0: "cat"}}, {"meta": {"CLASSES": tuple(names)}},
         {"dataset_meta": {"classes": names}}, {"args": argparse.Namespace(class_names=names)}, {"config": {"id2label": {"0": "cat", "1": "dog"}}},
         {"classes": numpy.array(names)}, {"encoder": {"classes_": numpy.array(names, dtype=object)}}, {"label_map": {0: "cat", 1: "dog"}}]
    ):
        save(f"classes{i}.pth", {"state_dict": state, **beside}, state, "state_dict", names)
    save("class-count.pth", {"state_dict": state, "classes": 2}, state, "state_dict")

    refuse("tensor.pth", numbers(2), "it holds a tensor")
    refuse("list.pth", [numbers(2)], "it holds a list")
    refuse("no-tensors.pth", {}, "it holds an empty dict")
    refuse("numbers.pth", {"epoch": 3, "model": "resnet18"}, "its keys are epoch (a number (3)), model (a string)")


def networks(save, folder, expected, expect):
    """Networks with their class, and archives of other making."""
    torch.manual_seed(1)
    net = torch.nn.Sequential(collections.OrderedDict(conv=torch.nn.Conv2d(3, 2, 1), bn=torch.nn.BatchNorm2d(2)))
    net.register_buffer("unsaved", numbers(2), persistent=False)
    own = net.state_dict()
    for name, zipped in [("module", True), ("module-legacy", False)]:
        save(f"{name}.pth", net, own, _use_new_zipfile_serialization=zipped)
    save("module-in-dict.pth", {"epoch": 1, "model": torch.nn.DataParallel(net)}, {"module." + k: v for k, v in own.items()}, "model")
    torch.jit.script(net).save(str(folder / "script.pt"))
    expect("script.pt", {"": own | {"unsaved": net.unsaved}})
    with open(folder / "bare.pkl", "wb") as file:
        pickle.dump({"model": own}, file, protocol=2)
    expect("bare.pkl", {"model": own})
    with zipfile.ZipFile(folder / "zip-plain.pth") as given, zipfile.ZipFile(folder / "deflated.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in given.namelist():
            packed.writestr(zipfile.ZipInfo(name), given.read(name), zipfile.ZIP_DEFLATED)
    expected["deflated.pth"] = expected["zip-plain.pth"]
