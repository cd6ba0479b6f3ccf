"""Write the fixtures of the ONNX reader to fixtures/onnx.

    python interop/make_onnx_fixtures.py      (needs interop/requirements-onnx.txt)

Each case is NAME.onnx with NAME.npz beside it: `in.X` and `out.Y` are the inputs
and outputs by their names, as onnxruntime computes them. Weights and inputs are
seeded by the case's name. onnxruntime has no layout 1: those files hold the case
of layout 0 with batch and time exchanged, and so do their arrays.
"""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).resolve().parent.parent / "fixtures/onnx"
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
F32, I64 = TensorProto.FLOAT, TensorProto.INT64


def save_arrays(path, arrays):
    """Write a compressed npz that is the same whenever its arrays are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue(), zipfile.ZIP_DEFLATED, 9)


class Case:
    """A graph under construction."""

    def __init__(self, name, opset=17, ir_version=8, domains=()):
        self.name, self.opset, self.ir_version, self.domains = name, opset, ir_version, domains
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.inputs, self.outputs, self.weights, self.feeds = [], [], [], [], {}
        self.count = 0

    def array(self, *shape, scale=0.6):
        return (self.random.normal(size=shape) * scale).astype("float32")

    def weight(self, name, array):
        self.weights.append(numpy_helper.from_array(np.asanyarray(array), name))
        return name

    def input(self, name, dims, array):
        elem = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.inputs.append(helper.make_tensor_value_info(name, elem, dims))
        self.feeds[name] = array
        return name

    def node(self, op, inputs, outputs=1, **attributes):
        self.count += 1
        if isinstance(outputs, int):
            outputs = [f"{op}{self.count}_{i}" for i in range(outputs)]
        node = helper.make_node(op, inputs, outputs, name=f"{op}_{self.count}", **attributes)
        self.nodes.append(node)
        return outputs[0] if len(outputs) == 1 else outputs

    def output(self, value, name=None, elem=F32, dims=None):
        if name:
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name or value, elem, dims))

    def model(self):
        inputs = list(self.inputs)
        if self.ir_version < 4:  # where initializers are inputs too
            inputs += [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in self.weights]
        graph = helper.make_graph(self.nodes, self.name, inputs, self.outputs, self.weights)
        imports = [helper.make_opsetid("", self.opset)] + [helper.make_opsetid(name, 1) for name in self.domains]
        return helper.make_model(graph, opset_imports=imports, ir_version=self.ir_version, producer_name="fixtures")

    def run(self, model):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Its optimizer multiplies int8 matrices by rounded operands: here the file's own meaning is wanted.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                               providers=["CPUExecutionProvider"])
        names = [output.name for output in self.outputs]
        return dict(zip(names, session.run(names, self.feeds)))

    def write(self, model=None, swap=None):
        model = model or self.model()
        results = self.run(self.model())
        feeds = self.feeds
        if swap:
            model, feeds, results = swap(model, feeds, results)
        path = OUT / f"{self.name}.onnx"
        path.write_bytes(model.SerializeToString())
        save_arrays(path.with_suffix(".npz"), {f"in.{k}": v for k, v in feeds.items()} |
                    {f"out.{k}": v for k, v in results.items()})


def recurrent(case, op, x, features, units, direction="forward", bias=True, initial=None, batch=2,
              lens=None, peepholes=False, scale=0.6, **attributes):
    """Add a recurrent node; returns its outputs Y, Y_h (and Y_c)."""
    d, g = (2 if direction == "bidirectional" else 1), GATES[op]
    key = f"{op}{case.count}"
    inputs = [x, case.weight(f"{key}_W", case.array(d, g * units, features, scale=scale)),
              case.weight(f"{key}_R", case.array(d, g * units, units, scale=scale)),
              case.weight(f"{key}_B", case.array(d, 2 * g * units)) if bias else "", "", "", "", ""]
    if lens is not None:
        inputs[4] = case.weight(f"{key}_lens", np.array(lens, "int32"))
    for i, state in enumerate(["h", "c"][: 2 if op == "LSTM" else 1]):
        if initial == "input":
            inputs[5 + i] = case.input(f"{key}_{state}0", [d, "batch", units], case.array(d, batch, units, scale=1.5))
        elif initial == "constant":
            row = case.array(d, 1, units, scale=1.5)
            inputs[5 + i] = case.weight(f"{key}_{state}0", np.repeat(row, batch, 1))
        elif initial == "zeros":
            shape = case.node("Concat", [case.weight(f"{key}_{state}d", np.array([d])), case.batch,
                                         case.weight(f"{key}_{state}u", np.array([units]))], axis=0)
            inputs[5 + i] = case.node("ConstantOfShape", [shape],
                                      value=numpy_helper.from_array(np.zeros(1, "float32")))
    if peepholes:
        inputs[7] = case.weight(f"{key}_P", case.array(d, 3 * units))
    while inputs[-1] == "":
        inputs.pop()
    return case.node(op, inputs, 3 if op == "LSTM" else 2, direction=direction, hidden_size=units, **attributes)


def cell(name, op, opset=17, steps=5, batch=2, features=3, units=4, layout=0, open_time=True, **options):
    """One recurrent node with all of its outputs."""
    case = Case(name, opset)
    dims = ["time" if open_time else steps, "batch", features]
    x = case.input("x", dims, case.array(steps, batch, features, scale=1.5))
    for value, port in zip(recurrent(case, op, x, features, units, batch=batch, **options), ["y", "yh", "yc"]):
        case.output(value, port)
    case.write(swap=batchwise if layout else None)


def batchwise(model, feeds, results):
    """The same node with layout 1."""
    swapped = onnx.ModelProto()
    swapped.CopyFrom(model)
    for node in swapped.graph.node:
        if node.op_type in GATES:
            node.attribute.append(helper.make_attribute("layout", 1))
    for info in swapped.graph.input:
        dims = info.type.tensor_type.shape.dim
        old = [type(dim).FromString(dim.SerializeToString()) for dim in dims]
        dims[0].CopyFrom(old[1])
        dims[1].CopyFrom(old[0])
    swap = lambda array: np.ascontiguousarray(np.swapaxes(array, 0, 1))
    for tensor in swapped.graph.initializer:
        if tensor.name.endswith(("_h0", "_c0")):
            tensor.CopyFrom(numpy_helper.from_array(swap(numpy_helper.to_array(tensor)), tensor.name))
    moved = {k: np.ascontiguousarray(np.transpose(v, (2, 0, 1, 3))) if v.ndim == 4 else swap(v)
             for k, v in results.items()}
    return swapped, {k: swap(v) for k, v in feeds.items()}, moved


def cells():
    for op in GATES:
        low = op.lower()
        for direction in ["forward", "reverse", "bidirectional"]:
            cell(f"{low}-{direction}", op, direction=direction)
            cell(f"{low}-{direction}-states", op, direction=direction, initial="input", opset=14)
        cell(f"{low}-bare", op, bias=False, opset=9, open_time=False)
        cell(f"{low}-clip", op, clip=0.4, initial="constant", open_time=False)
        cell(f"{low}-lengths", op, lens=[5, 5], open_time=False, opset=22)
        cell(f"{low}-layout1", op, layout=1, opset=14)
        cell(f"{low}-layout1-states", op, layout=1, opset=14, initial="input", direction="bidirectional")
    for direction in ["forward", "bidirectional"]:
        cell(f"gru-after-{direction}", "GRU", direction=direction, linear_before_reset=1)
    cell("gru-after-clip", "GRU", linear_before_reset=1, clip=0.3)
    cell("lstm-peepholes", "LSTM", peepholes=True, direction="bidirectional")
    cell("lstm-coupled", "LSTM", input_forget=1)
    cell("lstm-coupled-peepholes", "LSTM", input_forget=1, peepholes=True)
    cell("lstm-activations", "LSTM", activations=["HardSigmoid", "Elu", "Elu"],
         activation_alpha=[0.3, 0.8, 0.8], activation_beta=[0.4])
    cell("gru-activations", "GRU", activations=["Sigmoid", "Softsign", "HardSigmoid", "Tanh"], direction="bidirectional",
         activation_alpha=[0.25], activation_beta=[0.45])
    for name, given in {"Relu": {}, "LeakyRelu": {"activation_alpha": [0.1]}, "Softplus": {},
                        "ThresholdedRelu": {"activation_alpha": [0.3]}, "Affine": {"activation_alpha": [0.3], "activation_beta": [0.1]}}.items():
        cell(f"rnn-{name.lower()}", "RNN", activations=[name], **given)


def stacked():
    """Two bidirectional layers as PyTorch writes them, zeros from shape arithmetic, embedding ahead."""
    case = Case("stacked-bidirectional", 13)
    ids = case.input("ids", ["batch", "length"], case.random.integers(0, 11, (2, 6)))
    table = case.weight("embedding.weight", case.array(11, 5))
    x = case.node("Gather", [table, ids])
    first = case.node("Gather", [case.node("Shape", [x]), case.weight("zero", np.array(0))], axis=0)
    case.batch = case.node("Unsqueeze", [first, case.weight("axis0", np.array([0]))])
    x, features = case.node("Transpose", [x], perm=[1, 0, 2]), 5
    for units in [4, 3]:
        y = recurrent(case, "LSTM" if units == 4 else "GRU", x, features, units, "bidirectional", initial="zeros",
                      **({} if units == 4 else {"linear_before_reset": 1}))[0]
        y = case.node("Transpose", [y], perm=[0, 2, 1, 3])
        x, features = case.node("Reshape", [y, case.weight(f"shape{units}", np.array([0, 0, -1]))]), 2 * units
    x = case.node("Transpose", [x], perm=[1, 0, 2])
    y = case.node("MatMul", [x, case.weight("out.weight", case.array(6, 7))])
    case.output(case.node("LogSoftmax", [case.node("Add", [y, case.weight("out.bias", case.array(7))])], axis=-1), "scores")
    case.write()


def convolutional():
    """Convolutions, batch normalization and pooling ahead of a GRU; its last state through Gemm and Softmax."""
    case = Case("conv-gru", 11)
    x = case.input("x", ["batch", 20, 6], case.array(2, 20, 6, scale=1.0))
    x = case.node("Transpose", [x], perm=[0, 2, 1])
    x = case.node("Conv", [x, case.weight("c1.w", case.array(8, 6, 3)), case.weight("c1.b", case.array(8))],
                  kernel_shape=[3], pads=[1, 1], strides=[2])
    norm = [case.weight(f"bn.{k}", np.abs(case.array(8)) + 0.3) for k in ["g", "b", "m", "v"]]
    x = case.node("BatchNormalization", [x, *norm], epsilon=1e-3)
    x = case.node("LeakyRelu", [x], alpha=0.2)
    x = case.node("Conv", [x, case.weight("c2.w", case.array(8, 2, 3))], group=4, kernel_shape=[3], dilations=[2],
                  pads=[4, 0])
    x = case.node("Conv", [x, case.weight("c3.w", case.array(8, 8, 2))], kernel_shape=[2], auto_pad="SAME_UPPER")
    x = case.node("MaxPool", [x], kernel_shape=[2], strides=[2])
    x = case.node("Transpose", [x], perm=[2, 0, 1])
    h = recurrent(case, "GRU", x, 8, 5)[1]
    h = case.node("Squeeze", [h], axes=[0])
    y = case.node("Gemm", [h, case.weight("fc.w", case.array(3, 5)), case.weight("fc.b", case.array(3))], transB=1, alpha=0.5)
    case.output(case.node("Softmax", [y], axis=1), "y")
    case.write()


def functions():
    """Element-wise functions, reductions, padding, slices and joins along the features."""
    case = Case("functions", 20)
    x = case.input("x", ["batch", "time", 6], case.array(2, 5, 6, scale=1.2))
    parts = []
    for op, attributes in {"Relu": {}, "Sigmoid": {}, "Tanh": {}, "Softplus": {}, "Softsign": {}, "Exp": {}, "Abs": {},
                           "Neg": {}, "Erf": {}, "Elu": {"alpha": 0.7}, "Celu": {"alpha": 0.8}, "Selu": {},
                           "HardSigmoid": {"alpha": 0.3}, "HardSwish": {}, "Mish": {}, "Gelu": {},
                           "ThresholdedRelu": {"alpha": 0.4}}.items():
        parts.append(case.node(op, [x], **attributes))
    positive = case.node("Add", [case.node("Mul", [x, x]), case.weight("half", np.float32(0.5))])
    for op in ["Sqrt", "Log", "Reciprocal"]:
        parts.append(case.node(op, [positive]))
    number = lambda value: case.weight(f"n{case.count}", np.float32(value))
    vector = lambda: case.weight(f"v{case.count}", np.abs(case.array(6)) + 0.4)
    for op in ["Add", "Sub", "Mul", "Div"]:
        parts += [case.node(op, [x, number(1.7)]), case.node(op, [number(1.7), positive]), case.node(op, [x, vector()]),
                  case.node(op, [vector(), positive]), case.node(op, [x, positive])]
    parts += [case.node("Pow", [positive, number(p)]) for p in [-1, -0.5, 0.5, 1, 2, 3]]
    parts += [case.node("Max", [x, number(0.1)]), case.node("Min", [x, number(0.1), positive]),
              case.node("Clip", [x, number(-0.3), number(0.4)]), case.node("PRelu", [x, vector()])]
    axis = case.weight("last", np.array([-1]))
    mean = case.node("ReduceMean", [x, axis])
    parts += [case.node("Sub", [x, mean]), case.node("Mul", [x, case.node("ReduceMax", [x, axis])])]
    parts.append(case.node("LayerNormalization", [x, vector(), vector()], epsilon=1e-3))
    a, b, c = case.node("Split", [x, case.weight("sizes", np.array([1, 2, 3]))], 3, axis=2)
    ints = lambda *values: case.weight(f"i{case.count}_{len(case.weights)}", np.array(values))
    flipped = case.node("Slice", [x, ints(-1), ints(-100), ints(2), ints(-2)])
    parts += [case.node("Concat", [c, a, b], axis=-1), case.node("Concat", [flipped, flipped], axis=2)]
    parts.append(case.node("Pad", [c, ints(0, 0, 2, 0, 0, 1)], mode="reflect"))
    parts.append(case.node("Pad", [c, ints(0, 0, 1, 0, 0, 2), number(0.25)]))
    grid = case.node("Reshape", [x, ints(0, 0, 2, 3)])
    parts.append(case.node("Reshape", [case.node("Transpose", [grid], perm=[0, 1, 3, 2]), ints(0, 0, 6)]))
    parts.append(case.node("Reshape", [case.node("Mul", [grid, case.weight("m", case.array(2, 1))]), ints(0, 0, 6)]))
    case.output(case.node("Concat", parts, axis=2), "y")
    case.output(case.node("ReduceSum", [grid, ints(2)], keepdims=0), "sums")
    case.output(case.node("Slice", [x, ints(-1), ints(1 << 40), ints(1)]), "newest")
    case.output(case.node("ReduceMean", [x, ints(1)], keepdims=0), "mean")
    case.write()


def streaming():
    """States as inputs and outputs, over sequences of any length and as one step in each call."""
    case = Case("states-sequence", 17)
    x = case.input("x", ["batch", "time", 3], case.array(1, 8, 3))
    states = [case.input(f"{k}_in", [1, "batch", 4], np.zeros((1, 1, 4), "float32")) for k in "hc"]
    t = case.node("Transpose", [x], perm=[1, 0, 2])
    weights = [case.weight(k, case.array(*s)) for k, s in {"W": (1, 16, 3), "R": (1, 16, 4), "B": (1, 32)}.items()]
    y, h, c = case.node("LSTM", [t, *weights, "", *states], 3, hidden_size=4)
    y = case.node("Squeeze", [y, case.weight("one", np.array([1]))])
    case.output(case.node("Transpose", [y], perm=[1, 0, 2]), "y")
    case.output(h, "h_out")
    case.output(c, "c_out")
    case.write()
    case = Case("states-step", 17)
    x = case.input("chunk", ["batch", 12], case.array(1, 12))
    state = case.input("state", [2, "batch", 4], np.zeros((2, 1, 4), "float32"))
    x = case.node("Unsqueeze", [x, case.weight("one", np.array([1]))])
    x = case.node("Conv", [x, case.weight("conv", case.array(5, 1, 4)), case.weight("conv.b", case.array(5))], strides=[4])
    x = case.node("Conv", [x, case.weight("conv2", case.array(6, 5, 3))], pads=[1, 1], strides=[3])
    x = case.node("Transpose", [case.node("Relu", [x])], perm=[2, 0, 1])
    h, c = (case.node("Gather", [state, case.weight(f"i{i}", np.array([i]))], axis=0) for i in range(2))
    weights = [case.weight(k, case.array(*s)) for k, s in {"W": (1, 16, 6), "R": (1, 16, 4), "B": (1, 32)}.items()]
    _, h, c = case.node("LSTM", [x, *weights, "", h, c], 3, hidden_size=4)
    y = case.node("Squeeze", [h, case.weight("zero", np.array([0]))])
    case.output(case.node("Gemm", [y, case.weight("fc", case.array(4, 2)), case.weight("fc.b", case.array(2))]), "y")
    case.output(case.node("Concat", [h, c], axis=0), "state_out")
    case.write()


def conditional():
    """Branches by a constant, by a rank, and by an input that the user fixes."""
    case = Case("branches", 16)
    x = case.input("x", ["batch", "time", 3], case.array(2, 4, 3))
    rate = case.input("rate", [], np.array(8, "int64"))
    def branch(name, op):
        out = helper.make_tensor_value_info(name, F32, None)
        return helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [out])
    size = case.node("Size", [case.node("Shape", [x])])
    three = case.node("Equal", [size, case.weight("three", np.array(3))])
    y = case.node("If", [three], then_branch=branch("a", "Tanh"), else_branch=branch("b", "Neg"))
    chosen = case.node("Equal", [rate, case.weight("eight", np.array(8, "int64"))])
    z = case.node("If", [chosen], then_branch=branch("c", "Sigmoid"), else_branch=branch("d", "Abs"))
    case.output(case.node("Add", [y, z]), "y")
    case.write()


def stored():
    """Weights in float16, and as int8 codes with scales."""
    case = Case("float16", 17)
    x = case.input("x", ["time", "batch", 3], case.array(4, 2, 3))
    weights = [case.node("Cast", [case.weight(k, case.array(*s).astype("float16"))], to=F32)
               for k, s in {"W": (1, 12, 3), "R": (1, 12, 4)}.items()]
    case.output(case.node("GRU", [x, *weights], 2, hidden_size=4)[0], "y")
    case.write()
    case = Case("int8", 17)
    x = case.input("x", ["time", "batch", 3], case.array(4, 2, 3))
    def codes(name, *shape):
        q = case.random.integers(-127, 128, shape).astype("int8")
        return case.node("DequantizeLinear", [case.weight(name, q), case.weight(f"{name}.s", np.float32(0.01))])
    y = case.node("LSTM", [x, codes("W", 1, 16, 3), codes("R", 1, 16, 4)], 3, hidden_size=4)[0]
    y = case.node("Squeeze", [y, case.weight("one", np.array([1]))])
    q = case.random.integers(-127, 128, (4, 5)).astype("int8")
    matrix = case.node("DequantizeLinear", [case.weight("M", q), case.weight("M.s", np.abs(case.array(5)) * 0.01),
                                            case.weight("M.z", np.zeros(5, "int8"))], axis=1)
    case.output(case.node("MatMul", [y, matrix]), "y")
    case.write()


def external():
    """Tensors in a file beside the model."""
    case = Case("external", 17)
    x = case.input("x", ["time", "batch", 3], case.array(4, 2, 3))
    case.output(recurrent(case, "RNN", x, 3, 4)[0], "y")
    model = case.model()
    data = b""
    for tensor in model.graph.initializer:
        raw = tensor.raw_data
        onnx.external_data_helper.set_external_data(tensor, "external.bin", len(data), len(raw))
        tensor.ClearField("raw_data")
        data += raw
    (OUT / "external.bin").write_bytes(data)
    case.write(model)


def in_place():
    """Layers among operators that Gatefold has no meaning for: they are compressed where they stand."""
    case = Case("in-place/custom", 21, 10, ["com.microsoft"])
    # Layers wide enough that their codes are smaller than the nodes around them.
    x = case.input("x", ["time", "batch", 12], case.array(7, 2, 12))
    y = recurrent(case, "LSTM", x, 12, 16, "bidirectional")[0]
    y = case.node("Reshape", [case.node("Transpose", [y], perm=[0, 2, 1, 3]), case.weight("flat", np.array([0, 0, -1]))])
    y = case.node("MatMul", [y, case.weight("dense", case.array(32, 24, scale=0.2))])
    case.nodes.append(helper.make_node("FastGelu", [y, case.weight("gelu_bias", case.array(24))], ["gelu"],
                                       name="custom", domain="com.microsoft"))
    # A Constant node, a weight that comes first, and one with a second user.
    kept = case.node("Constant", [], value=numpy_helper.from_array(case.array(24, 20, scale=0.2)))
    y = case.node("MatMul", ["gelu", kept])
    y = case.node("MatMul", [case.weight("first", case.array(7, 7, scale=0.2)), case.node("Transpose", [y], perm=[1, 0, 2])])
    tied = case.weight("tied", case.array(20, 20, scale=0.2))
    y = case.node("Add", [case.node("MatMul", [y, tied]), case.node("ReduceSum", [tied])])
    y = case.node("Transpose", [y], perm=[1, 0, 2])
    y = case.node("CumSum", [y, case.weight("axis", np.array(0))])
    z = recurrent(case, "GRU", y, 20, 16, linear_before_reset=1)[1]
    z = case.node("Squeeze", [z, case.weight("direction", np.array([0]))])
    case.output(case.node("Gemm", [z, case.weight("gemm", case.array(9, 16)), case.weight("gemm_bias", case.array(9))],
                          transB=1), "y", dims=["batch", 9])
    case.output(case.node("Gemm", [z, case.weight("scaled", case.array(16, 5))], alpha=0.5), "z", dims=["batch", 5])
    turned = case.node("Transpose", [case.weight("turned", case.array(11, 16, scale=0.2))], perm=[1, 0])
    case.output(case.node("MatMul", [z, turned]), "t", dims=["batch", 11])
    case.write(with_unknown_fields(case.model()))

    case = Case("in-place/old", 9, 3)
    x = case.input("x", [6, 2, 10], case.array(6, 2, 10))
    y = recurrent(case, "GRU", x, 10, 16, direction="reverse")[0]
    y = recurrent(case, "RNN", case.node("Squeeze", [y], axes=[1]), 16, 12, scale=0.2)[0]
    y = case.node("MatMul", [case.node("Squeeze", [y], axes=[1]), case.weight("dense", case.array(12, 11))])
    case.output(case.node("Hardmax", [y], axis=2), "hard", dims=[6, 2, 11])
    case.output(y, "y", dims=[6, 2, 11])
    case.write()

    case = Case("in-place/branches", 16)
    x = case.input("x", ["time", "batch", 10], case.array(6, 2, 10))
    case.input("loud", [], np.array(True))
    for name, shape in {"W": (1, 64, 10), "R": (1, 64, 16), "W2": (1, 64, 10), "R2": (1, 64, 16)}.items():
        case.weight(name, case.array(*shape, scale=0.3))
    def branch(name, weights, inner):
        # One branch has tensors of its own, and both share W with nobody.
        matrix = numpy_helper.from_array(case.array(16, 12, scale=0.3), f"{name}_matrix")
        nodes = [helper.make_node("LSTM", ["x", *weights], [f"{name}_y"], name=f"{name}_lstm", hidden_size=16),
                 helper.make_node("Constant", [], [f"{name}_kept"], value=matrix),
                 helper.make_node("MatMul", [f"{name}_y", f"{name}_kept" if inner else f"{name}_matrix"], [f"{name}_out"],
                                  name=f"{name}_dense")]
        out = helper.make_tensor_value_info(f"{name}_out", F32, ["time", 1, "batch", 12])
        return helper.make_graph(nodes if inner else [nodes[0], nodes[2]], name, [], [out], [] if inner else [matrix])
    case.output(case.node("If", ["loud"], then_branch=branch("then", ["W", "R"], True),
                          else_branch=branch("else", ["W2", "R2"], False)), "y",
                dims=["time", 1, "batch", 12])
    case.write()


def with_unknown_fields(model):
    """The model with fields of a later format, which a tool that does not know them must hand on."""
    graph = model.graph.SerializeToString() + field(999, b"of the graph")
    head = onnx.ModelProto()
    head.CopyFrom(model)
    head.ClearField("graph")
    whole = head.SerializeToString() + field(7, graph) + field(998, b"of the model")
    return onnx.ModelProto.FromString(whole)


def field(number, content):
    """The bytes of a length-delimited field."""
    def varint(n):
        return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + varint(n // 128)
    return varint(number * 8 + 2) + varint(len(content)) + content


if __name__ == "__main__":
    (OUT / "in-place").mkdir(parents=True, exist_ok=True)
    for make in [cells, stacked, convolutional, functions, streaming, conditional, stored, external, in_place]:
        make()
    print(sum(path.stat().st_size for path in OUT.iterdir()), "bytes in", OUT)
