"""Runs code inside a jail: `python -s -S -P jail_driver.py SANDBOX SETTINGS CODE...`.

Prints one line for the zygote, then one for each piece of code: what it said, or how it ended.
"""

import ast
import ctypes
import os
import sys


def stand_in(name: str, folder: str) -> None:
    package = type(sys)(name)
    package.__path__ = [folder]
    sys.modules[name] = package


def forbid(*names: str) -> None:
    """Have the kernel refuse these calls from now on, as a container's seccomp profile does."""
    from trueval.grade.sandbox import seccomp, syscalls

    lines = [(0x20, 0, 0, 0)]
    for name in names:
        lines += [(0x15, 0, 1, syscalls.NR[name]), (0x06, 0, 0, seccomp.DENY)]
    lines.append((0x06, 0, 0, seccomp.ALLOW))
    array = (seccomp._Instruction * len(lines))(*(seccomp._Instruction(*line) for line in lines))
    program = seccomp._Program(len(lines), ctypes.addressof(array))
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.call("seccomp", 1, 0, ctypes.addressof(program))


def run(code: str, say: int) -> None:
    said: list[str] = []
    space = {"print": lambda *parts: said.append(" ".join(map(str, parts))), "FD": say}
    try:
        exec(code, space)
    except BaseException as error:
        said.append(f"{type(error).__name__}: {error}")
    os.write(say, repr(" | ".join(said)).encode() + b"\n")


def main() -> None:
    sandbox, settings = sys.argv[1], ast.literal_eval(sys.argv[2])
    grade = sandbox.rpartition("/")[0]
    stand_in("trueval", grade.rpartition("/")[0])
    stand_in("trueval.grade", grade)
    stand_in("trueval.grade.sandbox", sandbox)
    if forbidden := settings.pop("forbid", ()):
        forbid(*forbidden)
    from trueval.grade.sandbox.jail import Jail

    say = os.dup(1)
    jail = Jail(settings)
    try:
        jail.become_zygote((say,))
    except OSError as error:
        os.write(say, repr({"failed": str(error)}).encode() + b"\n")
        os._exit(0)
    os.write(say, repr(jail.describe()).encode() + b"\n")
    for code in sys.argv[3:]:
        read, write = os.pipe()
        pid = jail.fork()()
        if pid == 0:
            try:
                run(code, jail.enter(write, alone=True))
            finally:
                os._exit(0)
        os.close(write)
        said = b""
        while part := os.read(read, 65536):
            said += part
        os.close(read)
        _, status = os.waitpid(pid, 0)
        jail.after()
        ended = repr(f"ended: {os.waitstatus_to_exitcode(status)}").encode() + b"\n"
        os.write(say, said or ended)
    os._exit(0)


if __name__ == "__main__":
    main()
