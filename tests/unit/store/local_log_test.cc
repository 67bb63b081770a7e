#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/encoding.h"
#include "store/local_apply.h"
#include "store/log_format.h"
#include "store/log_record.h"
#include "store/log_segments.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogOptions options(std::uint64_t segment_bytes = 1u << 20) const {
    return {directory.path(), segment_bytes, false};
  }

  struct Scan {
    Result<LogEnd> end = fail(ErrorCode::internal, "not scanned");
    std::vector<std::uint64_t> sequences;
    std::vector<std::string> payloads;
  };
  Scan scan(LogPosition from = {}, std::uint64_t last_sequence = 0) const {
    Scan result;
    result.end = scan_log(directory.path(), from, last_sequence,
                          [&](const LogRecord& record) -> Result<void> {
                            result.sequences.push_back(record.sequence);
                            result.payloads.emplace_back(record.payload);
                            return {};
                          });
    return result;
  }
  // Groups of `sizes` records each; answers where each group ends.
  std::vector<LogPosition> write(const std::vector<int>& sizes, std::uint64_t segment_bytes) {
    auto before = scan();
    std::uint64_t next = before.end->last_sequence + 1;
    auto writer = LogWriter::open(options(segment_bytes), before.end->position, next);
    EXPECT_TRUE(writer);
    std::vector<LogPosition> ends;
    for (const int size : sizes) {
      EXPECT_TRUE(writer->make_room(next));
      std::string group;
      const std::uint64_t first = next;
      for (int i = 0; i < size; ++i, ++next) {
        append_record(group, {next, first}, fmt::format("payload {}", next), "body");
      }
      EXPECT_TRUE(writer->append(group));
      ends.push_back(writer->end());
    }
    return ends;
  }
  void overwrite(LogPosition at, std::string_view bytes) const {
    auto file = open_file(segment_path(directory.path(), at.segment), O_RDWR);
    ASSERT_TRUE(file && write_all_at(file->get(), as_bytes(bytes), at.offset));
  }
  void cut(LogPosition at) const {
    std::filesystem::resize_file(segment_path(directory.path(), at.segment), at.offset);
  }

  TemporaryDirectory directory;
};

TEST_F(LogTest, RecordsComeBackInOrderAcrossSegments) {
  write({1, 3, 2, 5, 1}, 150);
  EXPECT_GT(list_segments(directory.path())->size(), 2u);
  const auto all = scan();
  ASSERT_TRUE(all.end) << all.end.error().context;
  EXPECT_EQ(all.sequences.size(), 12u);
  EXPECT_EQ(all.payloads.back(), "payload 12");
  EXPECT_EQ(all.end->torn_bytes, 0u);
}

TEST_F(LogTest, AScanGoesOnFromWhereTheIndexCame) {
  const auto ends = write({2, 3, 1}, 150);
  const auto rest = scan(ends[0], 2);
  ASSERT_TRUE(rest.end);
  EXPECT_EQ(rest.sequences, (std::vector<std::uint64_t>{3, 4, 5, 6}));
}

TEST_F(LogTest, ATailTornAtAnyByteLosesOnlyTheRecordThatWasBeingWritten) {
  const auto ends = write({2, 1}, 1u << 20);
  for (auto at = ends[1].offset - 1; at >= ends[0].offset; --at) {
    cut({1, at});
    const auto seen = scan();
    ASSERT_TRUE(seen.end) << at;
    EXPECT_EQ(seen.sequences.size(), 2u);
    EXPECT_EQ(seen.end->position, ends[0]);
    EXPECT_LE(seen.end->torn_bytes, at - ends[0].offset);  // zeros at its end are not counted
  }
}

TEST_F(LogTest, AGroupThatReachedTheDiskInPiecesIsCutAtItsFirstGap) {
  // Pages of one group may reach the disk in any order before its fdatasync.
  const auto ends = write({1, 4}, 1u << 20);
  overwrite({1, ends[0].offset + 70}, std::string(20, '\0'));
  const auto seen = scan();
  ASSERT_TRUE(seen.end) << seen.end.error().context;
  EXPECT_LE(seen.sequences.size(), 2u);
  EXPECT_GT(seen.end->torn_bytes, 0u);
}

TEST_F(LogTest, AFlippedByteInWhatWasDurableIsDamageNotATornTail) {
  const auto ends = write({1, 1, 1}, 1u << 20);
  for (auto at = ends[0].offset; at < ends[1].offset; ++at) {
    std::string original(1, '\0');
    auto file = open_file(segment_path(directory.path(), 1), O_RDWR);
    ASSERT_TRUE(file && read_at(file->get(), std::as_writable_bytes(std::span(original)), at));
    overwrite({1, at}, std::string(1, static_cast<char>(original[0] ^ 0x40)));
    const auto seen = scan();
    ASSERT_FALSE(seen.end) << at;
    EXPECT_EQ(seen.end.error().code, ErrorCode::corrupted);
    const auto damage = find_log_damage(directory.path(), ends[2]);
    ASSERT_TRUE(damage && damage->size() == 1) << at;
    EXPECT_EQ(damage->front().position, ends[0]);
    EXPECT_EQ(damage->front().bytes, ends[1].offset - ends[0].offset);
    overwrite({1, at}, original);
  }
  EXPECT_TRUE(scan().end);
}

