"""Constants of a frozen TensorFlow graph, read without TensorFlow.

A frozen graph is a protocol buffer `GraphDef`; of its wire format only what weights need is read: nodes of type `Const`
whose tensors are stored as raw bytes (`tensor_content`). Field numbers are those of TensorFlow's `graph.proto`,
`node_def.proto`, `attr_value.proto`, `tensor.proto` and `tensor_shape.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

_NODE, _NAME, _OP, _ATTR = 1, 1, 2, 5
_KEY, _VALUE, _TENSOR = 1, 2, 8
_DTYPE, _SHAPE, _CONTENT, _DIM, _SIZE = 1, 2, 4, 2, 1
_FLOAT32 = 1


def read_constants(path: Path) -> dict[str, np.ndarray]:
    """Return the float32 constants of a frozen graph by node name; arrays are read-only views of the file's bytes.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not a protocol buffer.
    """
    constants: dict[str, np.ndarray] = {}
    for number, node in _fields(memoryview(path.read_bytes())):
        if number == _NODE and isinstance(node, memoryview):
            name, op, attributes = "", "", []
            for part, value in _fields(node):
                if part == _NAME:
                    name = bytes(_bytes(value)).decode()
                elif part == _OP:
                    op = bytes(_bytes(value)).decode()
                elif part == _ATTR:
                    attributes.append(dict(_fields(_bytes(value))))
            if op == "Const":
                array = next((_array(entry) for entry in attributes if bytes(_bytes(entry[_KEY])) == b"value"), None)
                if array is not None:
                    constants[name] = array
    return constants


def _array(attribute: dict[int, int | memoryview]) -> np.ndarray | None:
    tensor = dict(_fields(_bytes(dict(_fields(_bytes(attribute[_VALUE])))[_TENSOR])))
    if tensor.get(_DTYPE) != _FLOAT32 or _CONTENT not in tensor:
        return None
    sizes = [
        dict(_fields(_bytes(dim))).get(_SIZE, 0)
        for number, dim in _fields(_bytes(tensor.get(_SHAPE, memoryview(b""))))
        if number == _DIM
    ]
    return np.frombuffer(_bytes(tensor[_CONTENT]), np.float32).reshape([int(size) for size in sizes])


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of a message: numbers as int, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"unknown wire type {kind} at byte {at}")
        if at + size > len(message):
            raise ValueError(f"the file ends within a field of {size} bytes at byte {at}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError(f"the file ends within a number at byte {at}")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError(f"expected bytes, found the number {value}")
    return value
