"""Silhouettes, forward and backward, of the refinement renderer: `python -m training.bench_raster`.

On a CPU beside PyTorch3D's soft silhouette of the same scene, where it is installed. With `--device cuda` beside what
the device needs at least: for the bytes that any renderer must move, for those that ours moves, for its operations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import trimesh
import typer
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from articulation.camera import Camera
from articulation.joint import Joint, JointType
from services.refinement import backends, proxies
from services.refinement.kinematics import Screws, link_poses, transform
from services.refinement.objective import coverage
from services.refinement.proxies import Proxies
from services.refinement.rasteriser import to_pixels
from services.refinement.renderer import Renderer

BYTES_A_SECOND = 4.8e12
"""Memory bandwidth of an NVIDIA H200."""

OPERATIONS_A_SECOND = 67e12
"""Its rate of single-precision operations outside tensor cores."""

SOFT_SIGMA = 1e-4
"""Width of PyTorch3D's soft outline [half picture sides squared], its default."""

SOFT_FACES = 20
"""Faces that PyTorch3D blends in a pixel; its tutorials keep 50, which takes longer."""

SPLITS = 5
"""How often each of the 24 faces of two boxes becomes four: 24,576 faces."""

Draw = Callable[[Proxies, Tensor, Tensor, int], Tensor]
"""Draws (B, S, S) coverage from proxies, posed vertices (B, V, 3), cameras (B, 6) and the side S [px]."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Scene:
    """A cupboard, its door open by another angle in each picture.

    Attributes:
        proxies: body and door, shut.
        vertices: (B, V, 3) posed.
        cameras: (B, 6).
    """

    proxies: Proxies
    vertices: Tensor
    cameras: Tensor

    @classmethod
    def of(cls, batch: int, device: torch.device) -> Scene:
        """A scene of `batch` pictures."""
        boxes = [((-0.6, -0.9, -0.5), (0.6, 0.9, 0.5)), ((-0.6, -0.9, 0.5), (0.6, 0.9, 0.56))]
        meshes = [trimesh.creation.box(bounds=bounds) for bounds in boxes]
        for _ in range(SPLITS):
            meshes = [mesh.subdivide() for mesh in meshes]
        packed = proxies.build(meshes, len(meshes[0].faces), device)
        door = Joint(JointType.REVOLUTE, np.array([0.0, 1.0, 0.0]), np.array([-0.6, 0.0, 0.5]), -1.5, 0.0)
        screws = Screws.of([[Joint(JointType.FIXED), door]] * batch, device, torch.float32)
        angles = torch.linspace(-0.4, -1.2, batch, device=device)
        q = torch.stack([torch.zeros_like(angles), angles], -1)
        vertices = transform(link_poses(screws, (-1, 0), q), packed.vertex_link, packed.vertices)
        camera = torch.as_tensor(Camera(0.5, 0.35, 4.2, 0.75).to_array(), dtype=torch.float32, device=device)
        return cls(packed, vertices, camera.expand(batch, -1))


def silhouette(renderer: Renderer) -> Draw:
    """What a renderer covers."""
    return lambda packed, vertices, cameras, size: renderer.render(packed, vertices, cameras, size, coverage)[..., 3]


def soft_silhouette(sigma: float = SOFT_SIGMA, faces_per_pixel: int = SOFT_FACES) -> Draw:
    """PyTorch3D's own: every near face covers a pixel by a sigmoid of its squared distance, blended.

    Raises:
        ModuleNotFoundError: PyTorch3D is not installed.
    """
    from pytorch3d.renderer.blending import BlendParams, sigmoid_alpha_blend
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.renderer.mesh.rasterizer import Fragments

    from services.refinement.pytorch3d_renderer import meshes

    def draw(packed: Proxies, vertices: Tensor, cameras: Tensor, size: int) -> Tensor:
        screen, depth = to_pixels(cameras, vertices, size)
        # Beyond this squared distance a face covers less than a ten thousandth of a pixel.
        radius = math.log(1 / 1e-4 - 1) * sigma
        found = Fragments(*rasterize_meshes(meshes(packed, screen, depth, size), size, radius, faces_per_pixel))
        colours = torch.zeros(*found.pix_to_face.shape, 3, device=vertices.device)
        blended: Tensor = sigmoid_alpha_blend(colours, found, BlendParams(sigma=sigma))
        return blended[..., 3]

    return draw


def timed(draw: Draw, scene: Scene, size: int, seconds: float) -> tuple[float, float]:
    """Shortest forward and backward pass [s] of those that begin within `seconds`, at least one."""
    device = scene.vertices.device
    forward = backward = math.inf
    begin = _now(device)
    while math.isinf(forward) or _now(device) - begin < seconds:
        vertices = scene.vertices.clone().requires_grad_()
        start = _now(device)
        loss = draw(scene.proxies, vertices, scene.cameras, size).square().sum()
        middle = _now(device)
        loss.backward()
        end = _now(device)
        forward, backward = min(forward, middle - start), min(backward, end - middle)
    return forward, backward


def _now(device: torch.device) -> float:
    """Seconds after the device has done its work: of the CPU, which others may share, or by the clock."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


