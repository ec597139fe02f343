"""What is known of a host, and what the settings ask of it: `host_facts` gathers the one, `host` judges both."""

from __future__ import annotations

from dataclasses import dataclass

from transom.model.machine import VM_DRIVERS


@dataclass(frozen=True, slots=True)
class Kvm:
    """What opening /dev/kvm and making an empty machine came to."""

    present: bool
    error: str = ""
    """Why it could not be opened, or made no machine; empty when it did."""
    nested: bool = False
    """This host is a virtual machine itself."""
    pvm: bool = False
    """It is served by PVM: nested without hardware, and most kernels do not get through."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One place that memory is written to."""

    name: str
    safe: bool
    """Encrypted, or in memory itself (zram)."""


@dataclass(frozen=True, slots=True)
class RootHelper:
    """What the root helper answered."""

    reason: str = ""
    """Why it did not; empty when it did."""
    version: int = 0
    jail: str = ""
    """Why it makes no jail; empty when it does."""
    controllers: tuple[str, ...] = ()
    """Those that groups of its making can have."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What `host_facts.gather` saw. Empty text: the kernel does not say."""

    kernel: str
    architecture: str
    programs: dict[str, str]
    """bwrap, nft, qemu, firecracker -> what each says of its version; those that do not run are missing."""
    kvm: Kvm
    tun: bool
    vhost: tuple[str, ...]
    """Of /dev/vhost-net and /dev/vhost-vsock, those there are."""
    sysctls: dict[str, str]
    cgroup_version: int
    """0: no control groups."""
    controllers: tuple[str, ...]
    """Those that machines' groups can have."""
    ksm: str
    smt_control: str
    smt_active: str
    vulnerable: tuple[str, ...]
    """Holes of this processor that the kernel does not close."""
    swaps: tuple[Swap, ...]
    memory_bytes: int
    available_bytes: int
    clock_synchronized: bool | None
    door: str
    """Why the door's address cannot be used; empty when it can."""
    door_is_own: bool
    """The door's address is one of this host's."""
    helper: RootHelper
    uid: int
    """Who the controller is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings ask of the host."""

    driver: str
    memory_bytes: int
    """Of one machine."""
    machines: int
    """At once, at most."""
    door_address: str
    wire_version: int

    @property
    def virtual(self) -> bool:
        """Machines are virtual machines."""
        return self.driver in VM_DRIVERS
