"""Torch kinematics against the core's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from articulation.kinematics import forward_kinematics
from training.objects import CATEGORIES, Split, generate
from training.pose import link_poses
from training.scene import pack


@pytest.mark.parametrize("category", CATEGORIES)
def test_poses_agree_with_the_core(category: str) -> None:
    rng = np.random.default_rng(0)
    for seed in range(4):
        spec = generate(seed, Split.TRAIN, category)
        fraction = rng.random(len(spec.links))
        coordinates = spec.open_coordinates(fraction)
        rotation, shift = link_poses(pack([spec], "cpu"), torch.tensor(coordinates)[None].float())
        articulation = spec.articulation()
        expected = forward_kinematics(articulation, coordinates[list(articulation.moving)])
        np.testing.assert_allclose(rotation[0].numpy(), expected[:, :3, :3], atol=1e-5)
        np.testing.assert_allclose(shift[0].numpy(), expected[:, :3, 3], atol=1e-5)
