"""What a camera does to light: blur, vignette, white balance, exposure and noise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad


def develop(rgb: Tensor, generator: torch.Generator | None) -> Tensor:
    """A photograph (B, S, S, 3) of the picture (B, S, S, 3), both sRGB in [0, 1]."""
    count, device, size = len(rgb), rgb.device, rgb.shape[1]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator, device=device)

    rgb = _blur(rgb, uniform(0.0, 0.8) * (size / 128))
    ticks = torch.linspace(-1, 1, size, device=device)
    radius = ticks[:, None] ** 2 + ticks[None, :] ** 2
    vignette = 1 - uniform(0.0, 0.12, 1, 1, 1) * radius[..., None]
    gain = uniform(0.85, 1.15, 1, 1, 1) * uniform(0.96, 1.04, 1, 1, 3)
    noise = torch.randn(rgb.shape, generator=generator, device=device) * uniform(0.0, 0.02, 1, 1, 1)
    return (rgb * vignette * gain + noise).clamp(0, 1)


def _blur(rgb: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with one standard deviation (B,) [pixel] an image."""
    reach = 2 * max(1, round(rgb.shape[1] / 128))
    offsets = torch.arange(-reach, reach + 1, device=rgb.device)
    kernel = (-0.5 * (offsets / sigma.clamp(min=0.05)[:, None]) ** 2).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
    image = rgb.permute(0, 3, 1, 2).flatten(0, 1)[None]
    groups = image.shape[1]
    image = conv2d(pad(image, (reach, reach, 0, 0), mode="replicate"), kernel[:, :, None], groups=groups)
    image = conv2d(pad(image, (0, 0, reach, reach), mode="replicate"), kernel[..., None], groups=groups)
    return image[0].view(len(rgb), 3, *image.shape[2:]).permute(0, 2, 3, 1)
