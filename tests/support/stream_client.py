"""An X client for stream tests; runs in the machine. Red while a key is down, black while none is;
`t` draws a page of small strokes, which stays until another key; each `p` another one over the whole screen,
on which `w` writes the next letter of a word.

It says on standard output what it felt: `press KEYSYM`, `release KEYSYM` (hexadecimal), `button N`,
`drop N`, `at X Y`, and `ready` at first.
"""

from stream_text import WHOLE, page, strokes, word
from Xlib import X, display

RED, BLACK, WHITE = 0xFF0000, 0x000000, 0xFFFFFF
TEXT, PAGE, WRITE = 0x74, 0x70, 0x77
held: dict[int, int] = {}
pages: list[int] = []


def main() -> None:
    connection = display.Display()
    screen = connection.screen()
    mask = X.KeyPressMask | X.KeyReleaseMask | X.ButtonPressMask | X.ButtonReleaseMask | X.PointerMotionMask
    window = screen.root.create_window(
        0, 0, 400, 300, 0, screen.root_depth, background_pixel=BLACK, override_redirect=1, event_mask=mask
    )
    window.map()
    connection.sync()
    window.set_input_focus(X.RevertToParent, X.CurrentTime)
    connection.sync()
    print("ready", flush=True)
    while True:
        feel(connection, window, connection.next_event())


def draw(window, drawn, width=0, height=0):
    """Draw strokes, upon white paper of this size."""
    ink = window.create_gc(foreground=WHITE)
    window.fill_rectangle(ink, 0, 0, width, height)
    ink.change(foreground=BLACK)
    window.poly_fill_rectangle(ink, drawn)
    ink.free()


def draw_page(connection, window):
    """The next page, at once: as a program does that draws beside the screen and then shows it."""
    if not pages:
        window.configure(width=WHOLE[0], height=WHOLE[1])
    pages.append(0)
    beside = window.create_pixmap(*WHOLE, connection.screen().root_depth)
    draw(beside, page(len(pages)), *WHOLE)
    ink = window.create_gc()
    window.copy_area(ink, beside, 0, 0, *WHOLE, 0, 0)
    ink.free()
    beside.free()


def feel(connection, window, event) -> None:
    if event.type in (X.KeyPress, X.KeyRelease):
        down = event.type == X.KeyPress
        index = bool(event.state & X.ShiftMask) + 4 * bool(event.state & X.Mod5Mask)
        keysym = connection.keycode_to_keysym(event.detail, index)
        # a release is of what was pressed, whatever the modifiers are by then
        keysym = held.setdefault(event.detail, keysym) if down else held.pop(event.detail, keysym)
        print("press" if down else "release", f"{keysym:x}", flush=True)
        if keysym == TEXT:
            draw(window, strokes(), 400, 300)
        elif keysym == PAGE:
            if down:
                draw_page(connection, window)
        elif keysym == WRITE:
            pages[-1] += down
            draw(window, word(pages[-1]))
        else:
            window.change_attributes(background_pixel=RED if down else BLACK)
            window.clear_area(0, 0, 400, 300)
        connection.flush()
    elif event.type in (X.ButtonPress, X.ButtonRelease):
        print("button" if event.type == X.ButtonPress else "drop", event.detail, flush=True)
    elif event.type == X.MotionNotify:
        print("at", event.root_x, event.root_y, flush=True)
    elif event.type == X.MappingNotify:
        connection.refresh_keyboard_mapping(event)


if __name__ == "__main__":
    main()
