// Real programs work in a home: git, SQLite, tar.
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/e2e/fusefs/home_fixture.h"

namespace holdfast::fusefs::testing {
namespace {

class HomePrograms : public ::testing::TestWithParam<bool> {
 protected:
  HomeMount mount{MountSetup{.passthrough = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Data, HomePrograms, ::testing::Bool(), [](const auto& info) {
  return info.param ? "Passthrough" : "ThroughTheDaemon";
});

TEST_P(HomePrograms, GitClonesCommitsAndStaysSound) {
  const std::string out = shell(
      "export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b "
      "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
      "cd " +
      mount.directory +
      "; git init -q src; cd src\n"
      "for n in $(seq 300); do mkdir -p d$((n % 17)); echo $n > d$((n % 17))/f$n; done\n"
      "git add .; git commit -qm first\n"
      "cd " +
      mount.home +
      "; git clone -q ../src copy; cd copy\n"
      "git mv d3 moved; echo more >> d4/f4; ln -s d4 link; git add .; git commit -qm second\n"
      "git gc -q --aggressive; git fsck --full 2>&1; git status --porcelain; git log --oneline | "
      "wc -l");
  EXPECT_EQ(out, "2\n");
}

TEST_P(HomePrograms, SqliteKeepsItsJournalInAWal) {
  const std::string out =
      shell("cd " + mount.home +
            "\n"
            "sqlite3 db 'pragma journal_mode=wal; create table t(a integer primary key, b text);'\n"
            "for n in 1 2 3 4; do (for m in $(seq 25); do sqlite3 -cmd '.timeout 20000' db "
            "\"insert into t(b) values(hex(randomblob(500)))\"; done) & done; wait\n"
            "sqlite3 db 'select count(*) from t; pragma integrity_check;'");
  EXPECT_EQ(out, "wal\n100\nok\n");
}

TEST_P(HomePrograms, TarBringsFiveThousandFilesInAndOutUnchanged) {
  const std::string out =
      shell("cd " + mount.directory +
            "; mkdir many; cd many\n"
            "/usr/bin/python3 -c \"\n"
            "import os\n"
            "for n in range(5000):\n"
            "    d = f'd{n % 50}'\n"
            "    os.makedirs(d, exist_ok=True)\n"
            "    open(f'{d}/f{n}', 'w').write(str(n) * (n % 200))\n\"\n"
            "cd ..; tar cf many.tar many; cd home; tar xf ../many.tar\n"
            "diff -r many ../many; tar cf ../back.tar --sort=name many; cd ..\n"
            "tar cf again.tar --sort=name many; cmp again.tar back.tar && echo same");
  EXPECT_EQ(out, "same\n");
}

TEST_P(HomePrograms, PythonMapsAndReplacesFilesAsEditorsDo) {
  const std::string out =
      shell("cd " + mount.home +
            "\n/usr/bin/python3 -c \"\n"
            "import mmap, os, tempfile\n"
            "open('a', 'wb').write(bytes(1 << 20))\n"
            "with open('a', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:\n"
            "    m[5:10] = b'hello'\n"
            "    m.flush()\n"
            "print(open('a', 'rb').read()[5:10])\n"
            "fd, name = tempfile.mkstemp(dir='.')\n"
            "os.write(fd, b'new'); os.fsync(fd); os.close(fd); os.replace(name, 'a')\n"
            "print(open('a').read())\n\"");
  EXPECT_EQ(out, "b'hello'\nnew\n");
}

}  // namespace
}  // namespace holdfast::fusefs::testing
