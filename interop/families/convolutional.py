"""Convolutional classifiers of torchvision."""
import functools

import torchvision.models as tv
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.regnet import BlockParams

from .common import ALL, BOTH, DYNAMO, FIXED as STATIC, NEW, OLD, PLAIN, SCRIPT, UNFUSED, image, narrow

CLASSES = 10
FIXED = (3, CLASSES)


def shrunk(make, k, size, **kw):
    return image(narrow(make(weights=None, num_classes=CLASSES, **kw), k, FIXED), size)


def resnet(block, layers, size=32, k=4, **kw):
    return image(narrow(tv.ResNet(block, layers, num_classes=CLASSES, **kw), k, FIXED), size)


def resnext():
    return image(tv.ResNet(tv.resnet.Bottleneck, [1, 1, 1, 1], num_classes=CLASSES, groups=8, width_per_group=8), 32)


def regnet(se):
    p = BlockParams.from_init_params(depth=4, w_0=16, w_a=16.0, w_m=2.0, group_width=8, se_ratio=0.25 if se else None)
    return image(tv.RegNet(p, num_classes=CLASSES, stem_width=16), 32)


def efficientnet():
    c = functools.partial(MBConvConfig, width_mult=0.5, depth_mult=1.0)
    rows = [c(1, 3, 1, 32, 16, 1), c(6, 3, 2, 16, 24, 2), c(6, 5, 2, 24, 40, 1)]
    return image(tv.EfficientNet(rows, dropout=0.2, num_classes=CLASSES), 32)


def efficientnet_v2():
    rows = [FusedMBConvConfig(1, 3, 1, 16, 16, 1), FusedMBConvConfig(4, 3, 2, 16, 24, 2), MBConvConfig(4, 3, 2, 24, 32, 2)]
    return image(tv.EfficientNet(rows, dropout=0.2, num_classes=CLASSES, last_channel=64), 32)


basic, bottleneck = tv.resnet.BasicBlock, tv.resnet.Bottleneck

NETS = {
    "resnet18": ("ResNet", lambda: resnet(basic, [2, 2, 2, 2]), ALL),
    "resnet50": ("ResNet", lambda: resnet(bottleneck, [2, 2, 2, 2]), (SCRIPT, UNFUSED, DYNAMO)),
    "wide_resnet": ("ResNet", lambda: resnet(bottleneck, [1, 1, 1, 1], width_per_group=128), BOTH),
    "resnext50": ("ResNeXt", resnext, (SCRIPT, UNFUSED, NEW)),
    "regnet_x": ("RegNet", lambda: regnet(False), BOTH),
    "regnet_y": ("RegNet", lambda: regnet(True), PLAIN),
    "densenet": ("DenseNet", lambda: image(tv.DenseNet(8, (2, 3, 2), 16, num_classes=CLASSES), 32), (SCRIPT, UNFUSED, DYNAMO)),
    "vgg11": ("VGG", lambda: shrunk(tv.vgg11, 8, 224), BOTH),
    "vgg16_bn": ("VGG", lambda: shrunk(tv.vgg16_bn, 8, 224), (UNFUSED, DYNAMO, NEW)),
    "alexnet": ("AlexNet", lambda: shrunk(tv.alexnet, 8, 224), PLAIN),
    "squeezenet1_0": ("SqueezeNet", lambda: shrunk(tv.squeezenet1_0, 2, 64), BOTH),
    "squeezenet1_1": ("SqueezeNet", lambda: shrunk(tv.squeezenet1_1, 2, 64), (OLD, NEW)),
    "googlenet": ("GoogLeNet", lambda: shrunk(tv.googlenet, 4, 64, aux_logits=False, init_weights=False), BOTH),
    "inception_v3": ("Inception", lambda: shrunk(tv.inception_v3, 8, 96, aux_logits=False, init_weights=False), (SCRIPT, UNFUSED, DYNAMO)),
    "mobilenet_v2": ("MobileNetV2", lambda: image(tv.mobilenet_v2(width_mult=0.25, num_classes=CLASSES), 64), (SCRIPT, UNFUSED, DYNAMO)),
    "mobilenet_v3_small": ("MobileNetV3", lambda: image(tv.mobilenet_v3_small(width_mult=0.35, num_classes=CLASSES), 64), (SCRIPT, UNFUSED, NEW)),
    "mobilenet_v3_large": ("MobileNetV3", lambda: image(tv.mobilenet_v3_large(width_mult=0.25, num_classes=CLASSES), 64), BOTH),
    "mnasnet": ("MNASNet", lambda: image(tv.MNASNet(0.35, num_classes=CLASSES), 64), (SCRIPT, UNFUSED, NEW)),
    "shufflenet_v2": ("ShuffleNet", lambda: image(tv.ShuffleNetV2([2, 2, 2], [16, 32, 64, 96, 128], num_classes=CLASSES), 64), PLAIN),
    "efficientnet": ("EfficientNet", efficientnet, (SCRIPT, UNFUSED, DYNAMO)),
    "efficientnet_v2": ("EfficientNet", efficientnet_v2, BOTH),
}
