"""MIT-SHM: the root window's pixels, row by row, in a segment shared with the server."""

from __future__ import annotations

import ctypes as c
from functools import cache

from transom_guest.x11.xlib import Display, XError, declare, library

BYTES_PER_PIXEL = 4
ALL_PLANES = c.c_ulong(-1).value
_ZPIXMAP = 2
_IPC_PRIVATE, _IPC_CREAT, _IPC_RMID = 0, 0o1000, 0
_SHMAT_FAILED = c.c_void_p(-1).value


class XShmSegmentInfo(c.Structure):
    _fields_ = (("shmseg", c.c_ulong), ("shmid", c.c_int), ("shmaddr", c.c_void_p), ("read_only", c.c_int))


class XImage(c.Structure):
    """The fields of Xlib's XImage up to the last we use."""

    _fields_ = (
        ("width", c.c_int),
        ("height", c.c_int),
        ("xoffset", c.c_int),
        ("format", c.c_int),
        ("data", c.c_void_p),
        ("byte_order", c.c_int),
        ("bitmap_unit", c.c_int),
        ("bitmap_bit_order", c.c_int),
        ("bitmap_pad", c.c_int),
        ("depth", c.c_int),
        ("bytes_per_line", c.c_int),
        ("bits_per_pixel", c.c_int),
    )


@cache
def _xext() -> c.CDLL:
    lib = library("libXext.so.6")
    image, info = c.POINTER(XImage), c.POINTER(XShmSegmentInfo)
    declare(
        lib,
        {
            "XShmQueryExtension": (c.c_int, (c.c_void_p,)),
            "XShmAttach": (c.c_int, (c.c_void_p, info)),
            "XShmDetach": (c.c_int, (c.c_void_p, info)),
            "XShmCreateImage": (
                image,
                (c.c_void_p, c.c_void_p, c.c_uint, c.c_int, c.c_void_p, info, c.c_uint, c.c_uint),
            ),
            "XShmGetImage": (c.c_int, (c.c_void_p, c.c_ulong, image, c.c_int, c.c_int, c.c_ulong)),
        },
    )
    return lib


@cache
def _libc() -> c.CDLL:
    lib = c.CDLL("libc.so.6", use_errno=True)
    declare(
        lib,
        {
            "shmget": (c.c_int, (c.c_int, c.c_size_t, c.c_int)),
            "shmat": (c.c_void_p, (c.c_int, c.c_void_p, c.c_int)),
            "shmdt": (c.c_int, (c.c_void_p,)),
            "shmctl": (c.c_int, (c.c_int, c.c_int, c.c_void_p)),
        },
    )
    return lib


class Screen:
    """A persistent copy of the root window: BGRx, `width * 4` bytes a row, rows refreshed on demand."""

    def __init__(self, display: Display, width: int, height: int) -> None:
        """Make the segment. Raises XError when the server has no MIT-SHM or no 32-bit pixels."""
        self.display, self.width, self.height = display, width, height
        self.stride = width * BYTES_PER_PIXEL
        self._ext, self._info = _xext(), XShmSegmentInfo()
        if not self._ext.XShmQueryExtension(display.pointer):
            raise XError("the X server lacks MIT-SHM")
        self._attach(self.stride * height)
        try:
            self._image = self._make_image()
        except XError:
            self.close()
            raise
        whole = c.c_ubyte * (self.stride * height)
        self.pixels = memoryview(whole.from_address(self._info.shmaddr)).cast("B")

    @property
    def address(self) -> int:
        """Where the first row begins, until `close`."""
        return int(self._info.shmaddr)

    def refresh(self, top: int, bottom: int) -> bool:
        """Copy rows `top` up to (not with) `bottom` from the server. False when they are not all on the screen."""
        if not 0 <= top < bottom <= self.height:
            return False
        image = self._image.contents
        image.height = bottom - top
        image.data = self._info.shmaddr + top * self.stride
        before = self.display.errors()
        done = self._ext.XShmGetImage(
            self.display.pointer, self.display.root, self._image, 0, top, ALL_PLANES
        )
        return bool(done) and self.display.errors() == before

    def close(self) -> None:
        """Give the memory back. Idempotent; `pixels` must not be read afterwards."""
        if not self._info.shmaddr:
            return
        self._ext.XShmDetach(self.display.pointer, c.byref(self._info))
        self.display.sync()
        _libc().shmdt(self._info.shmaddr)
        self._info.shmaddr = None
        image = getattr(self, "_image", None)
        if image is not None:
            self.display.x.XFree(c.cast(image, c.c_void_p))

    def _attach(self, size: int) -> None:
        libc = _libc()
        self._info.shmid = libc.shmget(_IPC_PRIVATE, size, _IPC_CREAT | 0o600)
        if self._info.shmid < 0:
            raise XError(f"no shared memory of {size} bytes")
        address = libc.shmat(self._info.shmid, None, 0)
        if address == _SHMAT_FAILED:
            libc.shmctl(self._info.shmid, _IPC_RMID, None)
            raise XError("shared memory cannot be attached")
        self._info.shmaddr = address
        before = self.display.errors()
        self._ext.XShmAttach(self.display.pointer, c.byref(self._info))
        self.display.sync()
        # removed at once: the memory then lives exactly as long as the two that hold it
        libc.shmctl(self._info.shmid, _IPC_RMID, None)
        if self.display.errors() != before:
            libc.shmdt(address)
            self._info.shmaddr = None
            raise XError("the X server cannot attach our shared memory")

    def _make_image(self) -> c._Pointer[XImage]:
        x, display = self.display.x, self.display
        visual = x.XDefaultVisual(display.pointer, display.screen)
        depth = x.XDefaultDepth(display.pointer, display.screen)
        image: c._Pointer[XImage] = self._ext.XShmCreateImage(
            display.pointer,
            visual,
            depth,
            _ZPIXMAP,
            self._info.shmaddr,
            c.byref(self._info),
            self.width,
            self.height,
        )
        if not image or image.contents.bits_per_pixel != 8 * BYTES_PER_PIXEL:
            raise XError("the screen has no 32-bit pixels")
        if image.contents.bytes_per_line != self.stride:
            raise XError("the screen's rows are padded")
        return image
