"""Resampling, transforms of signals, folding."""
import math

import torch
import torch.nn.functional as F

from registry import get, ints, op


@op("Resize", "Upsample")
def Resize(x, a):
    n = x[0].dim() - 2
    upsample = a["opset"] < 11
    mode = a.get("mode", "nearest")
    how = "asymmetric" if upsample else a.get("coordinate_transformation_mode", "half_pixel")
    if upsample:
        scales, sizes = x[1], None
    else:
        scales, sizes = get(x, 2), get(x, 3)
    given = [float(v) for v in scales] if scales is not None else ints(sizes)
    if "axes" in a:
        if a["axes"] != list(range(2, n + 2)):
            raise NotImplementedError("other axes")
    else:
        given = given[2:]
    name = {"nearest": "nearest", "linear": {1: "linear", 2: "bilinear", 3: "trilinear"}[n], "cubic": "bicubic"}[mode]
    same = {("nearest", "asymmetric"), ("linear", "half_pixel"), ("cubic", "half_pixel"), ("linear", "align_corners"), ("cubic", "align_corners")}
    if (mode, how) not in same or a.get("exclude_outside") or a.get("antialias") or mode == "nearest" and not upsample and a.get("nearest_mode") != "floor":
        raise NotImplementedError("coordinates that PyTorch does not have")
    corners = None if mode == "nearest" else how == "align_corners"
    if sizes is None and corners:  # ONNX takes a length that is not whole
        raise NotImplementedError("coordinates that PyTorch does not have")
    by = {"size": given} if sizes is not None else {"scale_factor": given, "recompute_scale_factor": False}
    return F.interpolate(x[0], mode=name, align_corners=corners, **by)


@op()
def GridSample(x, a):
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(a.get("mode", "linear"), a.get("mode", "linear"))
    if mode == "bicubic" and a.get("padding_mode") == "border":  # ONNX clamps the place, PyTorch each neighbour
        raise NotImplementedError("another border")
    return F.grid_sample(x[0], x[1], mode, a.get("padding_mode", "zeros"), bool(a.get("align_corners")))


@op()
def AffineGrid(x, a):
    return F.affine_grid(x[0], ints(x[1]), bool(a.get("align_corners")))


@op()
def MaxUnpool(x, a):
    k, s = a["kernel_shape"], a.get("strides")
    size = ints(x[2]) if get(x, 2) is not None else None
    plane = math.prod(size[2:] if size else [(n - 1) * t + w for n, t, w in zip(x[0].shape[2:], s, k)])
    if size:
        raise NotImplementedError("places in another shape")
    return F.max_unpool2d(x[0], x[1] % plane, k, s)


@op()
def Col2Im(x, a):
    n = len(ints(x[2]))
    p = a.get("pads") or [0] * 2 * n
    return F.fold(x[0], ints(x[1]), ints(x[2]), a.get("dilations") or 1, p[:n], a.get("strides") or 1)


@op()
def CenterCropPad(x, a):
    y = x[0]
    for want, axis in zip(ints(x[1]), a.get("axes") or range(y.dim())):
        more = want - y.shape[axis]
        # what is odd goes to the end, of the pads and of the crop
        lo = more // 2 if more > 0 else -(-more // 2)
        y = F.pad(y.movedim(axis, -1), (lo, more - lo)).movedim(-1, axis)
    return y


@op()
def Dropout(x, a):
    if get(x, 2) is not None:
        raise NotImplementedError("another source of random numbers")
    return x[0].clone(), None


@op()
def DequantizeLinear(x, a):
    s = x[1]
    z = get(x, 2) if get(x, 2) is not None else torch.zeros_like(s)
    if s.dim():
        shape = [1] * x[0].dim()
        shape[a.get("axis", 1)] = -1
        s, z = s.view(shape), z.view(shape)
    return (x[0].double() - z.double()) * s


@op()
def DFT(x, a):
    axis = a.get("axis", 1) if a["opset"] < 20 else int(x[2]) if get(x, 2) is not None else -2
    n = int(x[1]) if get(x, 1) is not None else None
    y = x[0]
    one = a.get("onesided")
    axis = axis % y.dim()
    z = torch.view_as_complex(y.contiguous()) if y.shape[-1] == 2 else y.squeeze(-1)
    if a.get("inverse"):
        if one:
            return torch.fft.irfft(z, n, axis).unsqueeze(-1)
        return torch.view_as_real(torch.fft.ifft(z.to(torch.complex128), n, axis))
    if one:
        return torch.view_as_real(torch.fft.rfft(z, n, axis))
    return torch.view_as_real(torch.fft.fft(z, n, dim=axis))


@op()
def STFT(x, a):
    step = int(x[1])
    w = get(x, 2)
    n = int(x[3]) if get(x, 3) is not None else len(w)
    y = x[0].unfold(1, n, step).transpose(2, 3)  # [batch, frames, n, parts]
    if w is not None:
        y = y * w[:, None]
    z = torch.view_as_complex(y.contiguous()) if y.shape[-1] == 2 else y.squeeze(-1)
    f = torch.fft.rfft if a.get("onesided", 1) else torch.fft.fft
    return torch.view_as_real(f(z, dim=-1))
