"""The process that OpenVINO runs in: requests as JSON lines on stdin, results on stdout.

A process of its own, for the engine's step holds Python's lock: in the run's process it would
stop the event loop for a step at a time, and a crash in native code would take the run along.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from trueval.generate.common import cut_at_stop
from trueval.generate.gguf import read_gguf, token_bytes
from trueval.generate.vocabulary import stops_as_tokens

_TOKENIZER_LIMIT = 8192
"""openvino-genai cuts longer prompts off without a word, when it reads a GGUF file."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One request in the batch."""

    id: int
    handle: Any
    stop: tuple[bytes, ...]
    prompt_tokens: int
    tokens: list[int] = field(default_factory=list)
    text: bytearray = field(default_factory=bytearray)
    stopped: bool = False
    reason: str = "stop"


class Engine:
    """A continuous batch: rows enter and leave between steps."""

    def __init__(self, settings: dict[str, Any]) -> None:
        import openvino_genai as genai

        self.genai = genai
        info = read_gguf(Path(settings["gguf"]))
        self.bytes_of = token_bytes(info)
        self.end_ids, self.bos_id, self.special = info.end_ids, info.bos_id, info.special_ids
        self.longest = min(info.context_length, settings["context"] or info.context_length)
        self.pipe = genai.ContinuousBatchingPipeline(
            settings["gguf"], _scheduler(genai, settings), "CPU", _properties(settings), {}
        )
        self.tokenizer = self.pipe.get_tokenizer()
        self.rows: dict[int, Row] = {}

    def admit(self, message: dict[str, Any]) -> str:
        """Put one request into the batch, or say why that cannot be."""
        tokens = self.encode(message)
        room = self.longest - len(tokens)
        if room < 1 or len(tokens) >= _TOKENIZER_LIMIT:
            return f"the prompt has {len(tokens)} tokens or more; the model takes {self.longest}"
        if not tokens:
            return "the prompt is empty"
        config = self.config(message, room)
        handle = self.pipe.add_request(message["id"], _tensor(tokens), config)
        self.rows[message["id"]] = Row(
            id=message["id"],
            handle=handle,
            stop=tuple(s.encode() for s in message["stop"] if s),
            prompt_tokens=len(tokens),
        )
        return ""

    def encode(self, message: dict[str, Any]) -> list[int]:
        """The tokens of a request's prompt."""
        text = message.get("text")
        if text is None:
            history = [{"role": role, "content": said} for role, said in message["messages"]]
            text = self.tokenizer.apply_chat_template(history, add_generation_prompt=True)
        encoded = self.tokenizer.encode(text, add_special_tokens=False) if text else None
        tokens = encoded.input_ids.data[0].tolist() if encoded else []
        # A template may write the token itself; a model has seen it once in training, never twice.
        if self.bos_id is not None and tokens[:1] != [self.bos_id]:
            tokens.insert(0, self.bos_id)
        return list(tokens)

    def config(self, message: dict[str, Any], room: int) -> Any:
        """The engine's settings for a request that may have `room` tokens at most."""
        config = self.genai.GenerationConfig()
        config.apply_chat_template = False
        config.max_new_tokens = min(message["max_tokens"], room)
        config.stop_token_ids = self.end_ids | stops_as_tokens(message["stop"], self.special)
        config.do_sample = message["temperature"] > 0
        if config.do_sample:
            config.temperature = message["temperature"]
            config.top_p = message["top_p"]
            if message["top_k"] > 0:
                config.top_k = message["top_k"]
            # Each request has a generator of its own: what else is in the batch changes nothing.
            config.rng_seed = message["seed"]
        return config

    def step(self) -> list[Row]:
        """One token more for every row; the rows that have ended."""
        self.pipe.step()
        done = [row for row in self.rows.values() if self.advance(row)]
        for row in done:
            del self.rows[row.id]
        return done

    def advance(self, row: Row) -> bool:
        """Take in what a row has got; whether it has ended."""
        while row.handle.can_read():
            output = row.handle.read()[0]
            if output.finish_reason == self.genai.GenerationFinishReason.LENGTH:
                row.reason = "length"
            self.extend(row, output.generated_ids)
        if row.stopped:
            row.handle.stop()
            return True
        return bool(row.handle.get_status() != self.genai.GenerationStatus.RUNNING)

    def extend(self, row: Row, tokens: Sequence[int]) -> None:
        """Add tokens to a row, and see whether they complete a stop sequence."""
        # Done here and not by the engine, whose `stop_strings` run its detokenizer for each row
        # and step, and look at as many tokens as the stop has when tokenised by itself: a stop
        # that the model spells in more tokens is missed.
        piece = b"".join(self.bytes_of[token] for token in tokens)
        row.tokens.extend(tokens)
        row.text += piece
        for stop in row.stop:
            if row.text.find(stop, max(0, len(row.text) - len(piece) - len(stop) + 1)) >= 0:
                row.stopped, row.reason = True, "stop"

    def drop(self, row_id: int) -> None:
        """Take a request out that nobody waits for any more."""
        if row := self.rows.pop(row_id, None):
            row.handle.stop()


