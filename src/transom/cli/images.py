"""transom image: the golden image that every machine starts from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows
from transom.cli.serve import read_settings

if TYPE_CHECKING:
    from transom.images.manifest import Layer, Manifest
    from transom.images.store import ImageStore
    from transom.images.trial import Findings
    from transom.settings import Settings

app = typer.Typer(help="The golden image that every machine starts from.", no_args_is_help=True)
RECIPE = Path(__file__).resolve().parents[3] / "image"
MIB = 2**20
Digest = Annotated[str | None, typer.Argument(help="Its digest, or enough of the beginning.")]


@app.command()
def build(
    recipe: Annotated[
        Path, typer.Option(help="Folder of the recipe.", show_default="the one shipped")
    ] = RECIPE,
    suite: Annotated[str | None, typer.Option(help="Debian release.", show_default="trixie")] = None,
    mirror: Annotated[str | None, typer.Option(help="Debian mirror.", show_default="Debian's own")] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="A layer to leave out: cli, desktop, gstreamer, vm. May be said again."),
    ] = None,
    ext4: Annotated[bool, typer.Option("--ext4", help="Make an ext4 beside the squashfs.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Build the image, or find it built; new sessions use it, unless it was rolled back from."""
    from rich.console import Console

    from transom.images.build import build as make
    from transom.images.terminal import shown

    settings = read_settings(
        state=state,
        image_suite=suite,
        image_mirror=mirror,
        image_without=",".join(without) if without else None,
    )
    store = _store(settings)
    with shown(Console(stderr=True, soft_wrap=True)) as progress:
        digest = make(
            recipe,
            store,
            progress,
            suite=settings.image_suite,
            mirror=settings.image_mirror,
            without=settings.image_without,
            ext4=ext4,
        )
    _say_built(store, digest, as_json)


@app.command("list")
def list_images(state: State = None, as_json: AsJson = False) -> None:
    """The whole images here; the one new sessions use is marked, and those that machines run from."""
    store = _store(read_settings(state=state))
    current = store.current()
    rows = [
        {
            "digest": image.digest,
            "in_use": image.digest == current,
            "machines": store.in_use(image.digest),
            "suite": image.suite,
            "built_at": image.built_at * 1000,
            "size_mib": image.size // MIB,
            "packages": len(image.packages),
            "layers": " ".join(sorted(name for name in image.layers if name != "shared")),
        }
        for image in store.list()
    ]
    columns = ("digest", "in_use", "machines", "suite", "built_at", "size_mib", "packages", "layers")
    show_rows(rows, columns, as_json=as_json, none="No image. Build it: transom image build")


@app.command()
def use(digest: Digest, state: State = None, as_json: AsJson = False) -> None:
    """Let new sessions start from this image; everything in it is held to its digests first."""
    store = _store(read_settings(state=state))
    chosen = _chosen(store, digest)
    store.use(chosen)
    _say_chosen(chosen, as_json)


@app.command()
def rollback(state: State = None, as_json: AsJson = False) -> None:
    """Let new sessions start from the image that was in use before; no build undoes it."""
    store = _store(read_settings(state=state))
    _say_chosen(store.rollback(), as_json)


@app.command()
def remove(
    digest: Annotated[str, typer.Argument(help="Its digest, or enough of the beginning.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Remove an image that is not in use; refused while a machine runs from it."""
    store = _store(read_settings(state=state))
    chosen = _chosen(store, digest)
    store.remove(chosen)
    if as_json:
        show_json({"removed": chosen})
    else:
        print(f"removed {chosen}")


@app.command()
def verify(
    digest: Digest = None,
    vm: Annotated[bool, typer.Option("--vm", help="Boot it in a virtual machine as well.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Boot an image and look it over, the one in use unless named; exit code 1 when something is wrong."""
    from transom.images import trial
    from transom.images.errors import ImageError
    from transom.images.verify import verify as look

    settings = read_settings(state=state)
    store = _store(settings)
    chosen = _chosen(store, digest)
    manifest = store.manifest(chosen)
    found: dict[str, Findings] = {}
    wrong = []
    try:
        store.check(chosen)
        wrong = look(store.root(chosen), manifest.layers or None)
        found["sandbox"] = trial.in_sandbox(store, chosen)
        if vm:
            found["vm"] = trial.in_machine(
                store, chosen, settings.qemu, _accelerator(settings, store, chosen)
            )
    except ImageError as error:
        wrong.append(error.message)
    wrong += [f"in the {place}: {sentence}" for place, each in found.items() for sentence in each.wrong]
    if as_json:
        show_json(_report(manifest, wrong, found))
    else:
        _print_report(manifest, wrong, found)
    if wrong:
        raise typer.Exit(1)


def _accelerator(settings: Settings, store: ImageStore, digest: str) -> str:
    from transom.drivers.qemu.accelerator import Accelerators

    return Accelerators(settings.qemu, settings.accelerator).choose(store.part(digest, "vmlinux"))


def _report(manifest: Manifest, wrong: list[str], found: Mapping[str, Findings]) -> dict[str, object]:
    return {
        "digest": manifest.digest,
        "wrong": wrong,
        "painted_ms": {place: each.painted_ms for place, each in found.items()},
        "versions": {name: words for each in found.values() for name, words in each.said.items()},
        "layers": {name: {"packages": each.packages, "bytes": each.size} for name, each in _layers(manifest)},
        "parts": {name: part.size for name, part in manifest.parts.items()},
    }


def _print_report(manifest: Manifest, wrong: list[str], found: Mapping[str, Findings]) -> None:
    print(f"{manifest.digest}: {'whole' if not wrong else 'broken'}")
    for place, each in found.items():
        if each.painted_ms is not None:
            print(f"  {place}: first picture after {each.painted_ms / 1000:.1f} s")
    for name, words in (found["sandbox"].said if "sandbox" in found else {}).items():
        print(f"  {name}: {words.splitlines()[0] if words else '-'}")
    if manifest.layers:
        print("what each layer adds, beyond what others need as well:")
    for name, layer in _layers(manifest):
        print(f"  {name:<10} {layer.size / MIB:8.1f} MiB  {layer.packages:4d} packages")
    for name, part in sorted(manifest.parts.items()):
        print(f"  {name:<18} {part.size / MIB:8.1f} MiB")
    for sentence in wrong:
        print(f"  {sentence}", file=sys.stderr)


def _layers(manifest: Manifest) -> list[tuple[str, Layer]]:
    return sorted(manifest.layers.items(), key=lambda item: -item[1].size)


def _say_built(store: ImageStore, digest: str, as_json: bool) -> None:
    in_use = store.current() == digest
    if as_json:
        show_json({"digest": digest, "root": str(store.root(digest)), "in_use": in_use})
        return
    print(digest)
    if not in_use:
        print(f"it was rolled back from: transom image use {digest[7:19]}", file=sys.stderr)


def _say_chosen(chosen: str, as_json: bool) -> None:
    if as_json:
        show_json({"in_use": chosen})
    else:
        print(f"new sessions start from {chosen}")


def _store(settings: Settings) -> ImageStore:
    from transom.images.store import ImageStore

    return ImageStore(settings.images_dir)


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
