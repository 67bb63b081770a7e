"""rclone with provider Other, no quirk set beyond the endpoint."""

import unittest

from server import ServerTest


class RcloneTest(ServerTest):
    def rclone(self, *arguments, expect=0):
        remote = (f":s3,provider=Other,env_auth=true,endpoint='{self.server.url}',"
                  "region=us-east-1,force_path_style=true:")
        filled = [a.replace("REMOTE:", remote) for a in arguments]
        return self.run_client(["/usr/bin/rclone", "--config", "/dev/null", "--retries", "1",
                                *filled], expect=expect)

    def test_a_tree_is_copied_checked_and_synced(self):
        files = {"a.txt": b"a", "dir/b c+d.txt": b"b", "dir/sub/large": bytes(7) * 3_000_000,
                 "empty": b"", "\u00fc/name%20x": b"u"}
        for name, data in files.items():
            self.write("tree/" + name, data)
        self.rclone("mkdir", "REMOTE:tree")
        self.rclone("copy", "tree", "REMOTE:tree/home")
        self.rclone("check", "tree", "REMOTE:tree/home")
        self.rclone("check", "--download", "tree", "REMOTE:tree/home")
        self.rclone("copy", "REMOTE:tree/home", "back")
        for name, data in files.items():
            self.assertEqual(self.read("back/" + name), data)
        self.write("tree/a.txt", b"changed")
        self.rclone("sync", "tree", "REMOTE:tree/home")
        self.assertEqual(self.rclone("cat", "REMOTE:tree/home/a.txt"), "changed")
        self.rclone("moveto", "REMOTE:tree/home/a.txt", "REMOTE:tree/home/moved.txt")
        self.assertEqual(self.rclone("lsf", "REMOTE:tree/home").split("\n")[:3],
                         ["dir/", "empty", "moved.txt"])
        self.rclone("purge", "REMOTE:tree")
        self.assertNotIn("tree", self.rclone("lsd", "REMOTE:"))

    def test_a_stream_of_unknown_length_is_stored(self):
        self.rclone("mkdir", "REMOTE:rcat")
        self.write("in", b"z" * 6_000_000)
        self.run_client(["/bin/sh", "-c",
                         "cat in | /usr/bin/rclone --config /dev/null rcat "
                         f"\":s3,provider=Other,env_auth=true,endpoint='{self.server.url}'"
                         ",region=us-east-1:rcat/k\""])
        self.assertIn("6000000", self.rclone("ls", "REMOTE:rcat"))


if __name__ == "__main__":
    unittest.main()
