"""Picture distance and targets."""

import numpy as np
import torch

from services.refinement.losses import Weights, order_loss, picture_loss
from services.refinement.targets import Opened, soft_silhouette, targets

CPU = torch.device("cpu")


def disc(center: float, size: int = 64, grey: float = 0.4) -> np.ndarray:
    v, u = np.mgrid[:size, :size]
    inside = (u - center) ** 2 + (v - size / 2) ** 2 < (size / 6) ** 2
    return np.where(inside[..., None], grey, 1.0).repeat(3, -1)


def as_render(rgb: np.ndarray) -> torch.Tensor:
    coverage = soft_silhouette(rgb)[..., None]
    return torch.tensor(np.concatenate([rgb - (1 - coverage), coverage], -1), dtype=torch.float32)[None]


def as_target(rgb: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.concatenate([rgb, soft_silhouette(rgb)[..., None]], -1), dtype=torch.float32)


def test_equal_pictures_have_no_distance() -> None:
    assert picture_loss(as_render(disc(30)), as_target(disc(30)), Weights()).abs().item() < 1e-6


def test_distance_grows_with_the_offset_also_beyond_the_object() -> None:
    losses = [picture_loss(as_render(disc(x)), as_target(disc(14)), Weights()).item() for x in (14, 16, 20, 28, 36, 50)]
    assert losses == sorted(losses)
    assert len(set(losses)) == len(losses)


def test_edges_are_blind_to_brightness() -> None:
    # Inside a large darker region there are no edges: only the rim differs.
    edges = Weights(silhouette=0, colour=0, edges=1)
    colour = Weights(silhouette=0, colour=1, edges=0)
    dark, light = disc(32, grey=0.3), disc(32, grey=0.5)
    share = [picture_loss(as_render(dark), as_target(light), w).item() for w in (edges, colour)]
    assert share[0] < share[1]


def test_masks_count_by_the_area_where_parts_are_missed() -> None:
    seen = torch.ones(1, 64, 64, 1)
    masks = Weights(silhouette=0, colour=0, edges=0)
    render, target = as_render(disc(32)), as_target(disc(32))
    area = target[..., 3].mean()
    for share in (0.25, 0.5):
        wanted = torch.zeros(64, 64, 1)
        wanted[:, int(64 * share) :] = 1
        loss = picture_loss(torch.cat([render, seen], -1), torch.cat([target, wanted], -1), masks)
        torch.testing.assert_close(loss, (share / area)[None])


def test_only_a_part_that_is_behind_what_it_should_hide_counts() -> None:
    target = as_target(disc(32))
    near, far = (torch.tensor([depth, 1.0]).expand(1, 64, 64, 2) * (target[None, ..., 3:] > 0) for depth in (3.0, 9.0))
    assert order_loss(near, far, target).item() == 0
    assert 0.9 < order_loss(far, near, target).item() <= 1
    assert order_loss(far, torch.zeros_like(near), target).item() == 0


def test_a_part_that_comes_forward_is_less_wrong() -> None:
    depth = torch.tensor(3.1, requires_grad=True)
    cover = torch.ones(1, 8, 8, 1)
    order_loss(torch.cat([depth * cover, cover], -1), torch.cat([3 * cover, cover], -1), torch.ones(8, 8, 4)).backward()
    assert depth.grad is not None
    assert depth.grad > 0


def test_each_hypothesis_has_its_own_distance() -> None:
    both = torch.cat([as_render(disc(30)), as_render(disc(40))])
    losses = picture_loss(both, as_target(disc(30)), Weights())
    assert losses.shape == (2,)
    assert losses[0] < losses[1]


def test_enclosed_white_belongs_to_the_object() -> None:
    rgb = disc(32)
    rgb[30:34, 30:34] = 1.0
    assert soft_silhouette(rgb)[32, 32] == 1.0


def test_near_white_is_background() -> None:
    assert soft_silhouette(np.full((8, 8, 3), 0.98)).max() == 0.0


def test_both_pictures_are_cut_to_one_window() -> None:
    closed, opened = ((disc(x, 96) * 255).astype(np.uint8) for x in (30, 50))
    one, (two,), window = targets(closed, [Opened(opened)], CPU)
    assert one.rgba.shape == two.rgba.shape
    assert 0.5 < window.half < 0.8
    covered = [target.rgba[3].sum().item() for target in (one, two)]
    np.testing.assert_allclose(covered, [soft_silhouette(x / 255).sum() for x in (closed, opened)], rtol=1e-5)


def test_masks_are_cut_like_their_picture_whatever_their_size() -> None:
    pictures = [(disc(x, 96) * 255).astype(np.uint8) for x in (30, 50)]
    masks = {3: np.kron((soft_silhouette(pictures[1] / 255) > 0.5) * 255, np.ones((4, 4))).astype(np.uint8)}
    _, (opened,), _ = targets(pictures[0], [Opened(pictures[1], masks)], CPU)
    shown = opened.at(32)
    assert shown.shape == (32, 32, 5)
    assert (shown[..., 4] - shown[..., 3]).abs().mean() < 0.01


def test_an_open_picture_of_another_size_is_fitted() -> None:
    closed, opened = (disc(30, 96) * 255).astype(np.uint8), (disc(20, 64) * 255).astype(np.uint8)
    one, (two,), _ = targets(closed, [Opened(opened)], CPU)
    assert (one.at(32)[..., 3] - two.at(32)[..., 3]).abs().mean() < 0.03
