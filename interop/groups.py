"""Scores and chooses coupled channels by Torch-Pruning, in float64.

Usage: groups.py JOBS.json. JOBS is a list of {net, model, input, label, score, ratio}: net
names a network below, model is the ONNX file of which only the weights are read (by
name), input and label are {type, shape, file} of raw little-endian values. RESULT.json
beside JOBS holds for each job {groups, local, all}: of each group the weight whose
outputs its channels are and their scores, in the order of these outputs; and the outputs
that go where a ratio of each group, or of all channels ranked together, is cut.
"""
import onnx
import torch
import torch.nn.functional as F
import torch_pruning as tp
from gradients import read
from jobs import serve
from onnx import numpy_helper
from torch import nn


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Residual(nn.Module):
    """ResNet-8 with projection shortcuts."""

    def __init__(self, shape):
        super().__init__()
        w = shape("conv1.weight")[0]
        self.conv1 = nn.Conv2d(shape("conv1.weight")[1], w, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(w)
        for s in range(3):
            setattr(self, f"layer{s + 1}", nn.Sequential(Block(w << max(0, s - 1), w << s, 2 if s else 1)))
        self.linear = nn.Linear(w << 2, shape("linear.weight")[0])

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class Plain(nn.Module):
    """Two convolutions with max-pooling behind, flattened, and three linear layers."""

    def __init__(self, shape):
        super().__init__()
        for k in (1, 2):
            out, cin = shape(f"conv{k}.weight")[:2]
            setattr(self, f"conv{k}", nn.Conv2d(cin, out, 3, 1, 1))
        for k in (1, 2, 3):
            out, cin = shape(f"fc{k}.weight")
            setattr(self, f"fc{k}", nn.Linear(cin, out))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))))


def network(job):
    weights = {
        i.name: torch.from_numpy(numpy_helper.to_array(i).astype("f8"))
        for i in onnx.load(job["model"]).graph.initializer
        if i.data_type == onnx.TensorProto.FLOAT
    }
    net, head = {"resnet8-b": (Residual, "linear"), "conv-2": (Plain, "fc3")}[job["net"]]
    net = net(lambda name: weights[name].shape).double().train()
    missing, _ = net.load_state_dict(weights, strict=False)
    missing = [m for m in missing if not m.endswith(".num_batches_tracked")]
    if missing:
        raise ValueError(f"the file has no {missing}")
    return net, getattr(net, head)


def importance(score):
    if score == "taylor":
        return tp.importance.GroupTaylorImportance()
    return tp.importance.GroupMagnitudeImportance(p={"l1": 1, "l2": 2}[score])


def grade(net, x, y):
    """Gradients by the statistics of the batch: tracing has left the network in inference."""
    F.cross_entropy(net.train()(x), y).backward()


def cut(job, x, y, everywhere):
    """The outputs that go, by the weight that makes them."""
    net, head = network(job)
    names = {m: k for k, m in net.named_modules()}
    pruner = tp.pruner.BasePruner(
        net, x[:1], importance(job["score"]), pruning_ratio=job["ratio"], global_pruning=everywhere, ignored_layers=[head])
    grade(net, x, y)
    return {names[group[0].dep.target.module] + ".weight": sorted(group[0].idxs) for group in pruner.step(interactive=True)}


def run(job):
    x, y = read(job["input"]).double(), read(job["label"])
    net, head = network(job)
    names = {m: k for k, m in net.named_modules()}
    graph = tp.DependencyGraph().build_dependency(net, example_inputs=x[:1])
    grade(net, x, y)
    groups = {}
    for group in graph.get_all_groups(ignored_layers=[head], root_module_types=[nn.Conv2d, nn.Linear]):
        groups[names[group[0].dep.target.module] + ".weight"] = importance(job["score"])(group).tolist()
    return {"groups": groups, "local": cut(job, x, y, False), "all": cut(job, x, y, True)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(run)
