"""transom image: the golden image that every machine starts from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows
from transom.cli.serve import read_settings

if TYPE_CHECKING:
    from transom.images.store import ImageStore

app = typer.Typer(help="The golden image that every machine starts from.", no_args_is_help=True)
RECIPE = Path(__file__).resolve().parents[3] / "image"
Digest = Annotated[str | None, typer.Argument(help="Its digest, or enough of the beginning.")]


@app.command()
def build(
    recipe: Annotated[
        Path, typer.Option(help="Folder of the recipe.", show_default="the one shipped")
    ] = RECIPE,
    suite: Annotated[str, typer.Option(help="Debian release.")] = "trixie",
    mirror: Annotated[str | None, typer.Option(envvar="TRANSOM_MIRROR", help="Debian mirror.")] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Build the image, or find it built; new sessions use it."""
    from rich.console import Console

    from transom.images.build import build as make
    from transom.images.terminal import shown

    store = _store(state)
    with shown(Console(stderr=True, soft_wrap=True)) as progress:
        digest = make(recipe, store, progress, suite=suite, mirror=mirror)
    if as_json:
        show_json({"digest": digest, "root": str(store.root(digest))})
    else:
        print(digest)


@app.command("list")
def list_images(state: State = None, as_json: AsJson = False) -> None:
    """The whole images here; the one in use is marked."""
    store = _store(state)
    current = store.current()
    rows = [
        {
            "digest": image.digest,
            "in_use": image.digest == current,
            "suite": image.suite,
            "built_at": image.built_at * 1000,
            "size_mib": image.size // 2**20,
            "packages": len(image.packages),
        }
        for image in store.list()
    ]
    columns = ("digest", "in_use", "suite", "built_at", "size_mib", "packages")
    show_rows(rows, columns, as_json=as_json, none="No image. Build it: transom image build")


@app.command()
def use(digest: Digest, state: State = None, as_json: AsJson = False) -> None:
    """Let new sessions start from this image."""
    store = _store(state)
    chosen = _chosen(store, digest)
    store.use(chosen)
    if as_json:
        show_json({"in_use": chosen})
    else:
        print(f"new sessions start from {chosen}")


@app.command()
def verify(digest: Digest = None, state: State = None, as_json: AsJson = False) -> None:
    """Look an image over, the one in use unless named; exit code 1 when something is wrong."""
    from transom.images.verify import verify as look

    store = _store(state)
    chosen = _chosen(store, digest)
    wrong = look(store.root(chosen))
    if as_json:
        show_json({"digest": chosen, "wrong": wrong})
    else:
        print(f"{chosen}: {'whole' if not wrong else 'broken'}")
        for sentence in wrong:
            print(f"  {sentence}", file=sys.stderr)
    if wrong:
        raise typer.Exit(1)


def _store(state: Path | None) -> ImageStore:
    from transom.images.store import ImageStore

    return ImageStore(read_settings(state=state).images_dir)


def _chosen(store: ImageStore, wanted: str | None) -> str:
    if wanted is None:
        current = store.current()
        if current is None:
            raise Failure("there is no image yet", mend="transom image build")
        return current
    known = [image.digest for image in store.list()]
    found = [
        digest
        for digest in known
        if digest.removeprefix("sha256-").startswith(wanted.removeprefix("sha256-"))
    ]
    if len(found) != 1:
        many = "several images begin so" if found else "no whole image begins so"
        raise Failure(many, mend="transom image list")
    return found[0]
