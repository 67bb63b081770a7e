"""s3fs-fuse: a bucket mounted as a filesystem, with no option but where the server is."""

import os
import subprocess
import time
import unittest

from server import ADMIN, ServerTest


class S3fsTest(ServerTest):
    def setUp(self):
        super().setUp()
        self.mount = os.path.join(self.directory, "mnt")
        os.mkdir(self.mount)
        self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, "s3", "mb", "s3://s3fs"])
        secrets = self.write("passwd", ":".join(ADMIN).encode())
        os.chmod(secrets, 0o600)
        log = open(os.path.join(self.directory, "s3fs.log"), "wb")
        self.process = subprocess.Popen(
            ["/usr/bin/s3fs", "s3fs", self.mount, "-f", "-o", f"url={self.server.url}",
             "-o", "use_path_request_style", "-o", f"passwd_file={secrets}"],
            env=self.environment(), stdout=log, stderr=log)
        log.close()
        self.addCleanup(self.unmount)
        deadline = time.monotonic() + 30
        while not os.path.ismount(self.mount):
            self.assertIsNone(self.process.poll(), self.read("s3fs.log"))
            self.assertLess(time.monotonic(), deadline, self.read("s3fs.log"))
            time.sleep(0.05)

    def tearDown(self):
        self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, "s3", "rb", "--force",
                         "s3://s3fs"])

    def unmount(self):
        subprocess.run(["/usr/bin/fusermount", "-u", "-z", self.mount], check=False)
        self.process.terminate()
        self.process.wait(30)

    def aws(self, *arguments):
        return self.run_client(["/usr/bin/aws", "--endpoint-url", self.server.url, *arguments])

    def path(self, *parts):
        return os.path.join(self.mount, *parts)

    def test_files_are_written_read_renamed_and_removed(self):
        big = os.urandom(25_000_000)  # s3fs sends it in parts
        os.makedirs(self.path("a", "b"))
        for name, data in (("a/b/small", b"small"), ("big", big), ("empty", b"")):
            with open(self.path(name), "wb") as file:
                file.write(data)
        self.aws("s3", "cp", "s3://s3fs/big", "big.back")
        self.assertEqual(self.read("big.back"), big)
        with open(self.path("big"), "rb") as file:
            file.seek(24_000_000)
            self.assertEqual(file.read(), big[24_000_000:])
        with open(self.path("a/b/small"), "ab") as file:
            file.write(b" and more")
        os.rename(self.path("a/b/small"), self.path("a/moved"))
        os.rename(self.path("big"), self.path("a/big"))  # a copy in parts
        self.assertEqual(sorted(os.listdir(self.path("a"))), ["b", "big", "moved"])
        with open(self.path("a/moved"), "rb") as file:
            self.assertEqual(file.read(), b"small and more")
        os.chmod(self.path("a/moved"), 0o640)
        self.assertEqual(os.stat(self.path("a/moved")).st_mode & 0o777, 0o640)
        os.symlink("moved", self.path("a/link"))
        self.assertEqual(os.readlink(self.path("a/link")), "moved")
        for name in ("a/moved", "a/big", "a/link", "empty"):
            os.unlink(self.path(name))
        os.rmdir(self.path("a/b"))
        os.rmdir(self.path("a"))
        self.assertEqual(self.aws("s3", "ls", "--recursive", "s3://s3fs").strip(), "")

    def test_what_others_write_is_seen(self):
        self.write("in", b"from outside")
        self.aws("s3", "cp", "in", "s3://s3fs/folder/in")
        with open(self.path("folder", "in"), "rb") as file:
            self.assertEqual(file.read(), b"from outside")


if __name__ == "__main__":
    unittest.main()
