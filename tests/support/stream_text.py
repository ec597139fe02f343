"""A page like small text, the same wherever it is made: strokes on white. No imports but of Python's own."""

import random

WIDTH, HEIGHT = 400, 300


def strokes() -> list[tuple[int, int, int, int]]:
    """Dark rectangles (x, y, width, height), a pixel thin: cells of 8 x 14 with a few in each."""
    drawn = random.Random(7)
    found = []
    for y in range(6, HEIGHT - 14, 14):
        for x in range(6, WIDTH - 10, 8):
            if drawn.random() < 0.15:
                continue
            found.append((x + drawn.randrange(5), y, 1, 9))
            found += [(x, y + drawn.randrange(9), 5, 1) for _ in range(2)]
    return found


def luma() -> list[list[int]]:
    """The page as video's luma, 16 to 235."""
    rows = [[235] * WIDTH for _ in range(HEIGHT)]
    for x, y, width, height in strokes():
        for row in range(y, y + height):
            rows[row][x : x + width] = [16] * width
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