TEST_F(LogTest, DamageInASegmentThatOthersFollowIsNeverTakenForATornTail) {
  write({1, 1, 1}, 60);
  ASSERT_GE(list_segments(directory.path())->size(), 2u);
  cut({1, 60});
  const auto seen = scan();
  ASSERT_FALSE(seen.end);
  EXPECT_EQ(seen.end.error().code, ErrorCode::corrupted);
}

TEST_F(LogTest, ASegmentWhoseHeaderNeverCameIsStartedAgain) {
  write({2}, 60);
  auto file = open_file(segment_path(directory.path(), 2), O_RDWR | O_CREAT);
  ASSERT_TRUE(file && write_all_at(file->get(), as_bytes("HFLOG"), 0));
  EXPECT_EQ(scan().sequences.size(), 2u);
  write({1}, 60);
  EXPECT_EQ(scan().sequences.size(), 3u);
}

TEST_F(LogTest, AGroupThatIsTakenBackIsGone) {
  auto writer = LogWriter::open(options(), {}, 1);
  ASSERT_TRUE(writer);
  std::string group;
  append_record(group, {1, 1}, "one", "");
  ASSERT_TRUE(writer->append(group));
  const auto before = writer->end();
  group.clear();
  append_record(group, {2, 2}, "two", "");
  ASSERT_TRUE(writer->append(group));
  ASSERT_TRUE(writer->take_back(before));
  EXPECT_EQ(scan().sequences, std::vector<std::uint64_t>{1});
  ASSERT_TRUE(writer->append(group));
  EXPECT_EQ(scan().sequences.size(), 2u);
}

// With sync on the file is filled ahead with zeros.
class FilledLogTest : public LogTest {
 protected:
  static constexpr std::uint64_t ahead = 8192;

  void append(LogWriter& writer, const std::string& payload) {
    ASSERT_TRUE(writer.make_room(next_));
    std::string group;
    append_record(group, {next_, next_}, payload, "body");
    ASSERT_TRUE(writer.append(group));
    ++next_;
  }
  Result<LogWriter> open(LogPosition end, std::uint64_t segment_bytes = 1u << 20) {
    return LogWriter::open({directory.path(), segment_bytes, true, ahead}, end, next_);
  }
  std::uint64_t file_bytes(std::uint64_t segment) const {
    return std::filesystem::file_size(segment_path(directory.path(), segment));
  }

  std::uint64_t next_ = 1;
};

TEST_F(FilledLogTest, GrowsInStepsAndEndsWhereItsRecordsEnd) {
  auto writer = open({});
  ASSERT_TRUE(writer);
  append(*writer, "one");
  const auto size = file_bytes(1);
  EXPECT_EQ(size, writer->end().offset + ahead);
  append(*writer, "two");
  EXPECT_EQ(file_bytes(1), size);
  const auto seen = scan();
  ASSERT_TRUE(seen.end) << seen.end.error().context;
  EXPECT_EQ(seen.sequences.size(), 2u);
  EXPECT_EQ(seen.end->position, writer->end());
  EXPECT_EQ(seen.end->torn_bytes, 0u);
  const auto damage = find_log_damage(directory.path(), writer->end());
  EXPECT_TRUE(damage && damage->empty());
  auto again = open(writer->end());
  ASSERT_TRUE(again);
  EXPECT_EQ(file_bytes(1), again->end().offset);
}

TEST_F(FilledLogTest, WhatIsTornBeforeTheZerosIsCountedWithoutThem) {
  auto writer = open({});
  ASSERT_TRUE(writer);
  append(*writer, "one");
  const auto before = writer->end();
  append(*writer, std::string(300, 'x'));
  overwrite({1, before.offset + 100}, std::string(1, '?'));
  const auto seen = scan();
  ASSERT_TRUE(seen.end) << seen.end.error().context;
  EXPECT_EQ(seen.end->position, before);
  EXPECT_EQ(seen.end->torn_bytes, writer->end().offset - before.offset);
}

TEST_F(FilledLogTest, AClosedSegmentEndsWithARecord) {
  constexpr std::uint64_t segment_bytes = 20'000;
  auto writer = open({}, segment_bytes);
  ASSERT_TRUE(writer);
  std::uint64_t closed_at = 0;
  while (writer->end().segment == 1) {
    closed_at = writer->end().offset;
    append(*writer, std::string(900, 'x'));
    EXPECT_LE(file_bytes(1), segment_bytes + 1000);
  }
  EXPECT_EQ(file_bytes(1), closed_at);
  EXPECT_EQ(scan().sequences.size(), next_ - 1);
  // Zeros where records have to be are damage, not an end.
  std::filesystem::resize_file(segment_path(directory.path(), 1), closed_at + 1);
  const auto seen = scan();
  ASSERT_FALSE(seen.end);
  EXPECT_EQ(seen.end.error().code, ErrorCode::corrupted);
}

