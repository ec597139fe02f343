"""The packet filter of a machine's network, as text for `nft -f -`. Pure.

Two walls, one behind the other, and each alone would do. At the TAP (netdev) everything is dropped but what one
guest may say to three kinds of ports, and its question for the gateway's hardware address. Behind it (ip, arp)
the same again for what comes in, and nothing goes out but answers of those ports. Nothing is forwarded. No
connection tracking: each rule is true for a packet by itself. Every drop is counted.
"""

from __future__ import annotations

from transom_wire.vm import GATEWAY, GUEST, GUEST_MAC, TAP, TAP_MAC

LINK_PORT, FORWARDER_PORT = 4001, 3128
FIRST_DOOR = 4100
"""The door's sockets have this port inside, and the next ones: the rules can be there before the sockets."""
TABLE = "transom"

_LISTENERS = f"{{ {FORWARDER_PORT}, {LINK_PORT} }}"


def ruleset(doors: int) -> str:
    """Rules for a network with `doors` door sockets."""
    udp = f"{FIRST_DOOR}-{FIRST_DOOR + doors - 1}"
    flow = f"ip saddr {GUEST} ip daddr {GATEWAY}"
    back = f'oifname "{TAP}" ip saddr {GATEWAY} ip daddr {GUEST}'
    return f"""
table netdev {TABLE} {{
  chain ingress {{
    type filter hook ingress device {TAP} priority 0; policy drop;
    ether saddr != {GUEST_MAC} counter drop comment "foreign hardware address"
    ether type arp arp operation request arp saddr ether {GUEST_MAC} arp saddr ip {GUEST} \
arp daddr ip {GATEWAY} \
limit rate 50/second burst 20 packets counter accept
    ether type arp counter drop comment "arp"
    ether type ip6 counter drop comment "ipv6"
    ether type != ip counter drop comment "other protocols"
    ether daddr != {TAP_MAC} counter drop comment "not to the gateway's hardware address"
    ip frag-off & 0x3fff != 0 counter drop comment "fragments"
    {flow} tcp dport {_LISTENERS} counter accept
    {flow} udp dport {udp} counter accept
    counter drop comment "other"
  }}
}}
table arp {TABLE} {{
  chain output {{
    type filter hook output priority 0; policy drop;
    arp operation reply counter accept
    counter drop comment "arp out"
  }}
}}
table inet {TABLE} {{
  chain input {{
    type filter hook input priority 0; policy drop;
    iifname "{TAP}" {flow} tcp dport {_LISTENERS} counter accept
    iifname "{TAP}" {flow} udp dport {udp} counter accept
    counter drop comment "in"
  }}
  chain output {{
    type filter hook output priority 0; policy drop;
    {back} tcp sport {_LISTENERS} counter accept
    {back} udp sport {udp} counter accept
    counter drop comment "out"
  }}
  chain forward {{
    type filter hook forward priority 0; policy drop;
    counter drop comment "forward"
  }}
}}
"""
