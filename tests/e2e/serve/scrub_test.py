"""Bytes that flip on the disk under a serving server: its scrub, asked for by command beside traffic,
names what is hit; reads of that answer an error and never wrong bytes, also after a restart; the rest is
read and written as ever."""
import glob
import os
import pty
import subprocess
import threading
import unittest

from botocore.exceptions import ClientError

from serve_fixture import NO_TOOLS, ServeTest, program, wait_for
from harness import Server

MIB = 1 << 20


def flip(paths, needle):
    """One bit of the middle of `needle`, in the only file that holds it."""
    for path in paths:
        try:
            file = open(path, "r+b")
        except FileNotFoundError:
            continue  # the traffic beside us removed it since it was listed
        with file:
            at = file.read().find(needle)
            if at < 0:
                continue
            at += len(needle) // 2
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
            return path
    raise AssertionError("nothing on the disk holds these bytes")


class Traffic(threading.Thread):
    """Writes, reads back and removes until it is stopped; remembers the first thing that went wrong."""

    def __init__(self, s3):
        super().__init__(daemon=True)
        self.s3, self.stopped, self.rounds, self.wrong = s3, threading.Event(), 0, None

    def run(self):
        while not self.stopped.is_set() and self.wrong is None:
            try:
                for size in (3000, 400_000):
                    key, body = f"traffic/{self.rounds % 7}/{size}", os.urandom(size)
                    self.s3.put_object(Bucket="research", Key=key, Body=body)
                    if self.s3.get_object(Bucket="research", Key=key)["Body"].read() != body:
                        self.wrong = f"{key} holds other bytes"
                    if self.rounds % 3 == 0:
                        self.s3.delete_object(Bucket="research", Key=key)
                self.rounds += 1
            except ClientError as error:
                self.wrong = str(error)


class ScrubTest(ServeTest):
    def setUp(self):
        self.server = Server(program(), options=[*NO_TOOLS, "store.scrub_days = 0"])
        self.addCleanup(self.server.cleanup)
        self.server.start()
        self.server.cli("user", "add", "alice")
        self.server.cli("bucket", "create", "research", "--unversioned")
        self.server.cli("grant", "add", "alice", "write", "research")
        self.keys = self.server.keys_of("alice")
        self.s3 = self.server.s3(self.keys)
        self.stored = {}

    def put(self, key, size):
        self.stored[key] = os.urandom(size)
        self.s3.put_object(Bucket="research", Key=key, Body=self.stored[key])

    def files(self, folder):
        found = glob.glob(os.path.join(self.server.data, "store", folder, "**"), recursive=True)
        return [path for path in found if os.path.isfile(path)]

    def check(self, *arguments):
        done = subprocess.run([program(), "--data", self.server.data, "check", "--scrub", *arguments],
                              capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def check_on_a_terminal(self, *arguments):
        """What it writes to its standard error, a terminal, and to its standard output, none."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([program(), "--data", self.server.data, "check", "--scrub", *arguments],
                                   stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:
            pass  # EIO: nobody has the terminal open any more
        finally:
            os.close(ours)
        said = process.communicate(timeout=300)[0]
        self.assertEqual(process.returncode, 0, said)
        return shown.decode(), said

    def check_reads(self, broken):
        for key, body in self.stored.items():
            if key not in broken:
                self.assertEqual(self.s3.get_object(Bucket="research", Key=key)["Body"].read(), body, key)
                continue
            with self.assertRaises(ClientError) as caught:
                self.s3.get_object(Bucket="research", Key=key)["Body"].read()
            self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500, key)

    def test_flipped_bytes_are_named_and_never_answered(self):
        for number in range(4):
            self.put(f"large{number}", 2 * MIB)
            self.put(f"small{number}", 60_000)
        code, said = self.check()
        self.assertEqual(code, 0, said)
        self.assertIn("no damage", said)

        traffic = Traffic(self.server.s3(self.keys))
        traffic.start()
        wait_for("traffic", lambda: traffic.rounds > 2)
        flip(self.files("blobs"), self.stored["large2"])
        flip(self.files("log"), self.stored["small1"])
        code, said = self.check("--bytes-per-second", str(20 * MIB))
        traffic.stopped.set()
        traffic.join(60)
        self.assertIsNone(traffic.wrong)
        self.assertEqual(code, 1, said)
        self.assertIn("research/large2", said)
        self.assertIn("research/small1", said)
        for key in ("large0", "large1", "small0", "small2", "traffic/"):
            self.assertNotIn(f"research/{key}", said)
        self.check_reads({"large2", "small1"})

        status = self.server.cli_json("status")["scrub"]
        self.assertEqual(status["last"]["damaged"], 2)
        self.assertIn("2 places are DAMAGED", self.server.cli("status"))
        # By its action: the traffic's own events came since, as many as the machine is fast.
        events = self.server.cli_json("audit", "tail", "--action", "scrub.damage")
        self.assertEqual({event["action"] for event in events}, {"scrub.damage"})
        targets = [event["target"] for event in events]
        self.assertEqual(len(targets), 2)
        self.assertTrue(any(target.startswith("blob ") for target in targets), targets)
        self.assertTrue(any(target.startswith("segment ") for target in targets), targets)
        self.assertIn("the scrub found damage", self.server.log_tail(200))

        # A blob's quarantine outlives the server, and so does what the last pass said.
        self.server.kill()
        self.server.start()
        self.check_reads({"large2", "small1"})
        self.assertEqual(self.server.cli_json("status")["scrub"]["last"]["damaged"], 2)

        # What is written anew is sound, and the damaged blob goes with its object.
        self.put("large2", 2 * MIB)
        self.check_reads({"small1"})
        code, said = self.check("--bytes-per-second", "0")
        self.assertEqual(code, 1, said)
        self.assertNotIn("research/large2", said)
        self.assertIn("research/small1", said)


    def test_a_terminal_sees_how_far_it_is(self):
        for number in range(4):
            self.put(f"large{number}", 2 * MIB)
        whole = r"(?:\r\x1b\[K[0-9.]+ [KM]?i?B of [0-9.]+ MiB \([0-9]+ %\) read)+\r\x1b\[K"
        # Slow enough to be looked at while it runs.
        shown, said = self.check_on_a_terminal("--bytes-per-second", str(4 * MIB))
        self.assertRegex(shown, f"^{whole}$")
        self.assertIn("by the server", said)
        self.assertNotIn("%", said)
        self.server.stop()
        shown, said = self.check_on_a_terminal("--bytes-per-second", str(16 * MIB))
        self.assertRegex(shown, f"^{whole}$")
        self.assertIn("no damage", said)
        code, said = self.check()
        self.assertEqual(code, 0, said)
        self.assertNotIn("%", said)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