class Work(TorchDispatchMode):
    """Counts what torch is asked to do inside the `with` block, autograd's backward passes included.

    Attributes:
        kernels: calls that compute; views are none.
        moved: bytes of their operands and results, each tensor once a call.
        operations: one for each element of a call's largest operand or result.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels = self.moved = self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
            self.kernels += 1
            self.moved += sum(map(stored_bytes, tensors))
            self.operations += max((tensor.numel() for tensor in tensors), default=0)
        return result


def stored_bytes(tensor: Tensor) -> int:
    """Bytes of the distinct elements: an expanded tensor is no larger than its storage."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def work(draw: Draw, scene: Scene, size: int) -> Work:
    """What a forward and a backward pass ask of torch."""
    done = Work()
    with done:
        vertices = scene.vertices.clone().requires_grad_()
        draw(scene.proxies, vertices, scene.cameras, size).square().sum().backward()
    return done


def compulsory_bytes(scene: Scene, size: int) -> int:
    """What any renderer moves: vertices, cameras and faces in, coverage out, its gradient in, that of vertices out."""
    picture = len(scene.vertices) * size * size * scene.vertices.element_size()
    return (
        2 * (stored_bytes(scene.vertices) + picture) + stored_bytes(scene.cameras) + stored_bytes(scene.proxies.faces)
    )


def compare(sizes: Sequence[int], seconds: float) -> None:
    """Print our seconds and those of PyTorch3D, one thread, one picture."""
    scene = Scene.of(1, torch.device("cpu"))
    ways = {"ours": silhouette(backends.renderer(backends.Backend.TORCH))}
    try:
        ways["PyTorch3D, soft silhouette"] = soft_silhouette()
        ways["PyTorch3D, behind our seam"] = silhouette(backends.renderer(backends.Backend.PYTORCH3D))
    except ImportError:
        print("PyTorch3D is not installed: nothing to compare with")
    print(f"cpu, 1 thread, CPU seconds, {len(scene.proxies.faces)} faces")
    print(f"{'size':>5} {'renderer':<26} {'forward s':>9} {'backward s':>10} {'times ours':>10}")
    for size in sizes:
        ours = None
        for name, draw in ways.items():
            forward, backward = timed(draw, scene, size, seconds)
            ours = ours or forward + backward
            print(
                f"{size:5d} {name:<26} {forward:9.4f} {backward:10.4f} {(forward + backward) / ours:10.1f}", flush=True
            )


def against_device(device: torch.device, sizes: Sequence[int], batches: Sequence[int], seconds: float) -> None:
    """Print our milliseconds beside those that an H200 needs at least for the bytes and operations."""
    draw = silhouette(backends.renderer(backends.Backend.TORCH))
    print(f"{device}, ms; floors at {BYTES_A_SECOND / 1e12} TB/s and {OPERATIONS_A_SECOND / 1e12:.0f} Tops/s")
    print("must: compulsory bytes; moved: bytes of our operations' tensors; share: larger floor of what we do / time")
    print(
        f"{'size':>5} {'batch':>5} {'forward':>8} {'backward':>8} {'kernels':>7} {'must MB':>8} {'floor':>7}"
        f" {'moved MB':>8} {'floor':>7} {'Gop':>7} {'floor':>7} {'share':>6}"
    )
    for size in sizes:
        for batch in batches:
            scene = Scene.of(batch, device)
            forward, backward = timed(draw, scene, size, seconds)
            done, must = work(draw, scene, size), compulsory_bytes(scene, size)
            floors = [must / BYTES_A_SECOND, done.moved / BYTES_A_SECOND, done.operations / OPERATIONS_A_SECOND]
            print(
                f"{size:5d} {batch:5d} {forward * 1e3:8.2f} {backward * 1e3:8.2f} {done.kernels:7d}"
                f" {must / 1e6:8.1f} {floors[0] * 1e3:7.4f} {done.moved / 1e6:8.0f} {floors[1] * 1e3:7.3f}"
                f" {done.operations / 1e9:7.3f} {floors[2] * 1e3:7.4f} {max(floors[1:]) / (forward + backward):6.1%}",
                flush=True,
            )


@app.command()
def main(
    device: str = "cpu",
    sizes: Annotated[list[int] | None, typer.Option()] = None,
    batches: Annotated[list[int] | None, typer.Option()] = None,
    seconds: float = 2.0,
) -> None:
    """Print a table: beside PyTorch3D on the CPU, beside the hardware elsewhere.

    Args:
        sizes: sides of the pictures [px].
        batches: pictures at once, elsewhere than on the CPU.
        seconds: that each way of each row is repeated.
    """
    sizes = sizes or [128, 256, 512]
    if device == "cpu":
        torch.set_num_threads(1)
        compare(sizes, seconds)
    else:
        against_device(torch.device(device), sizes, batches or [1, 32, 256], seconds)


if __name__ == "__main__":
    app()
