from __future__ import annotations

from collections.abc import Sequence

import pytest

from transom.model.alert import Alert, AlertKind
from transom.model.errors import Unavailable
from transom.observe.alerts import Alerts


class Rows:
    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.kept: list[Alert] = []

    async def add_alert(self, alert: Alert) -> int:
        if self.away:
            raise Unavailable("the database is locked")
        self.kept.append(alert)
        return len(self.kept)

    async def list_alerts(self, limit: int) -> Sequence[Alert]:
        return self.kept[:limit]

    async def acknowledge(self, number: int, *, by: str, at: int) -> bool:
        return True


class Post:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def put(self, alert: Alert) -> None:
        self.alerts.append(alert)


@pytest.mark.parametrize("away", [False, True])
async def test_an_alert_goes_everywhere_also_without_a_database(away: bool) -> None:
    rows, post, counted = Rows(away=away), Post(), list[Alert]()
    await Alerts(rows, count=counted.append, poster=post).raised(Alert(AlertKind.POOL_LOW, "few", 5))
    assert [alert.text for alert in counted] == [alert.text for alert in post.alerts] == ["few"]
    assert post.alerts[0].number == (0 if away else 1)


def test_every_kind_has_a_level_and_a_line_in_the_reference() -> None:
    from pathlib import Path

    page = (Path(__file__).resolve().parents[4] / "docs/reference/alerts.md").read_text()
    for kind in AlertKind:
        assert f"| `{kind.value}` | {kind.level} |" in page
