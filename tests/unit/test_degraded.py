"""Weights made worse: only the scales of quantised blocks change, and the same seed gives the same file."""

import struct
from pathlib import Path

import numpy as np
import pytest

from services.standalone.degraded import NotUnderstood, degrade, read_tensors

BLOCKS = 6


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def make_gguf(*, layer: str = "blk.0.ffn_up.weight", kind: int = 3, block: bytes | None = None) -> bytes:
    """A file as small as they come: a norm in 32-bit floats, then a layer of six quantised blocks."""
    values = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.alignment") + struct.pack("<II", 4, 64),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("tokenizer.ggml.scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.5, 1.5),
        text("general.is_small") + struct.pack("<I?", 7, True),
    ]
    tensors = [
        text("blk.0.attn_norm.weight") + struct.pack("<IQIQ", 1, 4, 0, 0),
        text(layer) + struct.pack("<IQQIQ", 2, 32, BLOCKS, kind, 64),
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)) + b"".join(values + tensors)
    norm = np.ones(4, "<f4").tobytes()
    block = block or struct.pack("<2e", 0.5, -4.0) + bytes(range(16))
    return header.ljust(-(-len(header) // 64) * 64, b"\0") + norm.ljust(64, b"\0") + block * BLOCKS


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original.gguf"
    path.write_bytes(make_gguf())
    return path


def test_only_the_scales_of_blocks_change(original: Path) -> None:
    copy = original.with_name("copy.gguf")

    assert degrade(original, copy, noise=0.5, seed=1) == BLOCKS

    before, after = original.read_bytes(), copy.read_bytes()
    layer = read_tensors(before)[1]
    assert len(after) == len(before)
    assert after[: layer.offset] == before[: layer.offset]
    blocks = np.frombuffer(after, np.uint8, offset=layer.offset).reshape(BLOCKS, 20)
    scales = blocks[:, :4].copy().view("<f2").astype(float)
    assert (blocks[:, 4:] == np.arange(16)).all()
    assert (scales[:, 0] != 0.5).all()
    assert scales[:, 1] / scales[:, 0] == pytest.approx([-8.0] * BLOCKS, rel=2e-3)
    assert len(set(scales[:, 0])) == BLOCKS


def test_a_seed_decides_all_noise(original: Path) -> None:
    copies = [original.with_name(f"{name}.gguf") for name in "abc"]
    for copy, seed in zip(copies, (1, 1, 2), strict=True):
        degrade(original, copy, noise=0.1, seed=seed)

    first, again, other = (copy.read_bytes() for copy in copies)
    assert first == again != other


def test_no_noise_changes_nothing(original: Path) -> None:
    copy = original.with_name("copy.gguf")
    degrade(original, copy, noise=0.0, seed=1)
    assert copy.read_bytes() == original.read_bytes()


def test_tensors_are_found_where_they_lie(original: Path) -> None:
    content = original.read_bytes()
    norm, layer = read_tensors(content)
    assert (norm.name, norm.weights, norm.type) == ("blk.0.attn_norm.weight", 4, 0)
    assert np.frombuffer(content, "<f4", 4, norm.offset).tolist() == [1.0] * 4
    assert (layer.weights, layer.type) == (32 * BLOCKS, 3)
    assert content[layer.offset :] == (struct.pack("<2e", 0.5, -4.0) + bytes(range(16))) * BLOCKS


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "does not begin"),
        (b"not a model at all", "does not begin"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (make_gguf()[:150], "header"),
        (make_gguf()[:-1], "ends inside"),
        (make_gguf(layer="token_embd.weight"), "No layer"),
        (make_gguf(kind=99), "No layer"),
    ],
)
def test_what_is_not_understood_is_refused_and_nothing_is_written(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path, copy = tmp_path / "model.gguf", tmp_path / "copy.gguf"
    path.write_bytes(content)
    with pytest.raises(NotUnderstood, match=problem):
        degrade(path, copy, noise=0.1, seed=1)
    assert not copy.exists()
