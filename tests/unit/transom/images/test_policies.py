"""What Chromium may do by itself: nothing that leaves the machine without its user's word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[4] / "image/overlay/etc/chromium/policies/managed/transom.json"
POLICIES: dict[str, Any] = json.loads(FILE.read_text())

ROADS = {
    "WebRtcIPHandling": "disable_non_proxied_udp",
    "DnsOverHttpsMode": "off",
    "BuiltInDnsClientEnabled": False,
    "AdditionalDnsQueryTypesEnabled": False,
    "QuicAllowed": False,
    "WPADQuickCheckEnabled": False,
}
"""Ways around a proxy."""

CALLS = {
    "AlternateErrorPagesEnabled": False,
    "BackgroundModeEnabled": False,
    "BrowserNetworkTimeQueriesEnabled": False,
    "BrowserSignin": 0,
    "ChromeVariations": 2,
    "ComponentUpdatesEnabled": False,
    "DomainReliabilityAllowed": False,
    "EnableMediaRouter": False,
    "EnableOnlineRevocationChecks": False,
    "FeedbackSurveysEnabled": False,
    "GenAiDefaultSettings": 2,
    "MetricsReportingEnabled": False,
    "NetworkPredictionOptions": 2,
    "PasswordLeakDetectionEnabled": False,
    "SafeBrowsingDeepScanningEnabled": False,
    "SafeBrowsingExtendedReportingEnabled": False,
    "SafeBrowsingProtectionLevel": 0,
    "SafeBrowsingProxiedRealTimeChecksAllowed": False,
    "SafeBrowsingSurveysEnabled": False,
    "SearchSuggestEnabled": False,
    "SpellCheckServiceEnabled": False,
    "SyncDisabled": True,
    "TranslateEnabled": False,
    "UrlKeyedAnonymizedDataCollectionEnabled": False,
    "UserFeedbackAllowed": False,
    "WebRtcEventLogCollectionAllowed": False,
}
"""Calls that nobody asked for."""


@pytest.mark.parametrize(("policy", "value"), [*ROADS.items(), *CALLS.items()])
def test_the_browser_calls_nobody_by_itself(policy: str, value: Any) -> None:
    assert POLICIES[policy] == value
    assert type(POLICIES[policy]) is type(value)


def test_everything_but_the_machine_s_own_loopback_goes_through_the_forwarder() -> None:
    proxy = POLICIES["ProxySettings"]
    assert proxy["ProxyMode"] == "fixed_servers"
    rules = proxy["ProxyBypassList"].split(",")
    # Chromium sends link-local addresses, so metadata services too, past a proxy unless this comes first;
    # a later rule wins, so that a sign-in's callback still reaches the machine's own loopback.
    assert rules[0] == "<-loopback>"
    assert set(rules[1:]) == {"localhost", "127.0.0.1", "[::1]"}