TEST_F(FilledLogTest, LongGroupsAreWrittenOnce) {
  auto writer = open({});
  ASSERT_TRUE(writer);
  append(*writer, std::string(ahead, 'x'));
  EXPECT_EQ(file_bytes(1), writer->end().offset);
}

TEST_F(FilledLogTest, AGroupThatIsTakenBackLeavesNothing) {
  auto writer = open({});
  ASSERT_TRUE(writer);
  append(*writer, "one");
  const auto before = writer->end();
  append(*writer, "two");
  ASSERT_TRUE(writer->take_back(before));
  EXPECT_EQ(file_bytes(1), before.offset);
  --next_;
  append(*writer, "another");
  EXPECT_EQ(scan().payloads, (std::vector<std::string>{"one", "another"}));
}

TEST(LogRecord, KeepsTheSealOfAPieceAndOldRecordsAsTheyWere) {
  Piece clear{Piece::Home::segment, 3, 400, {}, 5, 77};
  Piece sealed = clear;
  sealed.seal = "the seal";
  const std::string bytes = encode_extents({{sealed, 1, 2}, {clear, 3, 4}});
  auto back = decode_extents(bytes);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].piece.seal, sealed.seal);
  EXPECT_EQ((*back)[0].piece.home, Piece::Home::segment);
  EXPECT_EQ((*back)[0].piece.offset, 400u);
  EXPECT_EQ((*back)[0].length, 2u);
  EXPECT_EQ((*back)[1].piece.seal, "");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_extents(std::string_view(bytes).substr(0, size))) << size;
  }
  // As they were before there were seals: home, segment, offset, length, checksum, first, length.
  const std::string before("\x01\x01\x03\x90\x03\x05\x4d\0\0\0\0\0\0\0\x03\x04", 16);
  EXPECT_EQ(encode_extents({{clear, 3, 4}}), before);
  EXPECT_FALSE(decode_extents(std::string("\x01\x03", 2) + before.substr(2)));  // no such home
}

TEST(LogRecord, KnowsExtentsThatAreThoseOfOthersOneAfterAnother) {
  const Extent one{{Piece::Home::segment, 3, 400, {}, 5, 77}, 0, 5};
  const Extent two{{Piece::Home::segment, 4, 80, {}, 9, 78}, 1, 2};
  const std::string a = encode_extents({one}), b = encode_extents({two, one});
  const std::string none = encode_extents({}), whole = encode_extents({one, two, one});
  using Runs = std::vector<std::string_view>;
  EXPECT_TRUE(are_joined(whole, Runs{a, b}));
  EXPECT_TRUE(are_joined(whole, Runs{a, none, b}));
  EXPECT_TRUE(are_joined(none, Runs{}));
  for (const auto& others : {Runs{b, a}, Runs{a}, Runs{a, b, a}, Runs{}, Runs{b}, Runs{a, ""}}) {
    EXPECT_FALSE(are_joined(whole, others)) << others.size();
  }
  EXPECT_FALSE(are_joined(whole + "x", Runs{a, b}));
  EXPECT_FALSE(are_joined("", Runs{}));
}

TEST_F(LogTest, TheChangeFeedIsCutToAMillionRecords) {
  auto catalogue = index::Catalogue::open(":memory:", index::Catalogue::Role::writer);
  ASSERT_TRUE(catalogue && catalogue->put_bucket({1, "b", 0, 0, false}));
  for (const std::uint64_t sequence : {5u, 10u, 11u, 1'000'010u}) {
    ASSERT_TRUE(catalogue->insert_change({.bucket = 1, .sequence = sequence, .key = "k"}));
  }
  index::AppliedState state{.sequence = 1'000'000, .feed_after = 3};
  ASSERT_TRUE(trim_feed(*catalogue, state));
  EXPECT_EQ(state.feed_after, 3u);
  state.sequence = 1'000'010;
  ASSERT_TRUE(trim_feed(*catalogue, state));
  EXPECT_EQ(state.feed_after, 10u);
  auto left = catalogue->changes({.bucket = 1, .after = 0});
  ASSERT_TRUE(left);
  ASSERT_EQ(left->changes.size(), 2u);
  EXPECT_EQ(left->changes.front().sequence, 11u);
}

TEST_F(LogTest, EveryOperationComesBackFromItsRecord) {
  Piece piece{Piece::Home::blob, 0, 0, std::string(32, 'a'), 1u << 20, 77};
  PutVersionOp put{3,      std::string("k\0\xff", 3), "v",     false, "etag", 9, -5,
                   "meta", {{piece, 5, 9}},           "upload"};
  const std::string bytes = encode_op(put);
  auto back = decode_op(bytes);
  ASSERT_TRUE(back);
  const auto& same = std::get<PutVersionOp>(*back);
  EXPECT_EQ(same.key, put.key);
  EXPECT_EQ(same.time, -5);
  ASSERT_EQ(same.extents.size(), 1u);
  EXPECT_EQ(same.extents[0].piece.blob, piece.blob);
  EXPECT_EQ(same.extents[0].first, 5u);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_op(std::string_view(bytes).substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace holdfast::store
