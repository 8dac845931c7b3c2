from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from trueval.errors import ConfigError, DataError  # noqa: E402
from trueval.tuning.net import (  # noqa: E402
    Shape,
    Weights,
    from_hugging_face,
    hidden_states,
    initial,
    master_gradients,
    to_hugging_face,
    working_copy,
)
from trueval.tuning.passes import embedding, head_loss  # noqa: E402
from trueval.tuning.plain import Plain  # noqa: E402
from trueval.tuning.recipe import load_recipe  # noqa: E402

SHAPE = Shape(vocabulary=60, hidden=24, layers=2, heads=6, kv_heads=2, mlp=20, context=64)
CPU = torch.device("cpu")
EVERY = torch.arange(30)  # positions of `rows`


def shaken(seed: int = 0) -> Weights:
    """Initial weights, with gains and biases that are not all alike."""
    random = torch.Generator().manual_seed(seed)
    weights = initial(SHAPE, seed)
    return {n: w + 0.1 * torch.randn(w.shape, generator=random) for n, w in weights.items()}


def rows(seed: int = 0, count: int = 3, length: int = 10) -> Any:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 60, (count, length), generator=random)


def test_own_backwards_are_those_of_plain_operations() -> None:
    master = {name: weight.double() for name, weight in shaken().items()}
    working = working_copy(master, torch.float64, CPU)
    at, targets = torch.tensor([0, 3, 17, 29]), torch.tensor([5, 1, 59, 0])
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    x = hidden_states(working, SHAPE, rows(), at)
    ours = torch.autograd.grad(
        head_loss(x, working["embed"], targets, weights), list(working.values())
    )
    x = hidden_states(working, SHAPE, rows(), at, plain=Plain())
    each = torch.nn.functional.cross_entropy(x @ working["embed"].t(), targets, reduction="none")
    plain = torch.autograd.grad((each * weights).sum(), list(working.values()))
    for name, mine, theirs in zip(working, ours, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11, msg=name)


def test_gradients_of_masters_follow_from_those_of_the_working_copy() -> None:
    master = {name: weight.double().requires_grad_() for name, weight in shaken().items()}
    copy = working_copy({n: w.detach() for n, w in master.items()}, torch.float64, CPU)
    probe = torch.randn(30, 24, dtype=torch.float64)
    made = torch.autograd.grad(
        (hidden_states(copy, SHAPE, rows(), EVERY, plain=Plain()) * probe).sum(),
        list(copy.values()),
    )
    ours = master_gradients(
        {n: w.detach() for n, w in master.items()}, dict(zip(copy, made, strict=True))
    )
    # The same product, made inside the graph.
    inside = {n: w for n, w in master.items() if not n.endswith("_norm")}
    for i in range(SHAPE.layers):
        inside[f"{i}.qkv"] = master[f"{i}.qkv"] * master[f"{i}.attention_norm"]
        inside[f"{i}.gate_up"] = master[f"{i}.gate_up"] * master[f"{i}.mlp_norm"]
    value = (hidden_states(inside, SHAPE, rows(), EVERY, plain=Plain()) * probe).sum()
    theirs = torch.autograd.grad(value, list(master.values()))
    for (name, mine), other in zip(ours.items(), theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11, msg=name)


def test_it_is_qwen2_with_attention_in_both_directions() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.Qwen2Config(**SHAPE.config(), attn_implementation="eager")
    model = transformers.Qwen2ForCausalLM(config).eval()
    master = shaken()
    tensors = to_hugging_face(master, SHAPE)
    missing = model.load_state_dict(tensors, strict=False)
    assert not missing.unexpected_keys
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    model.tie_weights()
    with torch.no_grad():
        everything = torch.zeros(3, 1, 10, 10)
        expected = model(input_ids=rows(), attention_mask=everything).logits
        working = working_copy(master, torch.float32, CPU)
        got = hidden_states(working, SHAPE, rows(), EVERY) @ working["embed"].t()
    torch.testing.assert_close(got.view(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_a_row_sees_all_of_itself_and_nothing_else() -> None:
    working = working_copy(shaken(), torch.float32, CPU)
    with torch.no_grad():
        before = hidden_states(working, SHAPE, rows(), EVERY).view(3, 10, -1)
        changed = rows()
        changed[1, 9] = (changed[1, 9] + 1) % 60
        after = hidden_states(working, SHAPE, changed, EVERY).view(3, 10, -1)
    assert (before[[0, 2]] == after[[0, 2]]).all()
    assert (before[1] != after[1]).any(dim=-1).all()


def test_names_there_and_back_are_the_same_weights() -> None:
    master = shaken()
    again = from_hugging_face(to_hugging_face(master, SHAPE), SHAPE)
    assert list(again) == list(master)
    assert all((again[name] == master[name]).all() for name in master)
    assert sum(weight.numel() for weight in master.values()) == SHAPE.parameters


def test_a_missing_tensor_is_named() -> None:
    tensors = to_hugging_face(shaken(), SHAPE)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(DataError, match=r"layers\.1\.mlp\.up_proj"):
        from_hugging_face(tensors, SHAPE)


@pytest.mark.parametrize(("name", "millions"), [("test", 3.41), ("small", 28.3)])
def test_recipes_have_the_size_they_say(name: str, millions: float) -> None:
    assert load_recipe(name).shape.parameters / 1e6 == pytest.approx(millions, rel=0.01)


def test_heads_that_do_not_divide_are_said() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        Shape(vocabulary=8, hidden=24, layers=1, heads=5, kv_heads=1, mlp=8)


def test_gradients_of_many_equal_tokens_add_up_beyond_what_bfloat16_counts() -> None:
    embed = torch.zeros(4, 2, dtype=torch.bfloat16, requires_grad=True)
    ids = torch.ones(1, 1000, dtype=torch.int64)
    (made,) = torch.autograd.grad(embedding(ids, embed).sum(), embed)
    assert made.dtype == torch.bfloat16
    assert made.tolist() == [[0, 0], [1000, 1000], [0, 0], [0, 0]]


# The tracer looks at every tensor's gradient, and PyTorch warns of that.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_compiler_traces_each_part_of_a_layer_once_whatever_the_rows_length() -> None:
    torch._dynamo.reset()
    graphs: list[Any] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    plain = Plain()
    plain._before, plain._after = (
        torch.compile(part, dynamic=False, fullgraph=True, backend=backend)
        for part in (plain._before, plain._after)
    )
    working = working_copy(shaken(), torch.float32, CPU)
    for length in (10, 15):
        ids = rows(count=30 // length, length=length)
        traced, eager = (
            hidden_states(working, SHAPE, ids, EVERY, plain=each) for each in (plain, Plain())
        )
        torch.testing.assert_close(traced, eager)
    assert len(graphs) == 2


def test_sizes_of_nothing_are_said() -> None:
    with pytest.raises(ConfigError, match="each of them is 1 or more"):
        Shape(vocabulary=8, hidden=24, layers=1, heads=0, kv_heads=1, mlp=8)
