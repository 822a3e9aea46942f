"""A language model that says nothing sensible, as a file: a genuine model in the format of llama.cpp, small
enough to be written, loaded and asked within a second. Its weights are random, and the same every time.
"""

from __future__ import annotations

import math
import random
import struct
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# The format's own numbers: version, types of values, the type of tensors of 32-bit floats.
_VERSION = 3
_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_PACKED = {_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f"}
_F32 = 0
_ALIGNMENT = 32
# What kind of token one is.
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6

WIDTH, HEADS, INNER, CONTEXT = 32, 4, 64, 512
_SPREAD = 0.3
# Bytes are the whole vocabulary: any text can be read, and what was written can be counted.
_TOKENS = (
    ("<unk>", _UNKNOWN),
    ("<s>", _CONTROL),
    ("</s>", _CONTROL),
    *((f"<0x{byte:02X}>", _BYTE) for byte in range(256)),
    ("\u2581", _NORMAL),
)
_CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


class _Field(NamedTuple):
    """One thing that the file says of the model; a list holds values of the type `of`."""

    name: str
    type: int
    value: object
    of: int = 0


class _Tensor(NamedTuple):
    """A tensor of random numbers; its shape begins with the dimension that lies together."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def write_tiny_model(path: Path) -> Path:
    """Write a chat model of one block in the `llama` architecture, of about 115 kB, and return its path."""
    fields, tensors = tuple(_fields()), tuple(_tensors())
    head = struct.pack("<4sIQQ", b"GGUF", _VERSION, len(tensors), len(fields))
    head += b"".join(map(_field, fields)) + b"".join(_placed(tensors))
    path.write_bytes(_padded(head) + b"".join(_weights(tensors)))
    return path


def _fields() -> Iterator[_Field]:
    texts, types = zip(*_TOKENS, strict=True)
    yield _Field("general.architecture", _STRING, "llama")
    yield _Field("general.name", _STRING, "A tiny model of random weights")
    yield _Field("llama.context_length", _UINT32, CONTEXT)
    yield _Field("llama.embedding_length", _UINT32, WIDTH)
    yield _Field("llama.block_count", _UINT32, 1)
    yield _Field("llama.feed_forward_length", _UINT32, INNER)
    yield _Field("llama.attention.head_count", _UINT32, HEADS)
    yield _Field("llama.attention.head_count_kv", _UINT32, HEADS)
    yield _Field("llama.attention.layer_norm_rms_epsilon", _FLOAT32, 1e-5)
    yield _Field("llama.rope.dimension_count", _UINT32, WIDTH // HEADS)
    yield _Field("llama.vocab_size", _UINT32, len(_TOKENS))
    yield _Field("tokenizer.ggml.model", _STRING, "llama")
    yield _Field("tokenizer.ggml.tokens", _ARRAY, texts, _STRING)
    yield _Field("tokenizer.ggml.scores", _ARRAY, [0.0] * len(_TOKENS), _FLOAT32)
    yield _Field("tokenizer.ggml.token_type", _ARRAY, types, _INT32)
    yield _Field("tokenizer.ggml.unknown_token_id", _UINT32, 0)
    yield _Field("tokenizer.ggml.bos_token_id", _UINT32, 1)
    yield _Field("tokenizer.ggml.eos_token_id", _UINT32, 2)
    yield _Field("tokenizer.chat_template", _STRING, _CHAT)


def _tensors() -> Iterator[_Tensor]:
    yield _Tensor("token_embd.weight", (WIDTH, len(_TOKENS)))
    yield _Tensor("blk.0.attn_norm.weight", (WIDTH,))
    for part in ("q", "k", "v", "output"):
        yield _Tensor(f"blk.0.attn_{part}.weight", (WIDTH, WIDTH))
    yield _Tensor("blk.0.ffn_norm.weight", (WIDTH,))
    yield _Tensor("blk.0.ffn_gate.weight", (WIDTH, INNER))
    yield _Tensor("blk.0.ffn_up.weight", (WIDTH, INNER))
    yield _Tensor("blk.0.ffn_down.weight", (INNER, WIDTH))
    yield _Tensor("output_norm.weight", (WIDTH,))
    yield _Tensor("output.weight", (WIDTH, len(_TOKENS)))


def _field(field: _Field) -> bytes:
    name = _value(_STRING, field.name) + struct.pack("<I", field.type)
    if field.type != _ARRAY:
        return name + _value(field.type, field.value)
    items = list(field.value)
    return (
        name + struct.pack("<IQ", field.of, len(items)) + b"".join(_value(field.of, item) for item in items)
    )


def _value(of: int, value: object) -> bytes:
    if of == _STRING:
        text = str(value).encode()
        return struct.pack("<Q", len(text)) + text
    return struct.pack(_PACKED[of], value)


def _placed(tensors: Iterable[_Tensor]) -> Iterator[bytes]:
    """What the file says of each tensor: its name, shape and type, and where its numbers begin."""
    offset = 0
    for tensor in tensors:
        dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        yield _value(_STRING, tensor.name) + dimensions + struct.pack("<IQ", _F32, offset)
        offset += len(_padded(bytes(4 * tensor.size)))


def _weights(tensors: Iterable[_Tensor]) -> Iterator[bytes]:
    numbers = random.Random(0)
    for tensor in tensors:
        yield _padded(array("f", (numbers.gauss(0, _SPREAD) for _ in range(tensor.size))).tobytes())


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _ALIGNMENT)
