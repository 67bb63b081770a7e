"""What the measurements stand on: a server of our own, the peers, the programs that load them."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(REPOSITORY, "tests", "e2e", "story"))

from harness import Server, StepFailed, check, free_port, http_get, wait_for  # noqa: E402,F401
from test_authority import TestAuthority  # noqa: E402,F401

USER = "alice"
BUCKET = "bench"


class AdminSocket(http.client.HTTPConnection):
    """The admin socket of a data directory: the API without a process a call."""

    def __init__(self, path):
        super().__init__("admin", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, target, body=None):
        self.request(method, "/api/v1/" + target, json.dumps(body) if body is not None else None,
                     {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        check(answer.status < 300, f"{method} {target}: {answer.status} {text[:300]!r}")
        return json.loads(text)


class Browser:
    """As much of a browser as opening a tool takes: redirects and cookies, by host."""

    def __init__(self, port):
        self.port = port
        self.cookies = {}

    def open(self, url, limit=6):
        for _ in range(limit):
            parts = urllib.parse.urlsplit(url)
            jar = self.cookies.setdefault(parts.netloc, {})
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""), headers={
                "Host": parts.netloc, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()),
                "Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            for line in answer.headers.get_all("Set-Cookie") or []:
                name, value = line.split(";", 1)[0].split("=", 1)
                jar[name] = value
            if answer.status not in (301, 302, 303, 307, 308):
                return answer.status, body
            url = urllib.parse.urljoin(url, answer.headers["Location"])
        raise StepFailed(f"more than {limit} redirects to {url}")


class Nginx:
    """nginx at its best for static files: sendfile, open files kept, no log."""

    def __init__(self, folder, workers, tls=None):
        self.folder = folder
        self.root = os.path.join(folder, "www")
        self.port = free_port()
        os.makedirs(self.root, exist_ok=True)
        secure = "" if tls is None else (f"ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key}; "
                                         "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; "
                                         "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(f"""{"user root;" if os.getuid() == 0 else ""}
worker_processes {workers}; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=10000;
  default_type application/octet-stream; {temporary}
  server {{ listen 127.0.0.1:{self.port}{" ssl" if tls else ""}; root {self.root}; {secure} }}
}}
""")
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
        check(program is not None, "nginx is not installed: scripts/setup --for bench")
        self.process = subprocess.Popen([program, "-p", folder, "-c", os.path.join(folder, "nginx.conf"),
                                         "-e", os.path.join(folder, "error.log")])
        wait_for("nginx to answer", self._answers, 10)

    def _answers(self):
        check(self.process.poll() is None, f"nginx ended with {self.process.poll()}")
        socket.create_connection(("127.0.0.1", self.port), 1).close()
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def processes_below(pid):
    """pid and its children."""
    found = [pid]
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as text:
            for child in text.read().split():
                found += processes_below(int(child))
    return found


def pin(pids, cores):
    """Every thread of these processes to these cores."""
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores)


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
            fields = text.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class BenchServer(Server):
    """The story's server, with its data where the measured filesystem is."""

    def __init__(self, program, folder, **more):
        super().__init__(program, **more)
        os.rmdir(self.data)
        self.data = tempfile.mkdtemp(prefix="holdfast-bench-", dir=folder)
        os.chmod(self.data, 0o711)
        self.log_path = self.data + ".log"


class World:
    """A running server with one user, her keys, one bucket, and a folder beside its data for the
    peers, on the same filesystem. All of it goes away at the end."""

    def __init__(self, options):
        self.quick = options.quick
        self.rounds = options.rounds
        self.build = os.path.abspath(options.build)
        self.folder = options.dir
        self.peer, self.peer_fsync = options.peer, options.peer_fsync
        self.holdfast = os.path.join(self.build, "cli", "holdfast")
        self.server = BenchServer(self.holdfast, options.dir)
        self.scratch = self.server.data + "-peers"
        self.seconds = 0.5 if self.quick else 2.0

    def __enter__(self):
        os.makedirs(self.scratch)
        try:
            self.server.start()
            self.keys = self.populate(self.server)
        except BaseException:
            self.__exit__()
            raise
        return self

    @staticmethod
    def populate(server):
        server.cli("user", "add", USER)
        server.cli("bucket", "create", BUCKET)
        server.cli("grant", "add", USER, "write", BUCKET)
        return server.keys_of(USER)

    def __exit__(self, *_):
        try:
            self.server.cleanup()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
            if os.path.exists(self.server.log_path):
                os.unlink(self.server.log_path)

    def admin(self):
        return AdminSocket(os.path.join(self.server.data, "run", "admin.sock"))

    def tool_state(self, admin, tool):
        for row in admin.call("GET", "tools?all=1")["tools"]:
            if row["template"] == tool and row["user"] == USER:
                check(row["state"] != "failed", f"{tool} failed: {row['reason']} {row['log_tail']}")
                return row["state"]
        return "stopped"

    def mounted_home(self):
        """The home's path; mounted by starting a tool, which is what mounts it. The mount stays."""
        def mounted():
            return (self.server.status_of_home(USER) or {}).get("state") == "mounted"
        if not mounted():
            admin = self.admin()
            admin.call("POST", "tools/jupyter/start", {"user": USER})
            wait_for("the home to be mounted", mounted, 60)
            admin.call("POST", "tools/jupyter/stop", {"user": USER})
            wait_for("the tool to stop", lambda: self.tool_state(admin, "jupyter") == "stopped", 60)
        home = self.server.home(USER)
        check(os.path.ismount(home), f"{home} is not mounted")
        return home

    def program(self, name, *arguments, cores=None, keys=None, limit=600):
        """Runs one of bench/'s programs; the JSON that it prints, if any."""
        command = [os.path.join(self.build, "bench", name), *map(str, arguments)]
        if cores is not None:
            command = ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *command]
        environment = {"PATH": "/usr/bin:/bin"}
        if keys is not None:
            environment |= {"AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": keys[1]}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode != 0:
            raise StepFailed(f"{name} {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None
