"""A cluster under test: starting it, following its events, talking to it, and cleaning up. Standard library only."""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Exit codes of the scripts: 0 all is well, 1 a check failed, 2 wrong arguments (argparse), 3 a tool is missing.
CHECK_FAILED = 1
TOOL_MISSING = 3


class CheckFailed(Exception):
    """The system under test did not do what it promises."""


class ToolMissing(Exception):
    """The machine lacks something that the script needs."""


class OutOfTime(BaseException):
    """The script as a whole took too long. Not an Exception: no handler of a single step may swallow it."""


def check(condition, message):
    if not condition:
        raise CheckFailed(message)


def say(text):
    print(text, flush=True)


def arguments(description, time_bound):
    """The parser with the options that every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="the conclave to test (default: build it with swift build -c release)")
    parser.add_argument("--time-bound", type=int, default=time_bound, metavar="SECONDS",
                        help="fail when the whole script takes longer (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the data directory and say where it is")
    return parser


def run(main, options):
    """Runs a script's body with its time bound; turns what happens into an exit code."""
    def out_of_time(_number, _frame):
        raise OutOfTime()

    def terminated(_number, _frame):
        raise KeyboardInterrupt()

    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, terminated)
    try:
        options.binary = os.path.abspath(options.binary or build())
        if not os.access(options.binary, os.X_OK):
            raise ToolMissing(f"the program {options.binary}")
        signal.alarm(options.time_bound)
        main(options)
    except CheckFailed as failure:
        say(f"FAILED: {failure}")
        return CHECK_FAILED
    except OutOfTime:
        say(f"FAILED: not done within {options.time_bound} s")
        return CHECK_FAILED
    except ToolMissing as missing:
        say(f"missing: {missing}")
        return TOOL_MISSING
    except KeyboardInterrupt:
        return 130
    finally:
        signal.alarm(0)
    return 0


