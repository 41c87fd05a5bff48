"""A model's weights made worse without a word: noise on the scales of a GGUF file's quantised blocks.

A quantised tensor is a row of blocks, each with 32 small whole numbers and the scales that turn them back
into weights. Only scales are changed: the copy has the size, the tensors and the name of the original.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.standalone.errors import CannotStart

MAGIC = b"GGUF"
VERSIONS = (2, 3)
WEIGHTS_PER_BLOCK = 32
DEFAULT_ALIGNMENT = 32
STRING, ARRAY = 8, 9
# struct's letters for the other types of metadata values, by their numbers
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class NotUnderstood(CannotStart):
    """The file is no GGUF file of a known version, is cut off, or has no block whose scales are known."""


@dataclass(frozen=True, slots=True)
class Block:
    """How a quantised block lies in the file: its bytes, of which so many 16-bit floats come first."""

    size: int
    scales: int


BLOCKS = {2: Block(18, 1), 3: Block(20, 2), 8: Block(34, 1)}  # Q4_0, Q4_1, Q8_0


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's place: `offset` in bytes from the beginning of the file, `type` by ggml's number."""

    name: str
    weights: int
    type: int
    offset: int


def degrade(source: Path, target: Path, noise: float, seed: int) -> int:
    """Write a copy with every scale s of every block in layers as s x (1 + noise x e), e standard normal.

    The same seed gives the same bytes. Embeddings and norms stay; the scales of a block share one e.

    Returns:
        The number of blocks whose scales were changed.

    Raises:
        NotUnderstood: nothing was written.
    """
    content = bytearray(source.read_bytes())
    chance = np.random.default_rng(seed)
    changed = 0
    for tensor in read_tensors(content):
        block = BLOCKS.get(tensor.type)
        if block is None or not tensor.name.startswith("blk."):
            continue
        count = tensor.weights // WEIGHTS_PER_BLOCK
        if tensor.offset + count * block.size > len(content):
            raise NotUnderstood(f"The file ends inside the tensor {tensor.name}.")
        blocks = np.frombuffer(content, np.uint8, count * block.size, tensor.offset).reshape(count, -1)
        scales = blocks[:, : 2 * block.scales].view("<f2")
        factors = 1 + noise * chance.standard_normal((count, 1))
        scales[:] = (scales * factors).astype("<f2")
        changed += count
    if not changed:
        raise NotUnderstood("No layer has quantised blocks of a known kind.")
    target.write_bytes(content)
    return changed


def read_tensors(content: bytes | bytearray) -> list[Tensor]:
    """The tensors that a GGUF file names, in its order.

    Raises:
        NotUnderstood: it is none.
    """
    try:
        return list(_read_header(_Reader(content)))
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"The file's header can't be read: {error}.") from error


class _Reader:
    def __init__(self, content: bytes | bytearray) -> None:
        self.content, self.at = content, 0

    def take(self, letters: str) -> tuple[int, ...]:
        found = struct.unpack_from("<" + letters, self.content, self.at)
        self.at += struct.calcsize("<" + letters)
        return found

    def text(self) -> str:
        (size,) = self.take("Q")
        (text,) = struct.unpack_from(f"{size}s", self.content, self.at)
        self.at += size
        return str(text, "utf-8")

    def value(self, kind: int) -> int | None:
        """A metadata value; None for texts and lists, which are passed over."""
        if kind == STRING:
            self.text()
            return None
        if kind != ARRAY:
            return self.take(SCALARS[kind])[0]
        of, size = self.take("IQ")
        if of in SCALARS:
            self.at += size * struct.calcsize("<" + SCALARS[of])
        else:
            for _ in range(size):
                self.value(of)
        return None


def _read_header(reader: _Reader) -> Iterator[Tensor]:
    if reader.content[:4] != MAGIC:
        raise NotUnderstood("The file does not begin as a GGUF file does.")
    reader.at = 4
    version, tensors, values = reader.take("IQQ")
    if version not in VERSIONS:
        raise NotUnderstood(f"The file has version {version} of GGUF, which is not known here.")
    alignment = DEFAULT_ALIGNMENT
    for _ in range(values):
        name = reader.text()
        value = reader.value(reader.take("I")[0])
        if name == "general.alignment" and value:
            alignment = value
    found = []
    for _ in range(tensors):
        name = reader.text()
        (dimensions,) = reader.take("I")
        shape = reader.take(f"{dimensions}Q")
        kind, offset = reader.take("IQ")
        found.append(Tensor(name, int(np.prod(shape)), kind, offset))
    begin = -(-reader.at // alignment) * alignment
    for tensor in found:
        yield Tensor(tensor.name, tensor.weights, tensor.type, begin + tensor.offset)