def _scheduler(genai: Any, settings: dict[str, Any]) -> Any:
    config = genai.SchedulerConfig()
    config.max_num_seqs = settings["concurrency"]
    config.max_num_batched_tokens = settings["batch_tokens"]
    config.dynamic_split_fuse = True
    # Off: a prefix that is found in the cache was computed beside other rows than this run's.
    config.enable_prefix_caching = False
    # Sizes left at 0 let the cache grow with what the batch needs.
    config.cache_size = 0
    return config


def _properties(settings: dict[str, Any]) -> dict[str, Any]:
    # Pinned threads would wait for whatever else runs on their core, such as the grader.
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": settings["precision"],
        "ENABLE_CPU_PINNING": False,
    }
    if settings["threads"]:
        properties["INFERENCE_NUM_THREADS"] = settings["threads"]
    return properties


def _tensor(tokens: list[int]) -> Any:
    import numpy as np
    import openvino

    return openvino.Tensor(np.array([tokens], dtype=np.int64))


# --------------------------------------------------------------------------- the process


def main() -> None:
    """Load the model that the first line names, then serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which closes us
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # whatever native code prints must not mix with results
    settings = json.loads(sys.stdin.readline())
    try:
        engine = Engine(settings)
    except Exception as error:  # native errors come as bare RuntimeErrors
        _send(out, {"fatal": _first_line(error)})
        return
    _send(out, {"ready": True, "context": engine.longest})
    inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(inbox,), daemon=True).start()
    try:
        serve(engine, inbox, out)
    except Exception as error:
        _send(out, {"fatal": _first_line(error)})
    finally:
        # Native threads may still hold the model; nothing is left that must be written.
        out.flush()
        os._exit(0)


def serve(engine: Engine, inbox: queue.SimpleQueue[dict[str, Any] | None], out: TextIO) -> None:
    """Step while there are rows, sleep while there are none."""
    while True:
        while not engine.rows or not inbox.empty():
            message = inbox.get()
            if message is None:
                return
            _take(engine, message, out)
        for row in engine.step():
            text = row.text.decode("utf-8", "replace")
            answer = {
                "id": row.id,
                "text": cut_at_stop(text, [s.decode() for s in row.stop]),
                "finish_reason": row.reason,
                "prompt_tokens": row.prompt_tokens,
                "completion_tokens": len(row.tokens),
            }
            _send(out, answer)


def _take(engine: Engine, message: dict[str, Any], out: TextIO) -> None:
    if "cancel" in message:
        engine.drop(message["cancel"])
        return
    try:
        problem = engine.admit(message)
    except Exception as error:  # a template or a parameter that the engine refuses
        problem = _first_line(error)
    if problem:
        _send(out, {"id": message["id"], "error": problem})


def _read(inbox: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        inbox.put(json.loads(line))
    inbox.put(None)


def _send(out: TextIO, answer: dict[str, Any]) -> None:
    try:
        out.write(json.dumps(answer) + "\n")
    except BrokenPipeError:
        os._exit(0)  # the run is gone


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # OpenVINO puts the place in its own source first and the reason last.
    return lines[-1] if lines else repr(error)


if __name__ == "__main__":
    main()
