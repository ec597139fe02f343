"""A provider: a CLI tool that can be signed in to, as one file of `providers/` describes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from transom.model.exit import Lists
from transom_wire.link import SigninSpec


@dataclass(frozen=True, slots=True)
class Card:
    """What the dashboard shows: `title` is the button's text."""

    id: str
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Provider:
    """One table. `spec` is the part that travels to the guest; cards are sorted by (order, id)."""

    id: str
    name: str
    title: str
    order: int
    spec: SigninSpec
    network: Lists = field(default_factory=Lists)
    """Where its sign-in's machine may go; empty: everywhere."""

    @property
    def card(self) -> Card:
        """The part that is shown."""
        return Card(self.id, self.name, self.title)

    @property
    def file_names(self) -> frozenset[str]:
        """Every path, relative to the home folder, that a sign-in of this provider may leave."""
        return frozenset(file.path for file in self.spec.files)
