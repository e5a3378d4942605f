"""The system calls that no project needs, refused by a seccomp filter (D-9).

New namespaces, mounts, tracing, kernel keys, and sockets of families that a network namespace does not confine (vsock).
"""

import errno
import platform
import struct

# linux/audit.h, and the numbers of asm/unistd.h by machine: (x86_64, aarch64); from 424 on they are the same for all.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

_REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "acct": (163, 89),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pidfd_getfd": (438, 438),
    "mount_setattr": (442, 442),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)

_NEW_NAMESPACE = 0x7E020000  # the CLONE_NEW… flags
_FAMILIES = (1, 2, 10, 16)  # unix, IPv4, IPv6, netlink: what the network namespace confines
_X32 = 0x40000000

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

# The offsets in struct seccomp_data; both machines are little-endian, so the low half of an argument comes first.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def program(machine: str = platform.machine()) -> bytes | None:
    """Returns the filter as bubblewrap's --seccomp reads it, or None for a machine whose numbers are not known here."""
    if machine not in _ARCHITECTURES:
        return None
    architecture, column = _ARCHITECTURES[machine]
    code = [_load(_ARCHITECTURE), *_unless_equal(architecture, _refuse(errno.EPERM)), _load(_NUMBER)]
    if machine == "x86_64":
        code += _if_at_least(_X32, _refuse(errno.EPERM))
    for numbers in _REFUSED.values():
        code += _if_equal(numbers[column], [_refuse(errno.EPERM)])
    # clone3 takes its flags from memory, which a filter cannot read; the C library falls back to clone.
    code += _if_equal(_CLONE3[column], [_refuse(errno.ENOSYS)])
    code += _if_equal(
        _CLONE[column], [_load(_FIRST_ARGUMENT), *_if_any_bit(_NEW_NAMESPACE, _refuse(errno.EPERM)), _allow()]
    )
    for numbers in (_SOCKET, _SOCKETPAIR):
        allowed = [step for family in _FAMILIES for step in _if_equal(family, [_allow()])]
        code += _if_equal(numbers[column], [_load(_FIRST_ARGUMENT), *allowed, _refuse(errno.EAFNOSUPPORT)])
    return b"".join([*code, _allow()])


def _step(code: int, jump_true: int, jump_false: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, jump_true, jump_false, value)


def _load(offset: int) -> bytes:
    return _step(0x20, 0, 0, offset)


def _allow() -> bytes:
    return _step(0x06, 0, 0, _ALLOW)


def _refuse(number: int) -> bytes:
    return _step(0x06, 0, 0, _ERRNO | number)


def _if_equal(value: int, then: list[bytes]) -> list[bytes]:
    return [_step(0x15, 0, len(then), value), *then]


def _unless_equal(value: int, then: bytes) -> list[bytes]:
    return [_step(0x15, 1, 0, value), then]


def _if_at_least(value: int, then: bytes) -> list[bytes]:
    return [_step(0x35, 0, 1, value), then]


def _if_any_bit(bits: int, then: bytes) -> list[bytes]:
    return [_step(0x45, 0, 1, bits), then]
