"""The targets that are fed bytes, guided by coverage: by atheris, which is libFuzzer for Python.

python -m tests.fuzz.guided from_sse --examples 200000 --seed 1 --recordings FOLDER

MEASURED
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["claude_stream"]):
    from tests.fuzz.bodies import BODIES, Load
    from tests.fuzz.mutator import Mutator
    from tests.fuzz.seeds import streams

import asyncio
import zlib


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("name", choices=[target.name for target in BODIES])
    parser.add_argument("--examples", type=int, default=200_000, help="200000 if not given")
    parser.add_argument("--seed", type=int, default=1, help="1 if not given")
    parser.add_argument("--recordings", metavar="FOLDER", type=Path, help="recorded bodies (*.sse), as seeds besides")
    options = parser.parse_args()
    [target] = (target for target in BODIES if target.name == options.name)
    seeds = streams(options.recordings)
    loop = asyncio.new_event_loop()

    def body(mutator: Mutator) -> bytes:
        example: bytes = target.case(mutator).items[0]
        return example

    def check(data: bytes) -> None:
        target.check(target.of(data, zlib.crc32(data)), loop.run_until_complete)

    def mutate(data: bytes, size: int, seed: int) -> bytes:
        mutator = Mutator(random.Random(seed), seeds)
        what = seed % 4
        if what == 0:
            changed: Any = body(mutator)
        elif what == 1:
            changed = mutator.damaged(data)
        elif what == 2:
            other = body(mutator)
            cut = mutator.dice.randint(0, len(data))
            changed = data[:cut] + other[mutator.dice.randint(0, len(other)) :]
        else:
            changed = atheris.Mutate(data, len(data))
        return bytes(changed)[:size]

    with tempfile.TemporaryDirectory() as corpus:
        for number in range(len(seeds)):
            content = body(Mutator(random.Random(number), seeds))
            Path(corpus, str(number)).write_bytes(content)
        settings = [f"-runs={options.examples}", f"-seed={options.seed}", "-max_len=20000", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *settings, corpus], check, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
