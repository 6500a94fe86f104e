"""Further vision architectures, of timm."""
import timm
from timm.models import focalnet, metaformer, mlp_mixer, nest, res2net, resnet, sknet

from .common import DYNAMO, SCRIPT, UNFUSED, image, narrow

CLASSES = 10
FIXED = (3, CLASSES)


def net(name, family, size=64, k=1, variants=(SCRIPT,), **kw):
    def make():
        m = timm.create_model(name, pretrained=False, num_classes=CLASSES, **kw)
        return image(narrow(m, k, FIXED) if k > 1 else m, size)

    return family, make, variants


def built(make, family, size=64, variants=(SCRIPT,)):
    """A model whose class is called with sizes of its own."""
    return family, lambda: image(make(num_classes=CLASSES), size), variants


def mixer(**kw):
    return lambda num_classes: mlp_mixer.MlpMixer(num_classes, 64, num_blocks=4, embed_dim=48, **kw)


def meta(mixers, **kw):
    return lambda num_classes: metaformer.MetaFormer(depths=(2, 2, 2, 2), dims=(16, 32, 48, 64), token_mixers=mixers, num_classes=num_classes, **kw)


NEWEST = (DYNAMO,)
PLAIN = (UNFUSED,)

NETS = {
    # the library's own small forms of its architectures
    "timm_byobnet": net("test_byobnet", "ByobNet"),
    "timm_coatnet": net("test_coatnet", "CoAtNet", 160, variants=NEWEST),
    "timm_convnext": net("test_convnext", "ConvNeXt", 96),
    "timm_convnext_v2": net("test_convnext2", "ConvNeXt V2", 96, variants=NEWEST),
    "timm_convnext3": net("test_convnext3", "ConvNeXt", 96),
    "timm_efficientnet": net("test_efficientnet", "EfficientNet", variants=PLAIN),
    "timm_efficientnet_evos": net("test_efficientnet_evos", "EfficientNet"),
    "timm_efficientnet_gn": net("test_efficientnet_gn", "EfficientNet"),
    "timm_efficientnet_ln": net("test_efficientnet_ln", "EfficientNet"),
    "timm_mambaout": net("test_mambaout", "MambaOut", 96, variants=NEWEST),
    "timm_maxvit": net("test_maxvit", "MaxViT", 160, variants=NEWEST),
    "timm_nfnet": net("test_nfnet", "NFNet"),
    "timm_resnet": net("test_resnet", "ResNet-D", variants=PLAIN),
    "timm_vit2": net("test_vit2", "ViT", img_size=64),
    "timm_vit3": net("test_vit3", "ViT", img_size=64, variants=NEWEST),
    "timm_vit_relpos": net("test_vit_relpos", "ViT", img_size=64),
    # convolutional
    "res2net": built(lambda num_classes: resnet.ResNet(res2net.Bottle2neck, (1, 1, 1, 1), num_classes, base_width=26, block_args=dict(scale=4)), "Res2Net"),
    "skresnet18": built(lambda num_classes: resnet.ResNet(sknet.SelectiveKernelBasic, (1, 1, 1, 1), num_classes, zero_init_last=False), "SKNet"),
    "resnest14": net("resnest14d", "ResNeSt", k=4),
    "ecaresnet": net("ecaresnet26t", "ECA-ResNet", k=4),
    "senet": net("seresnet18", "SENet", k=4, variants=PLAIN),
    "preact_resnet": net("resnetv2_50d", "ResNet v2", k=4, variants=NEWEST),
    "darknet53": net("darknet53", "Darknet", k=8),
    "dla34": net("dla34", "DLA", k=4),
    "dpn48": net("dpn48b", "DPN", k=1),
    "hrnet": net("hrnet_w18_small", "HRNet", k=2),
    "vovnet": net("ese_vovnet19b_slim_dw", "VoVNet"),
    "xception": net("xception41", "Xception", k=8),
    "inception_v4": net("inception_v4", "Inception", 96, k=8),
    "inception_resnet_v2": net("inception_resnet_v2", "Inception", 96, k=8),
    "ghostnet": net("ghostnet_050", "GhostNet"),
    "rexnet": net("rexnet_100", "ReXNet", width_mult=0.4),
    "mixnet": net("mixnet_s", "MixNet"),
    "lcnet": net("lcnet_050", "LCNet"),
    "tinynet": net("tinynet_e", "TinyNet", variants=NEWEST),
    "mobilenet_v4": net("mobilenetv4_conv_small_050", "MobileNetV4"),
    "mobileone": net("mobileone_s0", "MobileOne", k=4),
    "repvgg": net("repvgg_a0", "RepVGG", k=4),
    "selecsls": net("selecsls42b", "SelecSLS", k=8),
    "hgnet": net("hgnetv2_b0", "HGNet", k=4),
    "repvit": net("repvit_m0_9", "RepViT"),
    "starnet": net("starnet_s1", "StarNet"),
    "convmixer": net("convmixer_768_32", "ConvMixer", k=16),
    "inception_next": net("inception_next_atto", "InceptionNeXt"),
    "fasternet": net("fasternet_t0", "FasterNet"),
    "repghost": net("repghostnet_050", "RepGhost"),
    # attention and mixers
    "mixer": built(mixer(), "MLP-Mixer"),
    "resmlp": built(mixer(mlp_ratio=4, block_layer=mlp_mixer.ResBlock, norm_layer=mlp_mixer.Affine), "ResMLP"),
    "gmlp": net("gmlp_ti16_224", "gMLP", 224),
    "poolformer": built(meta(metaformer.Pooling), "PoolFormer"),
    "levit": net("levit_128s", "LeViT", 224),
    "mobilevit": net("mobilevit_xxs", "MobileViT"),
    "mobilevit_v2": net("mobilevitv2_050", "MobileViT v2"),
    "edgenext": net("edgenext_xx_small", "EdgeNeXt"),
    "fastvit": net("fastvit_t8", "FastViT"),
    "efficientvit": net("efficientvit_b0", "EfficientViT"),
    "pvt_v2": net("pvt_v2_b0", "PVT v2", depths=(1, 1, 1, 1)),
    "twins": net("twins_svt_small", "Twins", img_size=64, embed_dims=(16, 32, 48, 64), depths=(1, 1, 1, 1)),
    "cait": net("cait_xxs24_224", "CaiT", img_size=64, depth=2, embed_dim=48, num_heads=4),
    "xcit": net("xcit_nano_12_p16_224", "XCiT", img_size=64, depth=2, embed_dim=48),
    "deit_distilled": net("deit_tiny_distilled_patch16_224", "DeiT", img_size=64, depth=2, embed_dim=48, num_heads=4),
    "beit": net("beit_base_patch16_224", "BEiT", img_size=64, depth=2, embed_dim=48, num_heads=4),
    "eva02": net("eva02_tiny_patch14_224", "EVA-02", 56, variants=NEWEST, img_size=56, depth=2, embed_dim=48, num_heads=4),
    "focalnet": built(lambda num_classes: focalnet.FocalNet(num_classes=num_classes, embed_dim=16, depths=(1, 1, 1, 1)), "FocalNet"),
    "davit": net("davit_tiny", "DaViT", depths=(1, 1), embed_dims=(16, 32), num_heads=(2, 4), window_size=4),
    "hiera": net("hiera_tiny_224", "Hiera", img_size=64, embed_dim=16, stages=(1, 1, 1, 1)),
    "crossvit": net("crossvit_tiny_240", "CrossViT", 240),
    "visformer": net("visformer_tiny", "Visformer", img_size=64, embed_dim=32, depth=2),
    "pit": net("pit_ti_224", "PiT", 224),
    "swiftformer": net("swiftformer_xs", "SwiftFormer"),
    "tiny_vit": net("tiny_vit_5m_224", "TinyViT", 224),
    "nest": built(lambda num_classes: nest.Nest(64, patch_size=4, num_levels=3, embed_dims=(16, 32, 32), num_heads=(1, 2, 2), depths=(2, 2, 2), num_classes=num_classes), "NesT"),
}
