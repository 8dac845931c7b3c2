from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from tests.tuning import stand_in  # noqa: E402
from tests.tuning.stand_in import trainer  # noqa: E402
from tests.tuning.synthetic import tiny, write_data  # noqa: E402
from trueval.errors import ConfigError, DataError  # noqa: E402
from trueval.tuning.batches import Batches  # noqa: E402
from trueval.tuning.course import Course, Ending  # noqa: E402
from trueval.tuning.dataset import TokenFile  # noqa: E402
from trueval.tuning.evaluation import Evaluation, Evaluator  # noqa: E402
from trueval.tuning.gradients import Feed, NotFiniteError  # noqa: E402
from trueval.tuning.net import working_copy  # noqa: E402
from trueval.tuning.plain import Plain  # noqa: E402
from trueval.tuning.tokenizer import SourceTokenizer  # noqa: E402
from trueval.tuning.vocabulary import vocabulary_of  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


def test_it_learns_a_plain_grammar(data: Path, tmp_path: Path) -> None:
    fast = replace(tiny().optimiser, rate=0.01, rest_rate=0.01)
    recipe = replace(tiny(evaluate_every=0.4, batch_tokens=360), optimiser=fast)
    made = trainer(data, tmp_path, recipe, ending=Ending(steps=75))
    before = made._evaluator(working_copy(made.master, torch.bfloat16, made.device))
    assert made.run()
    assert made.evaluation is not None
    assert made.evaluation.validation < 0.5 * before.validation
    assert made.evaluation.line < 0.5 * before.line
    rows = made.curves.read()
    assert [row["step"] for row in rows if "validation" in row] == [30, 60, 75]
    assert all(math.isfinite(row["loss"]) for row in rows if "loss" in row)


def test_an_interrupted_run_ends_as_one_that_never_was(data: Path, tmp_path: Path) -> None:
    straight = trainer(data, tmp_path / "a", tiny(), ending=Ending(steps=12))
    straight.run()

    def stop(course: Course) -> None:
        first.stop = course.step == 5

    first = trainer(data, tmp_path / "b", tiny(), ending=Ending(steps=12), watch=stop)
    assert not first.run()
    assert first.course.step == 5
    second = trainer(data, tmp_path / "b", tiny(), ending=Ending(steps=12))
    second.resume()
    assert second.run()
    for name, weight in straight.master.items():
        assert torch.equal(weight, second.master[name]), name
    assert straight.evaluation == second.evaluation


def test_a_finished_run_can_be_made_longer(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path, tiny(), ending=Ending(steps=2)).run()
    longer = trainer(data, tmp_path, tiny(), ending=Ending(steps=5))
    longer.resume()
    assert (longer.course.step, longer.course.progress) == (2, 0.4)
    # The evaluation of the first end was the second of two; of the longer run none is over.
    assert longer.course.evaluations == 0
    assert longer.run()
    assert longer.course.step == 5


def test_a_finished_run_that_is_resumed_knows_its_last_evaluation(
    data: Path, tmp_path: Path
) -> None:
    first = trainer(data, tmp_path, tiny(), ending=Ending(steps=1))
    first.run()
    again = trainer(data, tmp_path, tiny(), ending=Ending(steps=1))
    again.resume()
    assert again.course.done
    assert isinstance(again.evaluation, Evaluation)
    assert again.evaluation == first.evaluation


def test_a_run_of_another_recipe_is_not_resumed(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path, tiny(), ending=Ending(steps=1)).run()
    other = trainer(data, tmp_path, tiny(seed=1), ending=Ending(steps=1))
    with pytest.raises(ConfigError, match="seed was 0 and is now 1"):
        other.resume()
    same = trainer(data, tmp_path, tiny(), ending=Ending(steps=1), origin={"tokenizer": "b"})
    with pytest.raises(ConfigError, match="tokenizer was None and is now 'b'"):
        same.resume()
    with pytest.raises(DataError, match="nothing to resume"):
        trainer(data, tmp_path / "none", tiny()).resume()


