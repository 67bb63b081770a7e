"""A real `holdfast serve` for a test class, without tools, and clients that know its keys."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "story"))

from harness import Server, check, wait_for  # noqa: E402,F401

NO_TOOLS = ["tools.enabled = false"]


def program():
    return os.environ["HOLDFAST_PROGRAM"]


class ServeTest(unittest.TestCase):
    @classmethod
    def start_server(cls, **arguments):
        server = Server(program(), options=NO_TOOLS, **arguments)
        cls.addClassCleanup(server.cleanup)
        server.start()
        server.cli("user", "add", "alice")
        server.cli("bucket", "create", "research")
        server.cli("grant", "add", "alice", "write", "research")
        cls.server, cls.keys = server, server.keys_of("alice")
        return server
