"""Writes images in every form and says what Pillow and torchvision make of them.

Usage: images.py JOBS.json. A job {folder, files, transform, out} writes pictures of a
kind (see KINDS) into FOLDER/0000, FOLDER/0001, ..., one each, and into OUT their bytes,
channel by channel, as ImageOps.exif_transpose, convert("RGB") and the transform leave
them. A job {adjust, picture, file, size, most} finds the factor of a torchvision
adjustment that turns PICTURE (bytes of SIZE, channel by channel) into FILE, and
answers with how far it is off at best.
"""
import os

import numpy as np
import torchvision.transforms as T
import torchvision.transforms.functional as F
from jobs import serve
from PIL import Image, ImageOps

FILTERS = {
    "bilinear": T.InterpolationMode.BILINEAR,
    "bicubic": T.InterpolationMode.BICUBIC,
    "nearest": T.InterpolationMode.NEAREST,
}


def picture(height, width, seed):
    """A smooth picture with edges and strong colours, and some noise."""
    r = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    a = np.stack([127 + 127 * np.sin(x / 9 + y / 17 + c * 2) for c in range(3)], -1)
    a[height // 3 : height // 2, width // 4 : width // 2] = [250, 10, 30]
    a[height // 2 :, : width // 5] = [5, 20, 240]
    a += r.normal(0, 6, a.shape)
    return Image.fromarray(a.clip(0, 255).astype("u1"))


def alpha(m):
    m = m.convert("RGBA")
    a = np.array(m)
    a[..., 3] = np.arange(a.shape[0] * a.shape[1]).reshape(a.shape[:2]) % 256
    return Image.fromarray(a)


def deep(m):
    a = np.array(m.convert("L")).astype("u2")
    return Image.fromarray((a * 257 + 13 * (a < 200)).astype("u2"))


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    return e


def grayalpha(m):
    return alpha(m).convert("LA")


def palette(m):
    return m.quantize(60)


def clear(m):
    m = palette(m)
    m.info["transparency"] = 7
    return m


def frames(m):
    return {"save_all": True, "append_images": [ImageOps.invert(m), ImageOps.mirror(m)]}


# Each kind: ending, and a function that saves a picture.
KINDS = {
    "png": ("png", lambda m, f: m.save(f)),
    "png rgba": ("png", lambda m, f: alpha(m).save(f)),
    "png gray": ("png", lambda m, f: m.convert("L").save(f)),
    "png gray alpha": ("png", lambda m, f: grayalpha(m).save(f)),
    "png 1 bit": ("png", lambda m, f: m.convert("1").save(f)),
    "png 16 bit": ("png", lambda m, f: deep(m).save(f)),
    "png palette": ("png", lambda m, f: palette(m).save(f)),
    "png palette clear": ("png", lambda m, f: clear(m).save(f, transparency=7)),
    "png colour clear": ("png", lambda m, f: m.save(f, transparency=(5, 20, 240))),
    "apng": ("png", lambda m, f: m.save(f, **frames(m))),
    "jpeg 444": ("jpg", lambda m, f: m.save(f, quality=90, subsampling=0)),
    "jpeg 422": ("jpg", lambda m, f: m.save(f, quality=90, subsampling=1)),
    "jpeg 420": ("jpg", lambda m, f: m.save(f, quality=90, subsampling=2)),
    "jpeg 440": ("jpg", lambda m, f: sideways(m, f)),
    "jpeg poor": ("jpg", lambda m, f: m.save(f, quality=20)),
    "jpeg progressive": ("jpg", lambda m, f: m.save(f, quality=80, progressive=True)),
    "jpeg gray": ("jpg", lambda m, f: m.convert("L").save(f, quality=90)),
    "jpeg cmyk": ("jpg", lambda m, f: m.convert("CMYK").save(f, quality=95)),
    "jpeg cmyk bare": ("jpg", lambda m, f: bare(m, f)),
    "jpeg rgb": ("jpg", lambda m, f: m.save(f, quality=95, keep_rgb=True)),
    "webp": ("webp", lambda m, f: m.save(f, quality=85)),
    "webp poor": ("webp", lambda m, f: m.save(f, quality=5)),
    "webp rgba": ("webp", lambda m, f: alpha(m).save(f, quality=85, exact=True)),
    "webp lossless": ("webp", lambda m, f: m.save(f, lossless=True)),
    "webp lossless rgba": ("webp", lambda m, f: alpha(m).save(f, lossless=True, exact=True)),
    "webp palette": ("webp", lambda m, f: palette(m).convert("RGB").save(f, lossless=True)),
    "webp frames": ("webp", lambda m, f: m.save(f, lossless=True, **frames(m))),
    "webp lossy frames": ("webp", lambda m, f: m.save(f, quality=80, **frames(m))),
    "gif": ("gif", lambda m, f: palette(m).save(f)),
    "gif clear": ("gif", lambda m, f: clear(m).save(f, transparency=7)),
    "gif frames": ("gif", lambda m, f: m.save(f, **frames(m))),
    "bmp": ("bmp", lambda m, f: m.save(f)),
    "bmp palette": ("bmp", lambda m, f: palette(m).save(f)),
    "bmp gray": ("bmp", lambda m, f: m.convert("L").save(f)),
    "bmp rgba": ("bmp", lambda m, f: alpha(m).save(f)),
    "bmp 1 bit": ("bmp", lambda m, f: m.convert("1").save(f)),
    "tiff": ("tif", lambda m, f: m.save(f)),
    "tiff lzw": ("tif", lambda m, f: m.save(f, compression="tiff_lzw")),
    "tiff deflate": ("tiff", lambda m, f: m.save(f, compression="tiff_adobe_deflate")),
    "tiff gray": ("tif", lambda m, f: m.convert("L").save(f)),
    "tiff 16 bit": ("tif", lambda m, f: deep(m).save(f)),
    "tiff palette": ("tif", lambda m, f: palette(m).save(f)),
    "tiff rgba": ("tif", lambda m, f: alpha(m).save(f)),
    "tiff turned": ("tif", lambda m, f: m.save(f, tiffinfo={274: 6})),
    "png turned": ("png", lambda m, f: m.save(f, exif=exif(8))),
    "webp turned": ("webp", lambda m, f: m.save(f, lossless=True, exif=exif(5))),
}
for o in range(1, 9):
    KINDS[f"jpeg turned {o}"] = ("jpg", lambda m, f, o=o: m.save(f, quality=95, subsampling=0, exif=exif(o)))


def sideways(m, f):
    """A JPEG of 4:4:0: the encoder has none, so the sampling of 4:2:2 is exchanged on a gray-blind square."""
    n = 48
    m.resize((n, n)).save(f, quality=90, subsampling=1)
    b = bytearray(open(f, "rb").read())
    at = b.index(b"\xff\xc0")
    assert b[at + 11] == 0x21, hex(b[at + 11])
    b[at + 11] = 0x12
    open(f, "wb").write(b)


def bare(m, f):
    """A CMYK JPEG without Adobe's marker."""
    m.convert("CMYK").save(f, quality=95)
    b = open(f, "rb").read()
    at = b.index(b"\xff\xee")
    open(f, "wb").write(b[:at] + b[at + 2 + int.from_bytes(b[at + 2 : at + 4], "big") :])


def transforms(t):
    out = []
    if t.get("resize"):
        out.append(T.Resize(t["resize"] if len(t["resize"]) > 1 else t["resize"][0], FILTERS[t.get("filter") or "bilinear"]))
    if t.get("crop"):
        out.append(T.CenterCrop(t["crop"]))
    return T.Compose(out)


def write(job):
    out, tr = b"", transforms(job["transform"])
    for i, f in enumerate(job["files"]):
        end, save = KINDS[f["kind"]]
        folder = os.path.join(job["folder"], f"{i:04d}")
        os.makedirs(folder)
        path = os.path.join(folder, "1." + end)
        save(picture(f["height"], f["width"], i), path)
        m = Image.open(path)
        if m.mode.startswith("I;16"):  # convert() would clip in older versions of Pillow
            m = Image.fromarray((np.array(m) >> 8).astype("u1"))
        m = tr(ImageOps.exif_transpose(m).convert("RGB"))
        out += np.array(m).transpose(2, 0, 1).tobytes()
    open(job["out"], "wb").write(out)
    return {}


def adjust(job):
    def read(f):
        return np.fromfile(f, "u1").reshape(job["size"]).transpose(1, 2, 0)

    m, want = Image.fromarray(read(job["picture"])), read(job["file"]).astype(int)
    turn = getattr(F, "adjust_" + job["adjust"])
    middle = 0 if job["adjust"] == "hue" else 1
    best = 1e9
    for f in np.linspace(max(middle - job["most"], middle - 1), middle + job["most"], 401):
        off = np.abs(np.array(turn(m, float(f))).astype(int) - want)
        best = min(best, int(off.max()))
    return {"off": best}


serve(lambda job: adjust(job) if job.get("adjust") else write(job))
