from __future__ import annotations

from typing import Any

from trueval.report.together import Together


class Line:
    """Keeps what it was told last."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.phases: list[str] = []
        self.messages: list[str] = []

    def update(self, **fields: Any) -> None:
        self.state.update(fields)
        if fields.get("phase", "") != (self.phases or [""])[-1]:
            self.phases += [fields["phase"]] if "phase" in fields else []

    def message(self, text: str) -> None:
        self.messages.append(text)


SAMPLES = "generate+grade"


def test_a_run_that_is_alone_is_shown_as_it_is() -> None:
    line = Line()
    with Together(line).part("one") as one:
        one.update(phase="controls", done=3, total=9)
        assert line.state == {"phase": "controls", "done": 3, "total": 9}
        one.update(phase=SAMPLES, done=0, total=8, passed=0, graded=0)
        one.update(passed=2, graded=3)
        one.message("hear")
    assert line.state["passed"] == 2
    assert line.messages == ["hear"]


def test_several_are_added_up_without_a_share_that_passes() -> None:
    line = Line()
    whole = Together(line)
    with whole.part("one") as one, whole.part("two") as two:
        one.update(phase=SAMPLES, done=3, total=8, tokens=30, passed=2, graded=3, infra=0)
        assert (line.state["phase"], line.state["total"]) == ("2 runs", None)
        two.update(phase="controls", done=70, total=900)
        assert line.state["done"] == 3  # controls are no samples
        two.update(phase=SAMPLES, done=1, total=4, tokens=5, passed=1, graded=1, infra=1)
        two.message("hear")
        found = {key: line.state[key] for key in ("done", "total", "tokens", "infra")}
        assert found == {"done": 4, "total": 12, "tokens": 35, "infra": 1}
        assert line.state["graded"] == 0
    assert line.messages == ["two: hear"]
    assert line.phases[0] == "2 runs"


def test_who_is_left_is_shown_with_all_it_said() -> None:
    line = Line()
    whole = Together(line)
    with whole.part("one") as one:
        one.update(phase=SAMPLES, done=3, total=8, passed=2, graded=3)
        with whole.part("two") as two:
            two.update(phase=SAMPLES, done=1, total=4)
            one.update(done=5, passed=4, graded=5)
        assert line.state["phase"] == SAMPLES
        assert (line.state["done"], line.state["total"], line.state["passed"]) == (5, 8, 4)
        one.update(done=6)
        assert line.state["done"] == 6
    assert line.phases == [SAMPLES, "2 runs", SAMPLES]
