"""What every driver promises. `model/ports.py` has the calls' shapes; this page has their meaning.

A machine's life, in the order a session walks through it:

1. `probe()` may be called at any time, before anything else, by anyone. It changes nothing. A host on which
   it says usable can make machines; each problem and each warning names the command or act that mends it.

2. `create(spec)` makes the machine of `spec.machine` and returns once its keeper answers `attach`.
   It may be called again at any time with the same spec, by another controller too, after a crash at any
   point of an earlier call: when the machine runs it returns at once; when an earlier call was cut short it
   waits for that call's keeper, or clears what is left and begins anew. A machine that has run and ended is
   never made a second time: DriverError. When it fails, by error or by cancellation, nothing runs on;
   what lies about is found by `observe` and removed by `destroy`.

3. `attach(machine)` makes the caller the machine's one controller; the newest wins, and the older one's
   channel ends. It works for as long as the keeper lives: from `create` on, after the controller's restart,
   and for a while after the machine's own end, so that nothing a guest said is lost. The channel begins with
   a Snapshot; then come all messages not yet acknowledged, in their order; then what happens; MachineExited
   at last. A second controller repeats nothing that was acknowledged. Messages are sent again after a crash,
   so whoever takes them in must bear to see one twice. Unavailable when no keeper answers in time.

4. `open_stream(machine, kind)` may be called from `Ready` on, any number of times at once, with or without an
   attached controller. The bytes are the guest's, and nothing has looked at them. Unavailable when the guest
   does not open it.

5. `observe()` answers for all machines of this controller's, wherever and whoever started them, whatever has
   crashed: RUNNING while a keeper lives and its machine too, GONE for everything else of which anything is
   left: a dead keeper's socket, a folder kept for inspection, a group, a process. It starts nothing and
   changes nothing. A machine that is not in the answer has left nothing behind.

6. `destroy(machine, keep_folder=...)` ends the machine in whatever state it is and removes its processes,
   sockets, groups and network. With `keep_folder` the logs and the note of its end stay, nothing else. It is
   idempotent, may meet a half made machine, and succeeds for one that never was. When it returns, no
   process of the machine is left and `observe` does not say RUNNING.

7. `purge(machine)` removes what `keep_folder` kept. Idempotent.

What nobody may assume, because the next driver will break it: that a machine is a child process, that its
keeper runs on the controller's host, that a path means anything to the caller, that two calls are answered by
the same controller process, or that a call not answered in time was not carried out.

Beyond the calls: a machine ends at its deadline whether a controller lives or not; it ends when its keeper
does; its guest reaches its link, its forwarder and its door, and nothing else. `tests/contract/` holds every
driver to this page.
"""
