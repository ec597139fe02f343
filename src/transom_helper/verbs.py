"""What each request does. Every check of who may, and of what came, is made before anything is, and before a
request waits for another about the same machine: what waits holds no more descriptors than its verb takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from transom_helper import descriptors as given
from transom_helper import groups, network
from transom_helper.admission import Admission
from transom_helper.jail import Jails, Plan
from transom_helper.ledger import Key, Ledger
from transom_helper.living import Living
from transom_helper.refusal import Refusal
from transom_helper.server import Answer
from transom_keeper import cgroups
from transom_keeper.packets import close
from transom_wire import WIRE_VERSION
from transom_wire.helper import (
    Found,
    Group,
    HelperRequest,
    Jailed,
    MakeGroup,
    MakeNetwork,
    Network,
    Remove,
    Removed,
    StartJail,
    Survey,
)


@dataclass(slots=True)
class Verbs:
    """The verbs, over what the helper has."""

    admission: Admission
    ledger: Ledger
    jails: Jails
    machines: int
    """One caller's most."""
    controllers: tuple[str, ...] = ()
    """The limits that machines can be given, as far as it was tried."""
    living: Living = field(default_factory=Living)

    def __call__(self, uid: int, request: HelperRequest, descriptors: list[int]) -> Answer:
        """Do it. Raises Refusal, OSError."""
        match request:
            case MakeNetwork():
                return self._make_network(uid, request, descriptors)
            case MakeGroup():
                given.expect(descriptors, 1)
                with self.ledger.hold(Key(request.tag, request.machine)):
                    return self._make_group(uid, request, descriptors)
            case StartJail():
                self.admission.owner(uid, request.owner)
                plan = self.jails.plan(uid, request, descriptors)
                self.living.expect(plan.namespace, uid)
                with self.ledger.hold(Key(request.tag, request.machine)):
                    return self._start_jail(uid, request, plan)
            case Remove():
                given.expect(descriptors, 0)
                with self.ledger.hold(Key(request.tag, request.machine)):
                    return self._remove(uid, Key(request.tag, request.machine))
            case Survey(tag):
                given.expect(descriptors, 0)
                machines = tuple(self.ledger.visible(tag, uid))[:4096]
                jail = self.jails.trouble()[:500]
                return Answer(Found(machines, WIRE_VERSION, jail, self.controllers))

    def _make_network(self, uid: int, request: MakeNetwork, descriptors: list[int]) -> Answer:
        given.expect(descriptors, 0)
        self.admission.owner(uid, request.owner)
        self.living.check(uid, self.machines)
        made = network.make(request.owner, request.doors, open_tap=request.open_tap)
        try:
            self.living.note(made.namespace, uid)
        except OSError:
            close(made.descriptors)
            raise
        return Answer(Network(), made.descriptors)

    def _make_group(self, uid: int, request: MakeGroup, descriptors: list[int]) -> Answer:
        pid = given.process(descriptors[0], uid or None)
        made = self._groups(uid, request)
        try:
            groups.join(made, descriptors[0], pid)
        finally:
            made.close()
        return Answer(Group(_told(made.warnings)))

    def _groups(
        self, uid: int, request: MakeGroup | StartJail, jail: str = "", program: str = ""
    ) -> cgroups.Groups:
        """The machine's groups, written down before they are made, and the jail that is about to be."""
        key, name = Key(request.tag, request.machine), f"{request.machine}-{request.tag}"
        places = cgroups.own_bases()
        self.ledger.open(key, uid, self.machines, groups.folders(name, places), jail, program)
        return groups.make(name, request.limits, places)

    def _start_jail(self, uid: int, request: StartJail, plan: Plan) -> Answer:
        key = Key(request.tag, request.machine)
        entry = self.ledger.get(key, uid)
        if entry is not None and entry.jail:
            raise Refusal("this machine has a jail", "remove the machine first")
        made = self._groups(uid, request, plan.id, plan.program.name)
        try:
            pidfd, api = self.jails.start(plan, made)
        except BaseException:
            self._remove(uid, key)
            raise
        finally:
            made.close()
        return Answer(Jailed(_told(made.warnings)), (pidfd, api))

    def _remove(self, uid: int, key: Key) -> Answer:
        entry = self.ledger.get(key, uid)
        if entry is not None:
            groups.end(entry.groups)
            if entry.jail:
                self.jails.remove(entry.jail, entry.program)
            self.ledger.forget(key)
        return Answer(Removed())


def _told(warnings: list[str]) -> tuple[str, ...]:
    return tuple(each[:500] for each in warnings[:16])
