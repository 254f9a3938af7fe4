"""Tiny vision-language models of real families, randomly initialised and saved as the real ones are.

They speak gibberish; what is tested with them is the loading, prompting, streaming and stopping of the real code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

CORPUS = [
    "A cyclist crosses the bridge at [0:05] while a red car waits at the light.",
    '{"name": "Zoom", "arguments": {"side": "left", "times": 3}}',
    "You are a helpful assistant. What is in this picture? I can't tell from these frames.",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>"]
CONTEXT_TOKENS = 1024
SEED = 0

# In the style of Qwen (ChatML, tools as JSON, results in a user turn); each family has its own text for IMAGE.
CHATML = """{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content[0].text }}

{% endif %}# Tools
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
Call one with <tool_call>{"name": ..., "arguments": ...}</tool_call><|im_end|>
{% endif %}{% for message in messages %}{% if message.role == 'tool' %}<|im_start|>user
<tool_response>{{ message.content }}</tool_response><|im_end|>
{% elif not (tools and loop.first and message.role == 'system') %}<|im_start|>{{ message.role }}
{% for part in message.content %}{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}{% endfor %}\
{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

# In the style of SmolVLM and Idefics3: no place for tools.
IDEFICS_CHAT = """<|im_start|>{% for message in messages %}{{ message.role | capitalize }}: \
{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% else %}<image>{% endif %}{% endfor %}\
<end_of_utterance>
{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"""


def build_tokenizer(
    special: list[str], *, plain: tuple[str, ...] = ("<tool_call>", "</tool_call>"), **named: str
) -> Any:
    """Train a small byte-level BPE tokenizer with a family's special tokens; `named` are those that have a name."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[*SPECIAL, *special], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False) for token in plain])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<unk>",
        extra_special_tokens=named,
        model_max_length=CONTEXT_TOKENS,
    )


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT_TOKENS,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **more,
    }


def _save(model: Any, processor: Any, folder: Path) -> Path:
    import torch

    # The end token gets the logit 0, below the largest of the others: answers then run until max_tokens.
    with torch.no_grad():
        model.get_output_embeddings().weight[processor.tokenizer.eos_token_id] = 0
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _qwen(folder: Path, family: str) -> Path:
    import torch
    import transformers

    named = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
    }
    tokenizer = build_tokenizer(list(named.values()), **named)
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
    text = _text(tokenizer)
    if family == "Qwen2_5_VL":
        vision |= {"patch_size": 14, "fullatt_block_indexes": [1], "window_size": 56}
        text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
        size, patch = {"shortest_edge": 28 * 28, "longest_edge": 112 * 112}, 14
    else:
        vision |= {"patch_size": 16, "deepstack_visual_indexes": [0], "num_position_embeddings": 64}
        text |= {"head_dim": 8}
        text["rope_parameters"] = {
            "rope_type": "default",
            "rope_theta": 1e4,
            "mrope_section": [2, 1, 1],
            "mrope_interleaved": True,
        }
        size, patch = {"shortest_edge": 32 * 32, "longest_edge": 128 * 128}, 16
    config = getattr(transformers, f"{family}Config".replace("Qwen3_VL", "Qwen3VL"))(
        text_config=text, vision_config=vision, tie_word_embeddings=False, **ids
    )
    torch.manual_seed(SEED)
    short = family.replace("Qwen3_VL", "Qwen3VL")
    model = getattr(transformers, f"{short}ForConditionalGeneration")(config)
    pictures = transformers.Qwen2VLImageProcessor(size=size, patch_size=patch, merge_size=2)
    clips = getattr(transformers, "Qwen2VLVideoProcessor" if patch == 14 else "Qwen3VLVideoProcessor")(patch_size=patch)
    processor = getattr(transformers, f"{short}Processor")(
        image_processor=pictures,
        tokenizer=tokenizer,
        video_processor=clips,
        chat_template=CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return _save(model, processor, folder)


def build_qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: pictures of any size, windowed vision attention, multimodal rotary positions."""
    return _qwen(folder, "Qwen2_5_VL")


def build_qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL: as before, with features of several vision layers (DeepStack)."""
    return _qwen(folder, "Qwen3_VL")


def build_idefics3(folder: Path) -> Path:
    """Idefics3, the architecture of SmolVLM: fixed-size pictures, pixel shuffle, and no tools in its chat template."""
    return _idefics(folder, "Idefics3")


def build_smolvlm(folder: Path) -> Path:
    """SmolVLM2: as Idefics3, with a processor for clips."""
    return _idefics(folder, "SmolVLM")


def _idefics(folder: Path, family: str) -> Path:
    import torch
    import transformers

    named = {
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "global_image_token": "<global-img>",
    }
    tokenizer = build_tokenizer(list(named.values()), **named)
    config = getattr(transformers, f"{family}Config")(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
        },
        text_config={"model_type": "llama", **_text(tokenizer)},
    )
    torch.manual_seed(SEED)
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    side = {"longest_edge": 56}
    pictures = getattr(transformers, f"{family}ImageProcessor")(size=side, max_image_size=side)
    clips = [transformers.SmolVLMVideoProcessor(size=side, max_image_size=side)] if family == "SmolVLM" else []
    processor = getattr(transformers, f"{family}Processor")(
        pictures, tokenizer, *clips, image_seq_len=4, chat_template=IDEFICS_CHAT
    )
    return _save(model, processor, folder)


def build_llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision: SigLIP and Qwen2, with pictures cut into tiles."""
    import torch
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
    )

    named = {"image_token": "<image>", "video_token": "<video>"}
    tokenizer = build_tokenizer(list(named.values()), **named)
    grid = [[28, 28], [28, 56], [56, 28], [56, 56]]
    config = LlavaOnevisionConfig(
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=grid,
        tie_word_embeddings=False,
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            "vision_use_head": False,
        },
        text_config={"model_type": "qwen2", **_text(tokenizer)},
    )
    torch.manual_seed(SEED)
    model = LlavaOnevisionForConditionalGeneration(config)
    size = {"height": 28, "width": 28}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=grid),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=CHATML.replace("IMAGE", "<image>"),
    )
    return _save(model, processor, folder)


