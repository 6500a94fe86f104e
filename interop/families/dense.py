"""Segmentation and detection: an answer for every place of the image."""
import torch
import torchvision.models as tv
from torch import nn
from torchvision.models import detection, segmentation

from .common import BOTH, DYNAMO, NEW, OLD, SCRIPT, UNFUSED, Pick, image, narrow

CLASSES = 10
FIXED = (3, CLASSES)


def segment(make, k, size=64):
    m = narrow(make(weights=None, weights_backbone=None, num_classes=CLASSES), k, FIXED)
    return image(Pick(m, lambda y: y["out"]), size)


class Raw(nn.Module):
    """A detector without its post-processing: scores and boxes of all anchors."""

    def __init__(self, model):
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, x):
        f = self.backbone(x)
        y = self.head(list(f.values()))
        return y["cls_logits"], y["bbox_regression"]


def retinanet():
    m = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=CLASSES, trainable_backbone_layers=5)
    anchors = m.head.classification_head.num_anchors
    return image(Raw(narrow(m, 8, FIXED + (CLASSES * anchors, 4 * anchors))), 64)


def ssd():
    m = detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=CLASSES, trainable_backbone_layers=5)
    heads = [c.out_channels for c in list(m.head.classification_head.module_list) + list(m.head.regression_head.module_list)]
    m = narrow(m, 8, FIXED + tuple(heads))
    m.backbone.scale_weight = nn.Parameter(torch.ones(512 // 8) * 20)
    return image(Raw(m), 300, batch=1)


def ssdlite():
    m = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES, trainable_backbone_layers=6)
    return image(Raw(m), 96)


def unet(**kw):
    import segmentation_models_pytorch as smp

    m = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(64, 32, 32, 16, 16), classes=CLASSES, **kw)
    return image(narrow(m, 4, FIXED), 64)


class ConvAct(nn.Sequential):
    def __init__(self, i, o, k=1, s=1):
        super().__init__(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), nn.SiLU())


class Bottleneck(nn.Module):
    def __init__(self, c, add):
        super().__init__()
        self.a, self.b, self.add = ConvAct(c, c, 3), ConvAct(c, c, 3), add

    def forward(self, x):
        y = self.b(self.a(x))
        return x + y if self.add else y


class C2f(nn.Module):
    """Cross-stage block of YOLOv8: split, a chain of bottlenecks, and all of its
    links joined."""

    def __init__(self, i, o, n, add):
        super().__init__()
        self.h = o // 2
        self.first, self.last = ConvAct(i, o), ConvAct((2 + n) * self.h, o)
        self.m = nn.ModuleList(Bottleneck(self.h, add) for _ in range(n))

    def forward(self, x):
        y = list(self.first(x).chunk(2, 1))
        for m in self.m:
            y.append(m(y[-1]))
        return self.last(torch.cat(y, 1))


class SPPF(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b, self.pool = ConvAct(c, c // 2), ConvAct(2 * c, c), nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        y = [self.a(x)]
        for _ in range(3):
            y.append(self.pool(y[-1]))
        return self.b(torch.cat(y, 1))


class Yolo(nn.Module):
    """A detector in the manner of YOLOv8: CSP backbone, path aggregation, and a
    decoupled head whose boxes are expectations over bins."""

    def __init__(self, w=8, classes=CLASSES, bins=8):
        super().__init__()
        self.classes, self.bins = classes, bins
        self.stem = nn.Sequential(ConvAct(3, w, 3, 2), ConvAct(w, 2 * w, 3, 2), C2f(2 * w, 2 * w, 1, True))
        self.p3 = nn.Sequential(ConvAct(2 * w, 4 * w, 3, 2), C2f(4 * w, 4 * w, 2, True))
        self.p4 = nn.Sequential(ConvAct(4 * w, 8 * w, 3, 2), C2f(8 * w, 8 * w, 1, True), SPPF(8 * w))
        self.up = nn.Upsample(scale_factor=2)
        self.n3 = C2f(12 * w, 4 * w, 1, False)
        self.down = ConvAct(4 * w, 4 * w, 3, 2)
        self.n4 = C2f(12 * w, 8 * w, 1, False)
        self.box, self.cls = nn.ModuleList(), nn.ModuleList()
        for c in (4 * w, 8 * w):
            self.box.append(nn.Sequential(ConvAct(c, 16, 3), ConvAct(16, 16, 3), nn.Conv2d(16, 4 * bins, 1)))
            self.cls.append(nn.Sequential(ConvAct(c, 16, 3), ConvAct(16, 16, 3), nn.Conv2d(16, classes, 1)))
        self.dfl = nn.Conv2d(bins, 1, 1, bias=False)
        self.dfl.weight.data[:] = torch.arange(bins).float().view(1, bins, 1, 1)

    def forward(self, x):
        p3 = self.p3(self.stem(x))
        p4 = self.p4(p3)
        n3 = self.n3(torch.cat([self.up(p4), p3], 1))
        n4 = self.n4(torch.cat([self.down(n3), p4], 1))
        b = x.shape[0]
        y = [torch.cat([box(f), cls(f)], 1).view(b, 4 * self.bins + self.classes, -1)
             for f, box, cls in zip((n3, n4), self.box, self.cls)]
        box, cls = torch.cat(y, 2).split((4 * self.bins, self.classes), 1)
        a = box.shape[2]
        box = self.dfl(box.view(b, 4, self.bins, a).transpose(2, 1).softmax(1)).view(b, 4, a)
        near, far = box.chunk(2, 1)
        return torch.cat([(far - near) / 2, near + far, cls.sigmoid()], 1)


NETS = {
    "deeplabv3_resnet50": ("DeepLab", lambda: segment(segmentation.deeplabv3_resnet50, 8), BOTH),
    "fcn_resnet50": ("FCN", lambda: segment(segmentation.fcn_resnet50, 8), (OLD, DYNAMO)),
    "lraspp_mobilenet_v3": ("LR-ASPP", lambda: segment(segmentation.lraspp_mobilenet_v3_large, 1), BOTH),
    "retinanet": ("RetinaNet", retinanet, BOTH),
    "ssd_vgg16": ("SSD", ssd, (OLD, NEW)),
    "ssdlite": ("SSD", ssdlite, BOTH),
    "unet": ("U-Net", unet, (SCRIPT, UNFUSED, DYNAMO)),
    "unet_scse": ("U-Net", lambda: unet(decoder_attention_type="scse"), BOTH),
    "yolo": ("YOLO", lambda: image(Yolo(), 64), (SCRIPT, OLD, DYNAMO, NEW)),
}