def test_what_is_not_finite_is_named_and_not_learned(data: Path, tmp_path: Path) -> None:
    made = trainer(data, tmp_path, tiny(), ending=Ending(steps=5))
    made.master["1.down"][0, 0] = math.nan
    before = {name: weight.clone() for name, weight in made.master.items()}
    with pytest.raises(NotFiniteError, match=r"before step 0: the parameter 1\.down is not"):
        made.run()
    with pytest.raises(NotFiniteError, match=r"after step 0: the parameter 1\.down is not"):
        made.save()
    assert not (tmp_path / "training" / "state.pt").exists()
    assert all(torch.equal(w, made.master[n]) or n == "1.down" for n, w in before.items())
    made = trainer(data, tmp_path, tiny(), ending=Ending(steps=5))
    made.master["0.gate_up"] *= 1e30
    with pytest.raises(
        NotFiniteError, match=r"step 0, batch 0 \(documents \d+, .*gradient of .* is not finite"
    ):
        made.run()


def test_the_rate_falls_at_once_when_validation_gets_no_better(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueval.tuning.trainer.LEAST_STEPS", 1)
    still = replace(tiny().optimiser, rate=0.0, rest_rate=0.0)
    recipe = tiny(evaluate_every=0.125, patience=2, evaluate_lines=1)
    seen: list[tuple[int, float]] = []
    made = trainer(
        data, tmp_path, replace(recipe, optimiser=still), ending=Ending(steps=32),
        watch=lambda course: seen.append((course.step, course.progress)),
    )  # fmt: skip
    made.run()
    assert made.course.done
    # After the third evaluation at step 12 of 32 the last 40 % follow, and no more.
    assert dict(seen)[11] == 11 / 32
    assert dict(seen)[12] == pytest.approx(0.6)
    assert made.course.step == 25
    again = trainer(
        data, tmp_path, replace(recipe, optimiser=still, patience=0), ending=Ending(steps=100)
    )
    again.resume()
    assert (again.course.progress, again.course.worse) == (0.25, 0)


def test_minutes_bring_the_rate_down_in_time(data: Path, tmp_path: Path) -> None:
    rates: list[float] = []
    made = trainer(data, tmp_path, tiny(evaluate_every=0.0), ending=Ending(minutes=0.05))
    for step in range(8):  # a clock that ticks once a step
        made.course.step = max(made.course.step, 50)
        made._clock = step * 0.5
        made._measure_time(time.monotonic())
        made._step()
        rates.append(made._rate / made.recipe.optimiser.rate)
    # 3 s of which 9 % are set aside, and of the rest the last 40 %.
    limit = 3 - 0.15
    expected = [min(1.0, max(0.0, (1 - 0.5 * n / limit) / 0.4)) for n in range(1, 8)]
    assert rates[1:] == pytest.approx(expected, abs=0.01)
    assert made.course.done


def test_what_a_compiler_takes_counts_for_no_minute(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Plain):
        calls = 0

        def layer(self, *arguments: Any) -> Any:
            self.calls += 1
            time.sleep(0.7 if self.calls == 1 else 0)
            return super().layer(*arguments)

    made = trainer(data, tmp_path, tiny(evaluate_every=0.0), ending=Ending(steps=1))
    made._plain = slow = Slow()
    clock = [0.0]
    monkeypatch.setattr("trueval.tuning.trainer.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda s: clock.__setitem__(0, clock[0] + s))
    made.run()
    assert slow.calls > 1
    assert made.course.seconds == 0.0


def test_an_ending_by_steps_and_minutes_is_the_first_of_both() -> None:
    course = Course(step=50, seconds=30.0)
    assert Ending(steps=100).progress(course) == 0.5
    assert Ending(minutes=10).progress(course) == pytest.approx(30 / 580)
    assert Ending(steps=100, minutes=10).progress(course) == 0.5


def test_rows_made_ahead_are_those_made_when_asked_for(data: Path) -> None:
    tokens = TokenFile(data, "train")
    vocabulary = vocabulary_of(SourceTokenizer.load(data / "tokenizer.json"))
    made = [
        Feed(
            Batches(tokens, size=360, context=120, seed=0), vocabulary, tiny().mixture, seed=0,
            ahead=ahead, stride=2,
        )
        for ahead in (0, 5)
    ]  # fmt: skip
    for number in (1, 3, 5, 7, 2, 4):
        one, other = (feed(number) for feed in made)
        assert all(
            np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True)
        )


def test_lines_are_put_back_by_a_network_that_knows_them(data: Path) -> None:
    """A network that says each position's own token: what is filled is what stood there."""
    vocabulary = vocabulary_of(SourceTokenizer.load(data / "tokenizer.json"))
    shape = tiny().shape
    evaluator = Evaluator(
        TokenFile(data, "validation"), vocabulary, shape, tiny().mixture, size=360, lines=30
    )
    assert sum(len(rows.inputs) for rows in evaluator._lines) == 30
    for rows in evaluator._lines:
        hidden = rows.weights > 0
        assert (rows.inputs[hidden] == vocabulary.mask).all()
        for targets, row in zip(rows.targets, hidden, strict=True):
            at = row.nonzero()[0]
            # One line of code, whole.
            assert vocabulary.ends_line[targets[at]].sum() == 1
            assert vocabulary.ends_line[targets[at[-1]]]

    evaluator._mixed = []
    texts = [pair for each in evaluator._lines for pair in zip(*each[:2], strict=True)]

    def known(_weights: Any, ids: Any, row: Any, at: Any) -> Any:
        right = torch.stack([whole(each.numpy()) for each in ids])[row, at]
        return torch.nn.functional.one_hot(right, vocabulary.size).float() * 9

    def whole(ids: np.ndarray) -> Any:
        for inputs, targets in texts:
            kept = inputs != vocabulary.mask
            if len(inputs) == len(ids) and (inputs[kept] == ids[kept]).all():
                return torch.from_numpy(targets)
        raise AssertionError("the context has changed")

    evaluator._logits = known  # type: ignore[method-assign, assignment]
    found = evaluator({"embed": torch.zeros(1)})
    assert (found.exact, found.lines) == (1.0, 30)


def test_more_workers_train_what_one_does(data: Path, tmp_path: Path) -> None:
    alone = stand_in.observed(data, tmp_path / "one")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.tuning.stand_in", str(data), str(tmp_path)]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    running = [
        subprocess.Popen(command, cwd=root, env={**os.environ, **meeting, "RANK": str(rank)})
        for rank in (0, 1)
    ]
    assert [process.wait(500) for process in running] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    for name, gradient in alone["gradients"].items():
        torch.testing.assert_close(first["gradients"][name], gradient, rtol=1e-4, atol=1e-6)
        assert torch.equal(first["gradients"][name], second["gradients"][name])
    assert first["evaluation"] == second["evaluation"]
    assert first["evaluation"] == pytest.approx(alone["evaluation"], rel=1e-5)
    # The clock of the second runs ten thousand times as fast, and both go by the first one's.
    assert first["steps"] == second["steps"] == 3
    # One of them has the batch that is broken; both say so.
    assert first["said"] == second["said"]
    assert "step 3, batch 7 (documents" in first["said"]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_curves_of_a_resumed_run_have_no_step_twice(data: Path, tmp_path: Path) -> None:
    made = trainer(data, tmp_path, tiny(), ending=Ending(steps=3))
    made.run()
    with made.curves.path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 9, "loss": 1.0}) + "\n" + '{"step": 10, "lo')
    made.resume()
    assert max(row["step"] for row in made.curves.read()) <= 3
