"""The AWS SDK for JavaScript v3. No Debian package has it: S3CLIENTS_NODE_MODULES names a
node_modules folder that does (npm install @aws-sdk/client-s3 @aws-sdk/lib-storage
@aws-sdk/s3-request-presigner @aws-sdk/s3-presigned-post); without it the test is skipped."""

import os
import shutil
import unittest

from server import ServerTest

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.environ.get("S3CLIENTS_NODE_MODULES", "")


@unittest.skipUnless(os.path.isdir(os.path.join(MODULES, "@aws-sdk", "client-s3")),
                     "S3CLIENTS_NODE_MODULES names no folder with @aws-sdk/client-s3")
class JsSdkTest(ServerTest):
    def test_the_sdk_with_its_defaults(self):
        # Imports are looked for beside the program.
        shutil.copy(os.path.join(HERE, "js_sdk.mjs"), self.directory)
        os.symlink(os.path.abspath(MODULES), os.path.join(self.directory, "node_modules"))
        self.run_client([shutil.which("node"), "js_sdk.mjs", self.server.url])


if __name__ == "__main__":
    unittest.main(verbosity=2)
