"""D-9 and example 131: how a program runs in the sandbox, what it cannot reach, and that nothing is left of it."""

import asyncio
import contextlib
import secrets
import socket
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cofounder_server.agent import sandbox, sandbox_seccomp
from cofounder_server.agent.sandbox import Exit, Output
from cofounder_server.testing.programs import DAEMON, DEADLINE, processes_with, python, run

MIB = 1024 * 1024

ISOLATION = asyncio.run(sandbox.probe())
# That it let something out is no property of the machine, and no reason to skip.
assert "the probe reached" not in ISOLATION.reason, ISOLATION.reason
if ISOLATION.program is None:
    pytest.skip(f"programs cannot be isolated here: {ISOLATION.reason}", allow_module_level=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace"


@pytest.fixture
def box() -> sandbox.Sandbox:
    """The real sandbox as this machine has it: as root with an unused user, else with our own."""
    assert ISOLATION.program
    return sandbox.Bubblewrap(ISOLATION.program, host_id=ISOLATION.host_id)


def descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


async def until_output(running: AsyncIterator[Output | Exit], expected: str) -> None:
    async with asyncio.timeout(DEADLINE):
        shown = ""
        async for part in running:
            assert isinstance(part, Output), part
            shown += part.text
            if expected in shown:
                return


# --- ordinary life


async def test_output_comes_as_it_is_written_then_one_end_with_the_code(box: sandbox.Sandbox, workspace: Path) -> None:
    ran = await python(box, workspace, "import sys; print('out é'); print('err', file=sys.stderr); sys.exit(3)")
    assert (ran.stdout, ran.stderr, ran.exit) == ("out é\n", "err\n", Exit(3, None, "exited"))


async def test_output_is_seen_while_the_program_runs(box: sandbox.Sandbox, workspace: Path) -> None:
    argv = ("sh", "-c", "echo ready; while [ ! -e go ]; do sleep 0.01; done; echo gone")
    async with contextlib.aclosing(box.run(argv, workspace=workspace)) as running:
        await until_output(running, "ready")
        (workspace / "go").touch()
        rest = [part async for part in running]
    assert rest == [Output("stdout", "gone\n"), Exit(0, None, "exited")]


async def test_c10_output_is_made_valid(box: sandbox.Sandbox, workspace: Path) -> None:
    ran = await python(box, workspace, r"import os; os.write(1, b'a\x00b\xff' + 'é'.encode()[:1])")
    assert ran.stdout == "a\ufffdb\ufffd\ufffd"


async def test_a_signal_and_a_missing_program_end_as_in_a_shell(box: sandbox.Sandbox, workspace: Path) -> None:
    assert (await run(box, workspace, "sh", "-c", "kill -SEGV $$")).exit == Exit(139, 11, "exited")
    missing = await run(box, workspace, "no-such-program")
    assert (missing.exit.code, missing.stderr) == (127, "no-such-program: not found\n")


async def test_the_tests_of_a_project_run_and_see_what_was_written_between_runs(
    box: sandbox.Sandbox, workspace: Path
) -> None:
    (workspace / "app.py").write_text("def two():\n    return 3\n")
    (workspace / "test_app.py").write_text(
        "import unittest, app\nclass T(unittest.TestCase):\n  def test(self):\n    self.assertEqual(app.two(), 2)\n"
    )
    assert (await run(box, workspace, "python3", "-m", "unittest")).exit.code == 1
    (workspace / "app.py").write_text("def two():\n    return 2\n")
    assert (await run(box, workspace, "python3", "-m", "unittest")).exit.code == 0
    await run(box, workspace, "sh", "-c", "mkdir made && echo x > made/file && rm app.py")
    assert (workspace / "made" / "file").read_text() == "x\n"
    assert not (workspace / "app.py").exists()


# --- what cannot be reached


async def test_example_131_no_socket_reaches_anything(box: sandbox.Sandbox, workspace: Path, tmp_path: Path) -> None:
    abstract = f"\0cofounder-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as open_sockets:
        tcp = open_sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = open_sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        for address in (abstract, str(tmp_path / "socket")):
            unix = open_sockets.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(address)
            unix.listen()
        ran = await python(
            box,
            workspace,
            """
            import socket, sys
            tcp, udp, abstract, path = int(sys.argv[1]), int(sys.argv[2]), "\\0" + sys.argv[3], sys.argv[4]
            def attempt(name, family, kind, address, protocol=0):
                try:
                    with socket.socket(family, kind, protocol) as s:
                        s.settimeout(5)
                        s.connect(address)
                        if kind == socket.SOCK_DGRAM:
                            s.send(b"x")
                        print("reached", name)
                except (OSError, AttributeError) as error:
                    print("refused", name, type(error).__name__)
            attempt("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", tcp))
            attempt("tcp6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", tcp))
            attempt("metadata", socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80))
            attempt("internet", socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))
            attempt("abstract", socket.AF_UNIX, socket.SOCK_STREAM, abstract)
            attempt("unix", socket.AF_UNIX, socket.SOCK_STREAM, path)
            attempt("raw", socket.AF_INET, socket.SOCK_RAW, ("127.0.0.1", 0), socket.IPPROTO_ICMP)
            attempt("vsock", 40, socket.SOCK_STREAM, (2, 22))
            attempt("packet", 17, socket.SOCK_RAW, ("lo", 0))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"x", ("127.0.0.1", udp))  # to its own loopback, where nobody listens
            try:
                print("reached", socket.getaddrinfo("example.com", 80))
            except OSError:
                print("refused dns")
            """,
            str(tcp.getsockname()[1]), str(udp.getsockname()[1]), abstract[1:], str(tmp_path / "socket"),
        )  # fmt: skip
        assert ran.exit.code == 0, ran.stderr
        assert "reached" not in ran.stdout
        assert ran.stdout.count("refused") == 10
        udp.setblocking(False)
        with pytest.raises(BlockingIOError):
            udp.recv(1)


async def test_d9_the_files_of_the_host_are_not_there(
    box: sandbox.Sandbox, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret").write_text("of another build")
    monkeypatch.setenv("COFOUNDER_CANARY", "canary-in-the-environment")
    paths = ["/etc/shadow", "/etc/hostname", "/root/.ssh", "/home", "/var", "/run", "/sys", __file__]
    paths += [
        str(tmp_path),
        str(tmp_path / "other" / "secret"),
        str(workspace),
        "../other/secret",
        "/work/../etc/shadow",
    ]
    ran = await python(
        box,
        workspace,
        """
        import glob, os, sys
        for path in sys.argv[1:]:
            try:
                print("reached", path, os.listdir(path) if os.path.isdir(path) else open(path).read())
            except OSError:
                pass
        for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
            try:
                content = open(path, "rb").read()
            except OSError:
                continue
            if b"canary" + b"-in" in content:
                print("reached", path)
        print("etc", sorted(os.listdir("/etc")), "fds", sorted(os.listdir("/proc/self/fd")), sorted(os.environ))
        """,
        *paths,
    )
    assert ran.exit.code == 0, ran.stderr
    assert "reached" not in ran.stdout
    environment = ["HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR"]
    assert ran.stdout.endswith(f"etc ['group', 'passwd'] fds ['0', '1', '2', '3'] {environment}\n")


async def test_d9_nothing_of_the_host_can_be_written(box: sandbox.Sandbox, workspace: Path) -> None:
    ran = await python(
        box,
        workspace,
        """
        import os, sys
        for folder in ("/", "/usr", "/usr/bin", "/etc", "/tools", "/dev", sys.prefix, "/proc/sys/kernel"):
            try:
                open(folder + "/made", "w")
                print("wrote", folder)
            except OSError:
                pass
        for path in ("/etc/passwd", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/tools/python"):
            try:
                os.open(path, os.O_WRONLY)
                print("wrote", path)
            except OSError:
                pass
        """,
    )
    assert (ran.exit.code, ran.stdout) == (0, "")


async def test_d9_no_privileges_no_other_processes_no_terminal(box: sandbox.Sandbox, workspace: Path) -> None:
    ran = await python(
        box,
        workspace,
        """
        import os
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
        print(os.getuid(), os.getgid(), int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"],
              status["Seccomp"], os.uname().nodename, max(int(p) for p in os.listdir("/proc") if p.isdecimal()) < 20)
        for call in (lambda: os.setuid(0), lambda: os.kill(1, 9), lambda: os.open("/dev/tty", os.O_RDWR),
                     lambda: os.nice(-1), lambda: os.chroot("/work"), lambda: os.mknod("d", 0o20666, os.makedev(1, 5))):
            try:
                call()
            except OSError:
                print("refused")
        """,
    )
    assert ran.stdout.splitlines()[0] == "1000 1000 0 0 1 2 sandbox True"
    # To kill the first process of one's own namespace is no error, where one may; it only does nothing.
    assert ran.stdout.count("refused") >= 5
    assert ran.exit == Exit(0, None, "exited")


async def test_example_133_dangerous_system_calls_are_refused(box: sandbox.Sandbox, workspace: Path) -> None:
    if sandbox_seccomp.program() is None:
        pytest.skip("the numbers of system calls are not known for this machine")
    ran = await python(
        box,
        workspace,
        """
        import ctypes, errno, platform
        libc = ctypes.CDLL(None, use_errno=True)
        column = {"x86_64": 0, "aarch64": 1}[platform.machine()]
        new_user, new_net = 0x10000000, 0x40000000
        calls = {
            "ptrace": ((101, 117), (16, 1)), "unshare": ((272, 97), (new_user,)), "mount": ((165, 40), (0, 0, 0, 0, 0)),
            "keyctl": ((250, 219), (0, -3, 0)), "perf_event_open": ((298, 241), (0, 0, -1, -1, 0)),
            "bpf": ((321, 280), (0, 0, 0)), "userfaultfd": ((323, 282), (0,)), "io_uring_setup": ((425, 425), (1, 0)),
            "setns": ((308, 268), (0, 0)), "clone": ((56, 220), (new_user | new_net | 17, 0, 0, 0, 0)),
        }
        for name, (numbers, arguments) in calls.items():
            ctypes.set_errno(0)
            result = libc.syscall(numbers[column], *arguments)
            print(name, result, errno.errorcode.get(ctypes.get_errno()))
        print("clone3", libc.syscall(435, 0, 0), errno.errorcode.get(ctypes.get_errno()))
        """,
    )
    *refused, clone3 = ran.stdout.splitlines()
    assert len(refused) == 10
    assert all(line.endswith(" -1 EPERM") for line in refused), refused
    assert clone3 == "clone3 -1 ENOSYS"


async def test_d9_sockets_that_the_network_namespace_does_not_confine_do_not_exist(
    box: sandbox.Sandbox, workspace: Path
) -> None:
    if sandbox_seccomp.program() is None:
        pytest.skip("the numbers of system calls are not known for this machine")
    code = """
        import errno, socket
        for family in (40, 17, 38, 30, 15):  # vsock, packet, alg, tipc, key
            for make in (socket.socket, socket.socketpair):
                try:
                    make(family, socket.SOCK_RAW)
                except OSError as error:
                    print(errno.errorcode[error.errno])
        """
    # Without the filter it would be EPERM for some, and a socket for others.
    assert (await python(box, workspace, code)).stdout.split() == ["EAFNOSUPPORT"] * 10


# --- leaving


@pytest.mark.parametrize("way", ["close", "cancel"])
async def test_leaving_early_ends_the_whole_tree(box: sandbox.Sandbox, workspace: Path, way: str) -> None:
    mark = secrets.token_hex(8)
    argv = ("python", "-c", textwrap.dedent(DAEMON) + "time.sleep(1000)", mark)
    ready = asyncio.Event()

    async def watch() -> None:
        async with contextlib.aclosing(box.run(argv, workspace=workspace)) as running:
            await until_output(running, "ready")
            assert processes_with(mark)
            ready.set()
            if way == "cancel":
                await anext(running)

    task = asyncio.create_task(watch())
    await asyncio.wait_for(ready.wait(), DEADLINE)
    if way == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.wait([task])
    assert processes_with(mark) == []


async def test_runs_side_by_side_do_not_see_each_other(box: sandbox.Sandbox, tmp_path: Path) -> None:
    folders = [tmp_path / f"build-{n}" for n in range(4)]
    for folder in folders:
        folder.mkdir()
    ran = await asyncio.gather(
        *(run(box, folder, "sh", "-c", f"echo {folder.name} > /tmp/x; sleep 0.1; cat /tmp/x; ls") for folder in folders)
    )
    assert [one.stdout for one in ran] == [f"{folder.name}\n" for folder in folders]


async def test_no_descriptor_is_left_open(box: sandbox.Sandbox, workspace: Path) -> None:
    await run(box, workspace, "true")
    before = descriptors()
    for _ in range(3):
        await run(box, workspace, "true")
    assert descriptors() == before


async def test_a_workspace_that_is_not_there_is_unavailable(box: sandbox.Sandbox, tmp_path: Path) -> None:
    with pytest.raises((sandbox.SandboxUnavailable, FileNotFoundError)):
        await run(box, tmp_path / "nowhere", "true")
