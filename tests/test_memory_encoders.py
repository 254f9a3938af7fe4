"""Encoders: the bundled network, and vision transformers by name or folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from memory.stream.encoders import HEAD_DIM, MID_DIM, Encoder, load_encoder, shared_extractor, to_input
from tools.errors import ModelError


def scene(seed: int, shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    random = np.random.default_rng(seed)
    blocks = np.kron(random.integers(0, 256, (4, 4, 3)), np.ones((shape[0] // 4, shape[1] // 4, 1)))
    return blocks.astype(np.uint8)


def check(encoder: Encoder, name: str, dim: int) -> None:
    assert (encoder.name, encoder.dim) == (name, dim)
    one, again, other = encoder.embed(scene(1)), encoder.embed(scene(1)), encoder.embed(scene(2))
    assert one.shape == (dim,)
    assert one.dtype == np.float32
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(one, again)
    assert one @ other < 0.999


def test_the_bundled_network_tells_scenes_apart_and_shaken_ones_not() -> None:
    encoder = load_encoder()
    check(encoder, "efficientnet-lite2", HEAD_DIM)
    near = np.roll(scene(1), 2, axis=1)
    assert encoder.embed(scene(1)) @ encoder.embed(near) > encoder.embed(scene(1)) @ encoder.embed(scene(2))
    assert encoder.embed(np.zeros((1, 1, 3), np.uint8)).shape == (HEAD_DIM,)


def test_the_tower_knows_what_is_in_a_picture() -> None:
    from skimage import data

    batch = torch.from_numpy(np.stack([to_input(data.chelsea()), to_input(data.coffee())]))
    head, mid, logits = shared_extractor().features(batch)
    assert head.shape == (2, HEAD_DIM, 9, 9)
    assert mid.shape == (2, MID_DIM, 17, 17)
    assert logits.shape == (2, 1000)
    assert int(logits[0].argmax()) in range(281, 286)  # cats
    assert int(logits[1].argmax()) in (967, 968)  # espresso, cup
    assert float(head.min()) >= 0
    assert float(head.max()) <= 6  # ReLU6
    torch.testing.assert_close(shared_extractor().classify(head.mean((2, 3))), logits)
    alone = shared_extractor().features(batch[1:])
    torch.testing.assert_close(alone.logits[0], logits[1], rtol=1e-3, atol=1e-3)
    assert shared_extractor() is shared_extractor()


@pytest.mark.parametrize("batch", [torch.zeros(1, 3, 224, 224, dtype=torch.uint8), torch.zeros(1, 3, 260, 260)])
def test_the_tower_refuses_what_it_was_not_trained_on(batch: torch.Tensor) -> None:
    with pytest.raises(ModelError, match="260"):
        shared_extractor().features(batch)


@pytest.fixture
def tiny_dinov2(tmp_path: Path) -> Path:
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=224, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path / "dinov2")
    return tmp_path / "dinov2"


def test_a_vision_transformer_gives_its_cls_token(tiny_dinov2: Path) -> None:
    from transformers import Dinov2Model

    check(load_encoder(str(tiny_dinov2)), str(tiny_dinov2), 32)
    encoder = load_encoder(f"hf:{tiny_dinov2}")
    grey = np.full((256, 256, 3), 128, np.uint8)  # one colour: free of how it is scaled and cropped
    pixels = (128 / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        model = Dinov2Model.from_pretrained(tiny_dinov2).eval()
        cls = model(pixels.view(1, 3, 1, 1).expand(1, 3, 224, 224)).last_hidden_state[0, 0]
    np.testing.assert_allclose(encoder.embed(grey), (cls / cls.norm()).numpy(), atol=1e-5)
    wide, framed = scene(1, (120, 400)), scene(1, (120, 400))
    framed[:, :40] = 255  # outside of the centre crop
    np.testing.assert_array_equal(encoder.embed(wide), encoder.embed(framed))


def test_an_encoder_that_cannot_be_loaded_says_what_would_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"unknown encoder 'dino'.*efficientnet-lite2.*hf:facebook/dinov2-small"):
        load_encoder("dino")
    with pytest.raises(ModelError, match=r"cannot load the encoder.*local folder"):
        load_encoder(str(tmp_path))
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)).save_pretrained(
        tmp_path / "bert"
    )
    with pytest.raises(ModelError, match="BertModel"):
        load_encoder(str(tmp_path / "bert"))
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"hf:attend-test/none.*Offline"):
        load_encoder("hf:attend-test/none")
