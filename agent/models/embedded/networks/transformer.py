"""The language network: SmolLM2-135M, a Llama of 30 layers, written out so that one code trains and answers.

Weights are tensors by name (see `language`). A low-rank adapter (LoRA, Hu et al. 2021: W + 2 B A, rank 32) is optional:
with it the model reads frames, without it the base model chats. Prompts run in float32 on the unmerged weights; single
tokens run on merged, fused bfloat16 copies, since reading the weights is what costs time there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

N_LAYERS, WIDTH, N_HEADS, N_KV_HEADS, HEAD_DIM = 30, 576, 9, 3, 64
CONTEXT_TOKENS = 2048
"""Longest prompt and answer together; our choice (the base model allows 8,192), which bounds the cache to 47 MB."""
LORA_SCALE = 2.0
_ROPE_BASE = 100_000.0
_NORM_EPS = 1e-5


class Cache:
    """Keys and values of the tokens seen so far, shape (layers, batch, KV heads, context, head width), float32."""

    def __init__(self, length: int = CONTEXT_TOKENS, batch: int = 1, device: str = "cpu") -> None:
        import torch

        self.keys = torch.zeros(N_LAYERS, batch, N_KV_HEADS, length, HEAD_DIM, device=device)
        self.values = torch.zeros_like(self.keys)
        self.filled = 0


def rotary(start: int, stop: int, device: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosine and sine of the rotary position embedding for positions start..stop-1, each (positions, 64)."""
    import torch

    rates = _ROPE_BASE ** (-torch.arange(0, HEAD_DIM, 2, device=device).float() / HEAD_DIM)
    angles = torch.outer(torch.arange(start, stop, device=device).float(), rates)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def forward(base: Tensors, x: torch.Tensor, *, lora: Tensors | None = None, cache: Cache | None = None) -> torch.Tensor:
    """Return the last hidden states (batch, tokens, 576) of embeddings x of that shape, float32 and causal.

    Args:
        base: float32 weights.
        x: token embeddings.
        lora: adapter tensors `{layer}.{matrix}.A` (32, in) and `.B` (out, 32); None runs the base model.
        cache: where keys and values are appended, and earlier ones read.
    """
    from torch.nn import functional as F

    def linear(y: torch.Tensor, name: str) -> torch.Tensor:
        out = F.linear(y, base[name])
        if lora is not None:
            out = out + LORA_SCALE * F.linear(F.linear(y, lora[f"{name}.A"]), lora[f"{name}.B"])
        return out

    batch, tokens, _ = x.shape
    start = cache.filled if cache else 0
    cos, sin = rotary(start, start + tokens, str(x.device))
    for i in range(N_LAYERS):
        y = F.rms_norm(x, (WIDTH,), base[f"{i}.attn_norm"], _NORM_EPS)
        q, k, v = (
            linear(y, f"{i}.{name}").view(batch, tokens, heads, HEAD_DIM).transpose(1, 2)
            for name, heads in (("q", N_HEADS), ("k", N_KV_HEADS), ("v", N_KV_HEADS))
        )
        q, k = _turn(q, cos, sin), _turn(k, cos, sin)
        if cache:
            cache.keys[i, :, :, start : start + tokens] = k
            cache.values[i, :, :, start : start + tokens] = v
            k, v = cache.keys[i, :, :, : start + tokens], cache.values[i, :, :, : start + tokens]
        mask = _causal(tokens, start, x) if start and tokens > 1 else None
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None and tokens > 1, enable_gqa=True
        )
        x = x + linear(y.transpose(1, 2).reshape(batch, tokens, WIDTH), f"{i}.o")
        y = F.rms_norm(x, (WIDTH,), base[f"{i}.ffn_norm"], _NORM_EPS)
        x = x + linear(F.silu(linear(y, f"{i}.gate")) * linear(y, f"{i}.up"), f"{i}.down")
    if cache:
        cache.filled += tokens
    return F.rms_norm(x, (WIDTH,), base["norm"], _NORM_EPS)


def merge(base: Tensors, lora: Tensors | None) -> Tensors:
    """Return bfloat16 weights for `step`: the adapter merged in, and q, k, v as well as gate, up stacked."""
    import torch

    merged: Tensors = {name: base[name] for name in base if name.endswith("norm")}
    merged["embed"] = base["embed"].to(torch.bfloat16)

    def whole(name: str) -> torch.Tensor:
        update = LORA_SCALE * lora[f"{name}.B"] @ lora[f"{name}.A"] if lora is not None else 0
        return (base[name] + update).to(torch.bfloat16)

    for i in range(N_LAYERS):
        merged[f"{i}.qkv"] = torch.cat([whole(f"{i}.{name}") for name in "qkv"])
        merged[f"{i}.gate_up"] = torch.cat([whole(f"{i}.gate"), whole(f"{i}.up")])
        merged[f"{i}.o"], merged[f"{i}.down"] = whole(f"{i}.o"), whole(f"{i}.down")
    return merged


def step(merged: Tensors, x: torch.Tensor, cache: Cache) -> torch.Tensor:
    """Return the logits (49,152) after one more token, given its embedding x (576,); the cache grows by it."""
    import torch
    from torch.nn import functional as F

    at = cache.filled
    cos, sin = rotary(at, at + 1, str(x.device))
    low = torch.bfloat16
    heads = N_HEADS + N_KV_HEADS
    for i in range(N_LAYERS):
        y = F.rms_norm(x, (WIDTH,), merged[f"{i}.attn_norm"], _NORM_EPS)
        qkv = F.linear(y.to(low), merged[f"{i}.qkv"]).float().view(-1, HEAD_DIM)
        turned = _turn(qkv[:heads], cos, sin)
        cache.keys[i, 0, :, at] = turned[N_HEADS:]
        cache.values[i, 0, :, at] = qkv[heads:]
        y = F.scaled_dot_product_attention(
            turned[:N_HEADS].view(1, N_KV_HEADS, N_HEADS // N_KV_HEADS, HEAD_DIM),  # the queries of each KV head
            cache.keys[i, :1, :, : at + 1],
            cache.values[i, :1, :, : at + 1],
        )
        x = x + F.linear(y.reshape(WIDTH).to(low), merged[f"{i}.o"]).float()
        y = F.rms_norm(x, (WIDTH,), merged[f"{i}.ffn_norm"], _NORM_EPS)
        gate, up = F.linear(y.to(low), merged[f"{i}.gate_up"]).chunk(2)
        x = x + F.linear(F.silu(gate) * up, merged[f"{i}.down"]).float()
    cache.filled += 1
    return F.linear(F.rms_norm(x, (WIDTH,), merged["norm"], _NORM_EPS).to(low), merged["embed"]).float()


def _turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    import torch

    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def _causal(tokens: int, start: int, like: torch.Tensor) -> torch.Tensor:
    """Return which of start + tokens keys each of the new tokens may see, (tokens, start + tokens), boolean."""
    import torch

    return torch.ones(tokens, start + tokens, dtype=torch.bool, device=like.device).tril(diagonal=start)
