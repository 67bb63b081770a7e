"""s3cmd against the S3 service."""

import unittest

from server import ADMIN, ServerTest


class S3cmdTest(ServerTest):
    def s3cmd(self, *arguments, expect=0):
        host = f"localhost:{self.server.port}"
        return self.run_client(["/usr/bin/s3cmd", "--config", "/dev/null", "--no-ssl",
                                f"--access_key={ADMIN[0]}", f"--secret_key={ADMIN[1]}",
                                f"--host={host}", f"--host-bucket={host}", "--region=us-east-1",
                                *arguments], expect=expect)

    def test_objects_go_round(self):
        self.s3cmd("mb", "s3://s3cmd-round")
        data = bytes(range(256)) * 80_000  # over 15 MiB: multipart
        large, small = self.write("large", data), self.write("small", b"small")
        self.s3cmd("put", "--quiet", large, "s3://s3cmd-round/d/large")
        self.s3cmd("put", "--quiet", small, "s3://s3cmd-round/d/sm all")
        listed = self.s3cmd("ls", "--recursive", "s3://s3cmd-round")
        self.assertIn("s3://s3cmd-round/d/large", listed)
        self.s3cmd("get", "--quiet", "s3://s3cmd-round/d/large", large + ".back")
        self.assertEqual(self.read("large.back"), data)
        self.s3cmd("cp", "s3://s3cmd-round/d/sm all", "s3://s3cmd-round/copy")
        self.assertIn("5", self.s3cmd("info", "s3://s3cmd-round/copy"))
        self.s3cmd("mv", "s3://s3cmd-round/copy", "s3://s3cmd-round/moved")
        self.s3cmd("del", "--recursive", "--force", "s3://s3cmd-round/d")
        self.assertNotIn("/d/", self.s3cmd("ls", "--recursive", "s3://s3cmd-round"))

    def test_a_missing_object_is_an_error(self):
        self.s3cmd("mb", "s3://s3cmd-none")
        self.s3cmd("get", "s3://s3cmd-none/none", "out", expect=64)


if __name__ == "__main__":
    unittest.main()
