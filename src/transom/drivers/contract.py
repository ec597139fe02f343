"""What every driver promises. `model/ports.py` has the calls' shapes; this page has their meaning.

A machine's life, in the order a session walks through it:

1. `probe()` may be called at any time, before anything else, by anyone. It changes nothing. A host on which
   it says usable can make machines; each problem and each warning names the command or act that mends it.

   `flags` say what a driver can besides; they never change. `warm`: it makes machines that wait for their Claim.
   `snapshot`: `prepare` saves a machine, and warm ones are its clones. `own_kernel`: a guest that has taken over
   its kernel is still inside. A flag is the one excuse for a promise below not to be kept.

2. `prepare(image)` may be called at any time after `probe`, any number of times, at once too: one does it. It may
   take minutes, and `create` works meanwhile. Where there is nothing to save it returns at once. What it saved is
   never written to again, by nobody: a clone that fails, whatever it does, leaves it as it was. One whose clones fail
   twice in a row is set aside as it is, and the next call saves another; after three such it raises DriverError. What
   it makes on the way is no machine: `observe` does not tell of it while it is under way. After a crash it does, until
   somebody destroys it; what was saved is there whole or not at all. DriverError when it cannot: everything works
   without, and slower.

3. `create(spec)` makes the machine of `spec.machine` and returns once its keeper answers `attach`.
   It may be called again at any time with the same spec, by another controller too, after a crash at any
   point of an earlier call: when the machine runs it returns at once; when an earlier call was cut short it
   waits for that call's keeper, or clears what is left and begins anew. A machine that has run and ended is
   never made a second time: DriverError. When it fails, by error or by cancellation, nothing runs on;
   what lies about, the logs of a start that failed among it, is found by `observe` and removed by `destroy`.

   A spec without a session makes a warm machine: it comes up as far as a machine can that is nobody's, says
   `parked`, and waits. Where there is a snapshot for such a spec it is a clone of that, with the same promises; a
   clone that cannot be woken up, or whose guest does not speak, is booted instead: the same machine, and the
   session never knows.

   `sweep(images)` removes what was kept for images that are not among those digests, and for the guest code of
   an earlier version: never what a machine needs that runs. It may be called at any time, and never raises.

4. `attach(machine)` makes the caller the machine's one controller; the newest wins, and the older one's
   channel ends. It works for as long as the keeper lives: from `create` on, after the controller's restart,
   and for a while after the machine's own end, so that nothing a guest said is lost. The channel begins with
   a Snapshot; then come all messages not yet acknowledged, in their order; then what happens; MachineExited
   at last. A second controller repeats nothing that was acknowledged. Messages are sent again after a crash,
   so whoever takes them in must bear to see one twice. Unavailable when no keeper answers in time.

   A Claim makes a parked machine one session's, once and for good. ClaimAnswer says whether; asked again with the
   same session the answer is the same, and another session is refused. A claimed guest has random numbers, the
   claim's machine-id, a host name and a clock of its own before its first program runs. One that did not manage is
   of no use and never offered again. A controller that died over its claim asks again, or reads the Snapshot.

5. `open_stream(machine, kind)` may be called from `Ready` on, any number of times at once, with or without an
   attached controller. The bytes are the guest's, and nothing has looked at them. Unavailable when the guest
   does not open it.

6. `observe()` answers for all machines of this controller's, wherever and whoever started them, whatever has
   crashed: RUNNING while a keeper lives and its machine too, GONE for everything else of which anything is
   left: a dead keeper's socket, a folder kept for inspection, a group, a process. It starts nothing and
   changes nothing. A machine that is not in the answer has left nothing behind, whichever driver made it. DriverError
   where a part cannot be looked at: a root helper that is away, for a driver that needs it.

7. `destroy(machine, keep_folder=...)` ends the machine in whatever state it is and removes its processes,
   sockets, groups and network. With `keep_folder` the logs and the note of its end stay, nothing else. It is
   idempotent, may meet a half made machine, and succeeds for one that never was. When it returns, no
   process of the machine is left and `observe` does not say RUNNING.

8. `purge(machine)` removes what `keep_folder` kept. Idempotent.

What a crash leaves. Controller: nothing that lives on depends on it; machines run to their deadline, and the next
controller finds and adopts them. Keeper: its machine ends at once, by the kernel's doing, and its network with it;
a folder, a group, a jail may be left, which `observe` tells of and `destroy` removes. What runs the machine (a VMM,
a sandbox's first process): the keeper notes the end and tells it. Root helper: machines that run go on; no new one
is made, and what only it can remove stays until it is back, `destroy` failing with DriverError.

What nobody may assume, because the next driver will break it: that a machine is a child process, that its
keeper runs on the controller's host, that a path means anything to the caller, that two calls are answered by
the same controller process, or that a call not answered in time was not carried out.

Beyond the calls: a machine ends at its deadline whether a controller lives or not; it ends when its keeper
does; its guest reaches its link, its forwarder and its door, and nothing else. `tests/contract/` holds every
driver to this page.
"""
