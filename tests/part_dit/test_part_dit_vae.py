"""The part VAE: TripoSG's layout and the compact model's learned query tokens."""

import pytest
import torch

from services.part_dit.vae import TripoSGVAEModel, sample_farthest
from training.published_layout import FULL, vae_shapes


def toy_vae(**changes: object) -> TripoSGVAEModel:
    torch.manual_seed(0)
    settings = {
        "latent_channels": 4,
        "num_attention_heads": 2,
        "width_encoder": 16,
        "width_decoder": 24,
        "num_layers_encoder": 1,
        "num_layers_decoder": 2,
    }
    return TripoSGVAEModel(**{**settings, **changes}).eval()


def surface(count: int = 64) -> torch.Tensor:
    """(1, count, 6) points and normals of a sphere of radius 0.5."""
    normals = torch.nn.functional.normalize(
        torch.randn(1, count, 3, generator=torch.Generator().manual_seed(1)), dim=-1
    )
    return torch.cat([0.5 * normals, normals], dim=-1)


def test_the_full_configuration_has_the_published_names_and_shapes() -> None:
    with torch.device("meta"):
        vae = TripoSGVAEModel()
    assert {name: tuple(value.shape) for name, value in vae.state_dict().items()} == dict(vae_shapes(FULL))


def test_the_full_configuration_has_triposg_s_size() -> None:
    with torch.device("meta"):
        vae = TripoSGVAEModel()
    millions = {name: sum(p.numel() for p in getattr(vae, name).parameters()) / 1e6 for name in ("encoder", "decoder")}
    assert millions == pytest.approx({"encoder": 28.4, "decoder": 214.1}, abs=0.05)


def test_learned_queries_give_ordered_latents() -> None:
    vae = toy_vae(num_query_tokens=7)
    posterior = vae.encode(surface())
    assert posterior.mean.shape == posterior.log_variance.shape == (1, 7, 4)


def test_the_order_of_surface_points_does_not_matter() -> None:
    vae = toy_vae(num_query_tokens=7)
    points = surface()
    shuffled = points[:, torch.randperm(points.shape[1])]
    torch.testing.assert_close(vae.encode(points).mean, vae.encode(shuffled).mean)


def test_sampled_queries_take_any_token_count() -> None:
    vae = toy_vae()
    for tokens in (3, 9):
        posterior = vae.encode(surface(), tokens, torch.Generator().manual_seed(0))
        assert posterior.mean.shape == (1, tokens, 4)


def test_sampled_queries_need_a_token_count() -> None:
    with pytest.raises(ValueError, match="num_tokens"):
        toy_vae().encode(surface())


def test_queries_do_not_depend_on_each_other() -> None:
    vae = toy_vae(num_query_tokens=7)
    tokens = vae.decode(vae.encode(surface()).mean)
    points = torch.rand(1, 10, 3)
    together = vae.query(tokens, points)
    alone = torch.cat([vae.query(tokens, points[:, i : i + 1]) for i in range(10)], dim=1)
    torch.testing.assert_close(together, alone)


def test_normalisation_whitens_and_inverts() -> None:
    vae = toy_vae(num_query_tokens=7)
    latents = 3 + 2 * torch.randn(500, 7, 4)
    vae.fit_normalisation(latents)
    white = vae.normalise(latents)
    assert float(white.mean(0).abs().max()) < 1e-4
    assert float(white.std()) == pytest.approx(1, abs=0.01)
    torch.testing.assert_close(vae.denormalise(white), latents)


def test_farthest_points_spread() -> None:
    torch.manual_seed(0)
    points = torch.rand(2, 400, 3)
    chosen = sample_farthest(points, 50)
    picked = points.gather(1, chosen[..., None].expand(-1, -1, 3))
    nearest = (torch.cdist(picked, picked) + 10 * torch.eye(50)).amin()
    random = (torch.cdist(points[:, :50], points[:, :50]) + 10 * torch.eye(50)).amin()
    assert nearest > 3 * random
