"""metrics/testdata/metrics.json: scores of ID and OOD images with OpenOOD's metrics."""
import json

import numpy as np
from sklearn.metrics import auc, precision_recall_curve, roc_curve

FILE = "metrics/testdata/metrics.json"


def metrics(conf, label, pred):
    """OpenOOD v1.5's five metrics of confidences (higher is more in-distribution).
    Label -1 is OOD, which is positive in all but AUPR_IN."""
    ood = label == -1
    fpr, tpr, _ = roc_curve(ood, -conf)
    precision_in, recall_in, _ = precision_recall_curve(~ood, conf)
    precision_out, recall_out, _ = precision_recall_curve(ood, -conf)
    return {
        "FPR@95": fpr[np.argmax(tpr >= 0.95)],
        "AUROC": auc(fpr, tpr),
        "AUPR_IN": auc(recall_in, precision_in),
        "AUPR_OUT": auc(recall_out, precision_out),
        "ACC": np.mean(pred[~ood] == label[~ood]),
    }


def draw(given, out, seed):
    """With seed 1 this draws the checked-in scores."""
    rng = np.random.RandomState(seed)
    cases = []
    for id_count, ood_count, change in [
        (50, 40, lambda conf: conf),
        (200, 300, lambda conf: conf.round(1)),  # ties
        (1000, 500, lambda conf: conf),
        (3, 2, lambda conf: conf),
        (20, 20, lambda conf: np.full_like(conf, 0.5)),
    ]:
        conf = change(np.concatenate([rng.randn(id_count) + 1, rng.randn(ood_count)]))
        label = np.concatenate([rng.randint(0, 5, id_count), np.full(ood_count, -1)])
        right, other = rng.rand(len(label)) < 0.8, rng.randint(0, 5, len(label))
        pred = np.where(right, np.maximum(label, 0), other)
        cases.append({"conf": conf.tolist(), "label": label.tolist(), "pred": pred.tolist()})
    write(out, cases)


def values(given, out):
    cases = []
    for case in json.loads((given / FILE).read_text()):
        inputs = {key: case[key] for key in ("conf", "label", "pred")}
        cases.append(inputs | metrics(*map(np.array, inputs.values())))
    write(out, cases)


def write(out, cases):
    (out / FILE).write_text(json.dumps(cases))
