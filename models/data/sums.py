"""Draws `sums.csv.gz`: sums of two numbers of up to three digits, each once, as Keras' example of
addition with a recurrent network has them. The question stands backwards; `start` is the answer moved
by one, behind a sign for its beginning: what a decoder has written when it writes the next digit.
"""

import gzip
import pathlib
import random

draw = random.Random(1337)


def number():
    return int("".join(draw.choice("0123456789") for _ in range(draw.randint(1, 3))))


rows, seen = ["question,start,answer"], set()
while len(rows) <= 50_000:
    a, b = number(), number()
    if tuple(sorted((a, b))) not in seen:
        seen.add(tuple(sorted((a, b))))
        question, answer = f"{a}+{b}".ljust(7)[::-1], str(a + b).ljust(4)
        rows.append(f'"{question}","={answer[:-1]}","{answer}"')
text = "\n".join(rows) + "\n"
file = pathlib.Path(__file__).with_name("sums.csv.gz")
file.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
