"""`python -m transom.images [RECIPE] [STORE]`: build the image and print its digest."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from transom.images.build import build
from transom.images.errors import ImageError
from transom.images.recipe import SUITE_DEFAULT
from transom.images.store import ImageStore, default_folder
from transom.images.terminal import shown

RECIPE = Path(__file__).parents[3] / "image"


def main(arguments: list[str]) -> int:
    """Build; 0 when there is an image, 1 with the reason and its mend on standard error."""
    recipe_dir = Path(arguments[0]) if arguments else RECIPE
    told = os.environ
    folder = Path(arguments[1] if len(arguments) > 1 else told.get("TRANSOM_IMAGES") or default_folder())
    errors = Console(stderr=True, soft_wrap=True)
    try:
        with shown(errors) as progress:
            digest = build(
                recipe_dir,
                ImageStore(folder),
                progress,
                suite=told.get("TRANSOM_IMAGE_SUITE") or SUITE_DEFAULT,
                mirror=told.get("TRANSOM_MIRROR"),
                without=told.get("TRANSOM_IMAGE_WITHOUT", "").replace(",", " ").split(),
            )
    except ImageError as error:
        errors.print(f"{error.message}\nmend: {error.mend}", markup=False, highlight=False)
        return 1
    sys.stdout.write(f"{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
