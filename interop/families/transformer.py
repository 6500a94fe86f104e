"""Vision transformers and their kin, of torchvision."""
import torchvision.models as tv
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from .common import ATTENTION, BOTH, DYNAMO, NEW, SCRIPT, UNFUSED, image

CLASSES = 10


def convnext():
    rows = [CNBlockConfig(16, 32, 1), CNBlockConfig(32, 48, 2), CNBlockConfig(48, None, 1)]
    return image(tv.ConvNeXt(rows, num_classes=CLASSES), 32)


def vit():
    return image(tv.VisionTransformer(32, 8, 2, 4, 48, 96, num_classes=CLASSES), 32)


def swin(v2=False):
    kw = dict(block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2) if v2 else {}
    return image(tv.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.0, num_classes=CLASSES, **kw), 64)


def maxvit():
    return image(tv.MaxVit((64, 64), 16, 4, [16, 32], [1, 1], 8, 0.0, num_classes=CLASSES), 64)


NETS = {
    "convnext": ("ConvNeXt", convnext, (SCRIPT, UNFUSED, DYNAMO, NEW)),
    "vit": ("ViT", vit, ATTENTION),
    "swin": ("Swin", swin, ATTENTION),
    "swin_v2": ("Swin", lambda: swin(True), BOTH),
    "maxvit": ("MaxViT", maxvit, (SCRIPT, DYNAMO, NEW)),
}
