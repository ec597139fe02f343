"""Which keysym stands for which character. Pure.

X11 has two keysyms for most characters: one by its code point, and an older one of some national set. Viewers
send either; here the one by code point counts (of Latin-1 the older, which is the code point itself).
"""

from __future__ import annotations

UNICODE_KEYSYM = 0x01000000
_NAMED_CONTROL = {"\n": 0xFF0D, "\r": 0xFF0D, "\t": 0xFF09, "\b": 0xFF08}
_SETS = {0x1: "iso8859_2", 0x2: "iso8859_3", 0x3: "iso8859_4", 0x6: "koi8_u"}
"""High byte of a national keysym -> the coding of its low byte, from 0xA1 on (X11 protocol, appendix A)."""
_SINGLE = {
    0x6B0: "№",
    0x13BC: "Œ",
    0x13BD: "œ",
    0x13BE: "Ÿ",
    0x20AC: "€",
    0xAA9: "—",
    0xAAA: "–",
    0xAAE: "…",
    0xAD0: "‘",
    0xAD1: "’",
    0xAD2: "“",
    0xAD3: "”",
    0xAE6: "•",
    0xAFD: "‚",
    0xAFE: "„",
    0xAC9: "™",
}
COMMON = (
    "€£àÀáÁâÂãÃäÄåÅæÆçÇèÈéÉêÊëËìÌíÍîÎïÏñÑòÒóÓôÔõÕöÖøØùÙúÚûÛüÜßẞœŒ"
    "аАбБвВгГдДеЕёЁжЖзЗиИйЙкКлЛмМнНоОпПрРсСтТуУфФхХцЦчЧшШщЩъЪыЫьЬэЭюЮяЯ"
    "§°²³µ¹«»¿¡¨´„“іІїЇєЄґҐ№•"
)
"""In pairs, plain and with Shift: what keyboards of many countries have and the desktop's own lacks."""


def keysym_of(char: str) -> int | None:
    """The keysym that stands for `char`; None for a control character that no key makes."""
    if char in _NAMED_CONTROL:
        return _NAMED_CONTROL[char]
    point = ord(char)
    if 0x20 <= point <= 0x7E or 0xA0 <= point <= 0xFF:
        return point
    return UNICODE_KEYSYM + point if point > 0xFF else None


def keysyms_of(text: str) -> list[int]:
    """The keysyms that type `text`."""
    joined = text.replace("\r\n", "\n")
    return [keysym for char in joined if (keysym := keysym_of(char)) is not None]


def canonical(keysym: int) -> int:
    """The one of a character's keysyms that counts; what is no character stays as it is."""
    char = _character(keysym)
    return keysym if char is None else keysym_of(char) or keysym


def common_pairs() -> list[tuple[int, int]]:
    """COMMON as pairs of keysyms, the older ones."""
    found = [national(keysym) for keysym in keysyms_of(COMMON)]
    return list(zip(found[::2], found[1::2], strict=True))


def national(keysym: int) -> int:
    """The older of a character's keysyms, which VNC servers look for; without one, it as it is."""
    return _NATIONAL.get(keysym, keysym)


def _character(keysym: int) -> str | None:
    if keysym in _SINGLE:
        return _SINGLE[keysym]
    if UNICODE_KEYSYM < keysym <= UNICODE_KEYSYM + 0x10FFFF:
        return chr(keysym - UNICODE_KEYSYM)
    coding = _SETS.get(keysym >> 8)
    if coding is None or keysym & 0xFF < 0xA1:
        return None
    char = bytes([keysym & 0xFF]).decode(coding, "replace")
    # the box drawings of KOI8 are no keysyms
    return char if char.isalpha() else None


_NATIONAL = {
    canonical(old): old
    # of two sets that have a character, the first has its keysym
    for old in (*(high << 8 | low for high in reversed(_SETS) for low in range(0xA1, 0x100)), *_SINGLE)
    if UNICODE_KEYSYM <= canonical(old) != old
}
