"""A page like small text, the same wherever it is made: strokes on white. No imports but of Python's own."""

import random

WIDTH, HEIGHT = 400, 300


WHOLE = (1280, 720)
"""The size of a page that fills the screen."""
GLYPH = ((0, 0, 1, 9), (0, 0, 5, 1), (0, 4, 5, 1), (4, 4, 1, 5))
Stroke = tuple[int, int, int, int]


def strokes() -> list[Stroke]:
    """Dark rectangles (x, y, width, height), a pixel thin: cells of 8 x 14 with a few in each."""
    drawn = random.Random(7)
    cells = [(x, y) for y in range(6, HEIGHT - 14, 14) for x in range(6, WIDTH - 10, 8)]
    return [stroke for x, y in cells if drawn.random() >= 0.15 for stroke in _letter(drawn, x, y)]


def page(number: int) -> list[Stroke]:
    """A page that fills the screen: a column of lines, as of a document, with gaps between words."""
    drawn = random.Random(number)
    cells = [(x, y) for y in range(24, WHOLE[1] - 20, 22) for x in range(200, 1000, 8)]
    return [stroke for x, y in cells if drawn.random() >= 0.2 for stroke in _letter(drawn, x, y)]


def _letter(drawn: random.Random, x: int, y: int) -> list[Stroke]:
    return [(x + drawn.randrange(5), y, 1, 9), *[(x, y + drawn.randrange(9), 5, 1) for _ in range(2)]]


def word(letters: int) -> list[Stroke]:
    """The strokes of so many letters, written at one place of the page."""
    return [(208 + 8 * at + x, 212 + y, *size) for at in range(letters) for x, y, *size in GLYPH]


def luma(drawn: list[Stroke], width: int = WIDTH, height: int = HEIGHT) -> list[list[int]]:
    """A page as video's luma, 16 to 235."""
    rows = [[235] * width for _ in range(height)]
    for x, y, wide, high in drawn:
        for row in range(y, y + high):
            rows[row][x : x + wide] = [16] * wide
    return rows


def likeness(one: list[list[int]], other: list[list[int]], side: int = 8) -> float:
    """SSIM of two pictures of one size, the mean over windows that do not overlap."""
    found = []
    for top in range(0, len(one) - side + 1, side):
        for left in range(0, len(one[0]) - side + 1, side):
            a = [value for row in one[top : top + side] for value in row[left : left + side]]
            b = [value for row in other[top : top + side] for value in row[left : left + side]]
            found.append(_window(a, b))
    return sum(found) / len(found)


def _window(a: list[int], b: list[int]) -> float:
    n = len(a)
    mean_a, mean_b = sum(a) / n, sum(b) / n
    spread_a = sum((v - mean_a) ** 2 for v in a) / n
    spread_b = sum((v - mean_b) ** 2 for v in b) / n
    common = sum((v - mean_a) * (w - mean_b) for v, w in zip(a, b, strict=True)) / n
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return ((2 * mean_a * mean_b + c1) * (2 * common + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2)
    )