def build_internvl(folder: Path) -> Path:
    """InternVL: its own vision tower with pixel shuffle, and Qwen2."""
    import torch
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = build_tokenizer(list(named.values()), **named)
    config = InternVLConfig(
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [56, 56],
            "patch_size": [14, 14],
        },
        text_config={"model_type": "qwen2", **_text(tokenizer)},
    )
    torch.manual_seed(SEED)
    model = InternVLForConditionalGeneration(config)
    size = {"height": 56, "width": 56}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=size, crop_to_patches=False),
        tokenizer,
        InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=CHATML.replace("IMAGE", "<IMG_CONTEXT>\n"),
    )
    return _save(model, processor, folder)


def build_lfm2_vl(folder: Path) -> Path:
    """LFM2-VL: SigLIP2 with pictures of any size, and a language model of convolutions and attention."""
    import torch
    from transformers import (
        Lfm2VlConfig,
        Lfm2VlForConditionalGeneration,
        Lfm2VlImageProcessor,
        Lfm2VlProcessor,
    )

    named = {
        "image_token": "<image>",
        "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>",
        "image_thumbnail_token": "<|img_thumbnail|>",
    }
    tokenizer = build_tokenizer(list(named.values()), **named)
    config = Lfm2VlConfig(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projector_hidden_size=32,
        tie_word_embeddings=False,
        vision_config={
            "model_type": "siglip2_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_patches": 16,
            "patch_size": 16,
        },
        text_config={
            "model_type": "lfm2",
            **_text(tokenizer),
            "block_multiple_of": 32,
            "layer_types": ["conv", "full_attention"],
            "tie_word_embeddings": False,
        },
    )
    torch.manual_seed(SEED)
    model = Lfm2VlForConditionalGeneration(config)
    processor = Lfm2VlProcessor(
        Lfm2VlImageProcessor(min_image_tokens=4, max_image_tokens=16, tile_size=64, do_image_splitting=False),
        tokenizer,
        chat_template=CHATML.replace("IMAGE", "<image>"),
    )
    return _save(model, processor, folder)


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "qwen2.5-vl": build_qwen2_5_vl,
    "qwen3-vl": build_qwen3_vl,
    "idefics3": build_idefics3,
    "llava-onevision": build_llava_onevision,
    "internvl": build_internvl,
    "smolvlm": build_smolvlm,
    "lfm2-vl": build_lfm2_vl,
}
