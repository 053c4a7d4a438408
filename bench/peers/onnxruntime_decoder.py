"""Times onnxruntime on the network of a decoder, in an environment of its own. Knows nothing of Fathom.

    python onnxruntime_decoder.py network.npz

The file holds weight_N (int8, outputs x inputs), bias_N (int32), scale_N (float64) of layers N from 0, the
`limit` of the last codes either way, and `points` (float32, n x inputs): input codes. Layers stand between
QuantizeLinear and DequantizeLinear, which the session fuses into integer products; codes of 0..255 between
them are held as they are. Input codes have 12 bits, so that there are two sessions:

    int8   as a static quantisation gives it: the first layer in integers too, its input rounded to 8 bits,
           and the last codes as they come, neither rounded nor clipped
    exact  the codes that the decoder gives: the first layer in float32, the last codes rounded and clipped

Every line on stdin asks for a round of so many calls and is answered by a line of JSON, microseconds a call:
{"int8": ..., "int8 bound": ..., "exact": ..., "exact bound": ...}, `bound` with input and output bound ahead.
The first line of all has the version, and what the two give for `points`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

INPUT_STEP = 16.0  # input codes to a step of 8 bits: 2047 / 127, rounded down to a power of two
OPSET, IR = 17, 8  # of ONNX: old enough for any session


def model(network: dict[str, np.ndarray], exact: bool) -> bytes:
    """The network as ONNX: x, float32 (1, inputs), to y, float32 (1, outputs)."""
    nodes, constants = [], []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **more: int) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **more))
        return output

    def coded(x: str, step: float, zero: np.ndarray, name: str) -> str:
        """Through a code of 8 bits and back."""
        by = [constant(f"{name}.step", np.float32(step)), constant(f"{name}.zero", zero)]
        return node("DequantizeLinear", [node("QuantizeLinear", [x, *by], f"{name}.code"), *by], name)

    depth = sum(name.startswith("weight_") for name in network)
    x = "x"
    for index in range(depth):
        weight, bias = network[f"weight_{index}"], network[f"bias_{index}"]
        scale = network[f"scale_{index}"].astype(np.float32)
        names = [f"weight.{index}", f"bias.{index}"]
        if exact and not index:
            constant(names[0], (weight * scale[:, None]).T.astype(np.float32))
            constant(names[1], (bias * scale).astype(np.float32))
        else:
            step = 1.0 if index else INPUT_STEP
            if not index:
                x = coded("x", step, np.int8(0), "input")
            biases = np.rint(bias / step).astype(np.int32)
            for name, codes, axis, by in (
                (names[0], weight.T, 1, scale),
                (names[1], biases, 0, scale * step),
            ):
                parts = {"code": codes, "step": by.astype(np.float32), "zero": np.zeros(len(by), codes.dtype)}
                inputs = [constant(f"{name}.{part}", value) for part, value in parts.items()]
                node("DequantizeLinear", inputs, name, axis=axis)
        last = index == depth - 1
        x = node("Gemm", [x, *names], "y" if last and not exact else f"layer.{index}.sum")
        if not last:
            x = coded(x, 1.0, np.uint8(0), f"layer.{index}")
        elif exact:
            limits = [constant(f"limit.{sign}", np.float32(sign * network["limit"])) for sign in (-1, 1)]
            node("Clip", [node("Round", [x], "rounded"), *limits], "y")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
        for name, width in (
            ("x", network["weight_0"].shape[1]),
            ("y", network[f"weight_{depth - 1}"].shape[0]),
        )
    ]
    graph = helper.make_graph(nodes, "decoder", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return made.SerializeToString()


def session(blob: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])


def calls(one: onnxruntime.InferenceSession, point: np.ndarray) -> list[Callable[[], object]]:
    """The two ways to call a session: with a dictionary made ahead, and with everything bound ahead."""
    feed, wanted = {"x": point}, ["y"]
    binding = one.io_binding()
    binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(point))
    room = np.zeros(one.get_outputs()[0].shape, np.float32)
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(room))
    return [lambda: one.run(wanted, feed), lambda: one.run_with_iobinding(binding)]


def each(call: Callable[[], object], count: int) -> float:
    """Microseconds a call."""
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count * 1e6


def main() -> None:
    network = dict(np.load(sys.argv[1]))
    points = network.pop("points")
    sessions = {name: session(model(network, exact=name == "exact")) for name in ("int8", "exact")}
    found = {
        name: [one.run(["y"], {"x": point[None]})[0][0].tolist() for point in points]
        for name, one in sessions.items()
    }
    print(json.dumps({"version": onnxruntime.__version__, "codes": found}), flush=True)
    timed = {}
    for name, one in sessions.items():
        timed[name], timed[f"{name} bound"] = calls(one, points[:1])
    for line in sys.stdin:
        print(json.dumps({name: each(call, int(line)) for name, call in timed.items()}), flush=True)


if __name__ == "__main__":
    main()
