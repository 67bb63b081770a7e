"""TCP ports for the servers that a test starts, also while other tests run beside it."""
import errno
import fcntl
import os
import socket
import tempfile

# Below what Linux gives to connections (ip_local_port_range), so that none of those takes a port
# between our look and the server's.
FIRST, LAST = 20000, 29999
# Of each user's own: nobody may write into another's.
LOCKS = os.path.join(tempfile.gettempdir(), f"holdfast-test-ports-{os.getuid()}")

_held = []  # locks of the ports that were given out; the kernel drops them when the process ends


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def _take(port):
    """Whether it is ours from now on: another holds its lock, or something listens there."""
    os.makedirs(LOCKS, exist_ok=True)
    lock = os.open(os.path.join(LOCKS, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    if not port_is_free(port):
        os.close(lock)
        return False
    _held.append(lock)
    return True


def free_port():
    """A port that no other call answers, in any process, until this one ends. Whoever takes ports by
    other means can still come between."""
    count = LAST - FIRST + 1
    begin = os.getpid() * 7919  # a prime: processes that run beside each other look at others first
    for step in range(count):
        port = FIRST + (begin + step) % count
        if _take(port):
            return port
    raise RuntimeError(f"no free port from {FIRST} to {LAST}")
