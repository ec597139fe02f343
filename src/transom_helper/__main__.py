"""`python -m transom_helper --socket PATH --allow-uid N`: the root helper, until it is told to end."""

from __future__ import annotations

import logging
import os
import sys

from transom_helper import groups, server
from transom_helper.admission import Admission
from transom_helper.jail import Jails
from transom_helper.ledger import Ledger
from transom_helper.options import parse
from transom_helper.refusal import Refusal
from transom_helper.verbs import Verbs
from transom_keeper.cgroups import CONTROLLERS


def main() -> int:
    """Serve. The exit code is 1 when it cannot begin."""
    options = parse(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        if os.geteuid() != 0:
            raise Refusal("the helper needs root", "start it as a service: deploy/transom-helper.service")
        admission = Admission(options.allowed, options.owners)
        ledger = Ledger(options.chroot_base)
        jails = Jails(options.chroot_base, options.firecracker, options.jailer)
        verbs = Verbs(admission, ledger, jails, options.machines, groups.trial())
        if missing := [each for each in CONTROLLERS if each not in verbs.controllers]:
            logging.getLogger("helper").warning("machines get no limit of: %s", ", ".join(missing))
        if trouble := jails.trouble():
            logging.getLogger("helper").info("no Firecracker: %s", trouble)
        listener = server.passed_socket() or server.bind(options.socket)
        server.serve(listener, admission, verbs)
    except (Refusal, OSError) as error:
        mend = f" (mend: {error.mend})" if isinstance(error, Refusal) and error.mend else ""
        print(f"transom_helper: {error}{mend}", file=sys.stderr)  # noqa: T201 (said before there is a log)
    return 1


if __name__ == "__main__":
    sys.exit(main())
