"""What a tool draws on a terminal, as plain lines of text. Pure, and bounded whatever the tool writes.

One line is emulated (carriage return, backspace, cursor left and right, erase); every vertical move ends
the line. The target of a hyperlink (OSC 8) is a line of its own: it is whole even where its text wraps.
"""

from __future__ import annotations

import codecs
import re

MAX_LINE = 4096
"""Characters of a line; a longer one is cut into several."""
MAX_LINES = 2000
"""Lines given out for one call of `feed`; a flood loses its middle, never the newest."""
MAX_STRING = 16384
"""Characters of an operating system command; in a longer one the terminal gives up and shows text again."""
MAX_JUMP = 512
"""Columns one cursor movement may skip."""

_ESC, _BEL = "\x1b", "\x07"
_CSI = re.compile(r"[0-9:;<=>?]{0,64}[ -/]{0,4}[@-~]")
_CSI_PART = re.compile(r"[0-9:;<=>?]{0,64}[ -/]{0,4}")
_STRING_KINDS = "]PX^_"
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\x80-\x9f]+")


class TerminalText:
    """Bytes in, lines out. `partial` is the line being written: prompts do not end in a newline."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._line: list[str] = []
        self._column = 0
        self._out: list[str] = []

    @property
    def partial(self) -> str:
        """The unfinished line."""
        return "".join(self._line).rstrip()

    def feed(self, data: bytes) -> list[str]:
        """Take in what the tool wrote and return the lines it finished, none of them empty."""
        text = self._rest + self._decoder.decode(data)
        at = 0
        while at < len(text):
            step = self._step(text, at)
            if step == 0:
                break
            at += step
        self._rest = text[at:]
        lines, self._out = self._out, []
        return lines

    def _step(self, text: str, at: int) -> int:
        """Use up some characters at `at` and say how many; 0 when a sequence is not whole yet."""
        if text[at] == _ESC:
            return self._escape(text, at)
        plain = _PLAIN.match(text, at)
        if plain:
            self._write(plain.group())
            return len(plain.group())
        self._control(text[at])
        return 1

    def _escape(self, text: str, at: int) -> int:
        if at + 1 >= len(text):
            return 0
        kind = text[at + 1]
        if kind == "[":
            return self._csi(text, at)
        if kind in _STRING_KINDS:
            return self._string(text, at)
        if kind in " #%()*+-./":
            return 3 if at + 2 < len(text) else 0
        if kind in "DEM":
            self._end_line()
        return 1 if kind == _ESC else 2

    def _csi(self, text: str, at: int) -> int:
        whole = _CSI.match(text, at + 2)
        if not whole:
            part = _CSI_PART.match(text, at + 2)
            end = part.end() if part else at + 2
            return 0 if end == len(text) and end - at < 70 else end - at
        sequence = whole.group()
        self._move(sequence[-1], sequence[:-1])
        return len(sequence) + 2

    def _string(self, text: str, at: int) -> int:
        start = at + 2
        ends = [end for end in (text.find(_BEL, start), text.find(_ESC, start)) if end >= 0]
        if not ends:
            return 2 if len(text) - start > MAX_STRING else 0
        end = min(ends)
        if end - start > MAX_STRING:
            return 2
        if text[end] == _ESC and end + 1 >= len(text):
            return 0
        body = text[start:end]
        if text[at + 1] == "]" and body.startswith("8;"):
            target = body.split(";", 2)[2:]
            if target and target[0]:
                self._emit(target[0])
        return end - at + (2 if text[end : end + 2] == "\x1b\\" else int(text[end] == _BEL))

    def _move(self, final: str, parameters: str) -> None:
        first = re.match(r"[0-9]{1,6}", parameters)
        count = min(int(first.group()) if first else 1, MAX_JUMP) or 1
        if final == "C":
            self._column = min(self._column + count, MAX_LINE)
        elif final == "D":
            self._column = max(0, self._column - count)
        elif final in "G`":
            self._column = count - 1
        elif final == "K":
            if parameters in ("", "0"):
                del self._line[self._column :]
            elif parameters == "2":
                self._line.clear()
        elif final in "ABEFHJSTdf":
            self._end_line()

    def _control(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char in "\n\v\f\x85":
            self._end_line()
        elif char == "\b":
            self._column = max(0, self._column - 1)
        elif char == "\t":
            self._write(" ")

    def _write(self, text: str) -> None:
        while text:
            room = MAX_LINE - self._column
            if room <= 0:
                self._end_line()
                continue
            piece, text = text[:room], text[room:]
            if self._column > len(self._line):
                self._line.extend(" " * (self._column - len(self._line)))
            self._line[self._column : self._column + len(piece)] = piece
            self._column += len(piece)

    def _end_line(self) -> None:
        self._emit(self.partial)
        self._line, self._column = [], 0

    def _emit(self, line: str) -> None:
        line = line.strip()[:MAX_LINE]
        if line:
            self._out.append(line)
            if len(self._out) > MAX_LINES:
                del self._out[: MAX_LINES // 2]
