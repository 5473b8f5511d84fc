"""The shippable folder of the compact VLM: what `AutoProcessor`, `AutoModelForImageTextToText` and vLLM read."""

from __future__ import annotations

import json
import math
from pathlib import Path

from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import Qwen3VLForConditionalGeneration

from services.vlm.prompt import MODEL_PROMPT
from training.vlm_answers import PROMPT
from training.vlm_model import ModelSize
from training.vlm_tokenizer import END, IMAGE, PAD, START, VISION_END, VISION_START, save_tokenizer

SHARD = "15MB"
PLACES = "model.visual.pos_embed.weight"

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    f"{START}" + "{{ message.role }}{{ '\\n' }}"
    "{%- if message.content is string -%}{{ message.content }}{%- else -%}"
    "{%- for item in message.content -%}"
    "{%- if item.type == 'image' or 'image_url' in item -%}"
    f"{VISION_START}{IMAGE}{VISION_END}"
    "{%- else -%}{{ item.text }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    f"{END}" + "{{ '\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    f"{START}assistant" + "{{ '\\n' }}"
    "{%- endif -%}"
)


def write_folder(
    folder: Path,
    model: Qwen3VLForConditionalGeneration,
    weights: dict[str, Tensor],
    tokenizer: Tokenizer,
    size: ModelSize,
) -> None:
    """Write model, tokenizer, processor and prompt.

    Args:
        model: gives the configuration; its own weights are left alone.
        weights: parameters to ship, stored in bfloat16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shipped = Qwen3VLForConditionalGeneration(model.config)
    missing, unexpected = shipped.load_state_dict(weights, strict=False)
    if set(missing) - {"lm_head.weight"} or unexpected:
        raise ValueError(f"weights do not fit the model: missing {missing}, unexpected {unexpected}")
    shipped.tie_weights()
    shipped.generation_config.eos_token_id = tokenizer.token_to_id(END)
    shipped.generation_config.pad_token_id = tokenizer.token_to_id(PAD)
    shipped.bfloat16().save_pretrained(folder, max_shard_size=SHARD)
    save_tokenizer(tokenizer, folder, CHAT_TEMPLATE)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / MODEL_PROMPT).write_text(PROMPT + "\n")
    pixels = size.image**2
    images = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": pixels, "longest_edge": pixels},
        "patch_size": size.patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(images, indent=2) + "\n")
    videos = images | {"video_processor_type": "Qwen3VLVideoProcessor"}
    del videos["image_processor_type"]
    (folder / "video_preprocessor_config.json").write_text(json.dumps(videos, indent=2) + "\n")


def same_model(folder: Path, model: Qwen3VLForConditionalGeneration, tokenizer: Tokenizer) -> dict[str, Tensor]:
    """The weights in a folder, where they are of the model's shapes and under the same vocabulary; else none.

    A model that sees pictures of another size takes the place embeddings by interpolation.
    """
    if not (folder / "config.json").exists() or not (folder / "tokenizer.json").exists():
        return {}
    if Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab() != tokenizer.get_vocab():
        return {}
    stored = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype="float32", local_files_only=True)
    weights = {name: value.detach() for name, value in stored.named_parameters()}
    shapes = {name: value.shape for name, value in model.named_parameters()}
    weights[PLACES] = resampled(weights[PLACES], shapes[PLACES][0])
    return weights if {name: value.shape for name, value in weights.items()} == shapes else {}


def resampled(places: Tensor, count: int) -> Tensor:
    """Embeddings of the places of a square grid, row by row, (N, W) -> (count, W)."""
    old, new = math.isqrt(len(places)), math.isqrt(count)
    if old == new:
        return places
    grid = places.T.unflatten(1, (old, old))[None]
    return interpolate(grid, (new, new), mode="bilinear", align_corners=True)[0].flatten(1).T.contiguous()