def build():
    """Builds the release product. Returns the program's path."""
    require_tool("swift", "install a Swift toolchain from https://www.swift.org/install")
    command = ["swift", "build", "-c", "release", "--product", "conclave", "--package-path", ROOT]
    say("building: " + " ".join(command))
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        raise CheckFailed("the release build fails; run the command above to see why")
    folder = subprocess.run(command + ["--show-bin-path"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    return os.path.join(folder, "conclave")


def require_tool(name, advice="run Scripts/install-tools"):
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name}; {advice}")
    return path


def free_base_port(nodes=3):
    """A random first client port such that all ports of a cluster are free, below the range for outgoing connections."""
    for _ in range(100):
        base = random.randrange(20000, 30000)
        ports = [base + offset for offset in range(nodes)] + [base + 100 + offset for offset in range(nodes)]
        if all(is_free(port) for port in ports):
            return base
    raise ToolMissing("free ports between 20000 and 30000")


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_running(pid):
    """Whether a process lives; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return False
    answer = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True).stdout.strip()
    return answer != "" and not answer.startswith("Z")


def memory_bytes(pid, field="VmRSS"):
    """A field of /proc/<pid>/status in bytes (Linux only)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise CheckFailed(f"no {field} for process {pid}")


def cpu_seconds(pid):
    """CPU time that a process has used, user and system (Linux only)."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def eventually(condition, timeout, message, pause=0.02):
    """Waits until the condition holds; returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise CheckFailed(f"not within {timeout} s: {message}")
        time.sleep(pause)


class Cluster:
    """`conclave cluster --json` as a context manager. Leaving it leaves no process behind."""

    def __init__(self, binary, nodes=3, data=None, base_port=None, keep=False):
        self.nodes = nodes
        self.base_port = base_port or free_base_port(nodes)
        self.ports = {number: self.base_port + number - 1 for number in range(1, nodes + 1)}
        self.peer_ports = {number: self.base_port + 100 + number - 1 for number in range(1, nodes + 1)}
        self._owns_data = data is None
        self._keep = keep
        self.data = data or tempfile.mkdtemp(prefix="conclave-test-")
        self.events = []
        self.pids = {}
        self._every_pid = set()
        self._changed = threading.Condition()
        self.launcher = subprocess.Popen(
            [binary, "cluster", "--json", "--nodes", str(nodes), "--port", str(self.base_port), "--data", self.data],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.clean_up()
        if kind is not None and kind is not KeyboardInterrupt:
            self._show_logs()
        if self._keep:
            say(f"data kept in {self.data}")
        elif self._owns_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def _read(self):
        for line in self.launcher.stdout:
            event = json.loads(line)
            event["at"] = time.monotonic()
            with self._changed:
                self.events.append(event)
                if event["event"] == "node-started":
                    self.pids[event["id"]] = event["pid"]
                    self._every_pid.add(event["pid"])
                elif event["event"] == "node-exited":
                    self.pids.pop(event["id"], None)
                    self._every_pid.discard(event["pid"])
                self._changed.notify_all()
        with self._changed:
            self.events.append({"event": "end-of-output", "at": time.monotonic()})
            self._changed.notify_all()

    def mark(self):
        """The number of events so far: waiting can start behind them."""
        with self._changed:
            return len(self.events)

    def wait_for(self, event, timeout, since=0, **fields):
        """Waits for an event with these fields; returns it."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for found in self.events[since:]:
                    if found["event"] == event and all(found.get(key) == fields[key] for key in fields):
                        return found
                left = deadline - time.monotonic()
                if any(found["event"] == "end-of-output" for found in self.events):
                    raise CheckFailed(f"the launcher ended while waiting for {event} {fields or ''}")
                if left <= 0:
                    raise CheckFailed(f"no event {event} {fields or ''} within {timeout} s")
                self._changed.wait(left)

    def wait_ready(self, timeout=20):
        self.wait_for("cluster-ready", timeout)
        return self

    def leader(self):
        """The id of the last leader that was announced."""
        with self._changed:
            leaders = [event for event in self.events if event["event"] == "leader"]
        check(leaders, "no leader so far")
        return leaders[-1]["id"]

    def followers(self):
        leader = self.leader()
        return [number for number in sorted(self.ports) if number != leader]

    def kill(self, *numbers):
        """kill -9 of servers, as close together as can be. Returns the instant before."""
        pids = [self.pids[number] for number in numbers]
        before = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return before

    @contextlib.contextmanager
    def paused(self, number):
        """While inside, a server stands still. Gives the instant before."""
        pid = self.pids[number]
        before = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield before
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait_serving(self, number, timeout=20):
        """Waits until a server answers reads, so it knows a leader."""
        def answers():
            with contextlib.suppress(OSError, ProtocolError):
                with Client(self.ports[number], timeout=2) as client:
                    return not isinstance(client.command("GET", "no-such-key"), ReplyError)
            return False
        eventually(answers, timeout, f"server {number} answers reads")

    @contextlib.contextmanager
    def frozen_launcher(self):
        """While inside, nobody starts dead servers again."""
        os.kill(self.launcher.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.launcher.pid, signal.SIGCONT)

    def stop(self, timeout=15):
        """SIGTERM to the launcher; returns its exit code."""
        self.launcher.send_signal(signal.SIGTERM)
        try:
            return self.launcher.wait(timeout)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"the launcher did not stop within {timeout} s") from None

    def clean_up(self):
        if self.launcher.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.launcher.send_signal(signal.SIGCONT)
                self.launcher.send_signal(signal.SIGTERM)
            try:
                self.launcher.wait(12)
            except subprocess.TimeoutExpired:
                self.launcher.kill()
                self.launcher.wait()
        self._reader.join(5)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(is_running(pid) for pid in self._every_pid):
            time.sleep(0.05)
        for pid in self._every_pid:
            # The pid might be somebody else's by now: look before shooting.
            command = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], stdout=subprocess.PIPE, text=True).stdout
            if self.data in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _show_logs(self, lines=15):
        for number in sorted(self.ports):
            path = os.path.join(self.data, f"node-{number}", "log")
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                tail = file.readlines()[-lines:]
                if tail:
                    say(f"--- the end of server {number}'s log\n{''.join(tail)}".rstrip())


class ProtocolError(Exception):
    """The server closed the connection or wrote something that is not RESP."""


class ReplyError(str):
    """An error as an answer: a value, because most checks ask for one."""


class Client:
    """A connection that speaks RESP2."""

    def __init__(self, port, timeout=5):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    @staticmethod
    def encode(*words):
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)

    def command(self, *words):
        self._socket.sendall(self.encode(*words))
        return self.read()

    def pipeline(self, commands):
        self._socket.sendall(b"".join(self.encode(*words) for words in commands))
        return [self.read() for _ in commands]

    def read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._exactly(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise ProtocolError(f"an answer begins with {line[:40]!r}")

    def _line(self):
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _exactly(self, count):
        while len(self._buffer) < count + 2:
            self._fill()
        content, self._buffer = self._buffer[:count], self._buffer[count + 2:]
        return content

    def _fill(self):
        chunk = self._socket.recv(1 << 16)
        if not chunk:
            raise ProtocolError("the server closed the connection")
        self._buffer += chunk


def fill(port, entries, size, keys=None, clients=200):
    """Writes this many entries to the log: SETs of random keys, each a request of its own."""
    command = [require_tool("redis-benchmark"), "-p", str(port), "-t", "set", "-c", str(clients), "-n", str(entries),
               "-d", str(size), "-r", str(keys or entries), "-q"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, f"{' '.join(command)} ends with code {done.returncode}: {done.stdout[-500:]}")


if __name__ == "__main__":
    sys.exit("a module of the other scripts; nothing to run")
