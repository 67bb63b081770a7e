#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "store/log_format.h"
#include "store/log_segments.h"

namespace holdfast::store {
namespace {

constexpr std::size_t window_bytes = 4u << 20;

// A window over one segment file that slides forward.
class SegmentView {
 public:
  static Result<SegmentView> open(const std::string& directory, std::uint64_t number) {
    SegmentView view;
    view.number_ = number;
    auto file = open_file(segment_path(directory, number), O_RDONLY);
    if (!file) return std::unexpected(file.error());
    struct stat status{};
    if (::fstat(file->get(), &status) != 0) return fail_errno(errno, "stat of a log segment");
    view.size_ = static_cast<std::uint64_t>(status.st_size);
    view.file_ = std::move(*file);
    return view;
  }

  std::uint64_t number() const { return number_; }
  std::uint64_t size() const { return size_; }

  // Up to `bytes` from `offset`; shorter at the end of the file.
  Result<std::string_view> at(std::uint64_t offset, std::size_t bytes) {
    const auto end = std::min<std::uint64_t>(size_, offset + bytes);
    if (offset >= end) return std::string_view();
    if (offset < start_ || end > start_ + window_.size()) {
      window_.resize(std::max<std::size_t>(window_bytes, bytes));
      auto got = read_at(file_.get(), std::as_writable_bytes(std::span(window_)), offset);
      if (!got) return std::unexpected(got.error());
      window_.resize(*got);
      start_ = offset;
    }
    const auto within = static_cast<std::size_t>(offset - start_);
    return std::string_view(window_).substr(within, static_cast<std::size_t>(end - offset));
  }

  struct Found {
    RecordHeader header;
    std::string_view bytes;
  };
  // The sound record at `offset`, or nullopt.
  Result<std::optional<Found>> record(std::uint64_t offset) {
    auto head = at(offset, record_header_bytes);
    if (!head) return std::unexpected(head.error());
    const auto header = decode_record_header(*head);
    if (!header) return std::nullopt;
    auto whole = at(offset, header->total_bytes());
    if (!whole) return std::unexpected(whole.error());
    if (whole->size() < header->total_bytes() || !record_is_sound(*header, *whole)) {
      return std::nullopt;
    }
    return Found{*header, *whole};
  }

  // The first offset at or behind `from` with a sound record of a group behind `group`.
  Result<std::optional<std::uint64_t>> resync(std::uint64_t from, std::uint64_t group) {
    for (std::uint64_t offset = from; offset + record_header_bytes <= size_; ++offset) {
      auto piece = at(offset, window_bytes / 2);
      if (!piece) return std::unexpected(piece.error());
      const auto magic = piece->find("HREC");
      if (magic == std::string_view::npos) {
        offset += piece->size() - std::min<std::size_t>(piece->size(), 4);
        continue;
      }
      offset += magic;
      auto found = record(offset);
      if (!found) return std::unexpected(found.error());
      if (*found && (*found)->header.group > group) return offset;
    }
    return std::nullopt;
  }

  // Behind the last byte at or behind `from` that is not zero; `from` where there is none.
  Result<std::uint64_t> end_of_data(std::uint64_t from) {
    std::uint64_t end = from;
    for (std::uint64_t offset = from; offset < size_;) {
      auto piece = at(offset, window_bytes / 2);
      if (!piece) return std::unexpected(piece.error());
      if (piece->empty()) break;
      const auto last = piece->find_last_not_of('\0');
      if (last != std::string_view::npos) end = offset + last + 1;
      offset += piece->size();
    }
    return end;
  }

 private:
  std::uint64_t number_ = 0, size_ = 0, start_ = 0;
  Fd file_;
  std::string window_;
};

LogRecord to_record(const SegmentView& view, std::uint64_t offset,
                    const SegmentView::Found& found) {
  LogRecord record;
  record.sequence = found.header.sequence;
  record.position = {view.number(), offset};
  record.payload = found.bytes.substr(record_header_bytes, found.header.payload_bytes);
  record.body = found.bytes.substr(record_header_bytes + found.header.payload_bytes);
  record.body_offset = offset + record_header_bytes + found.header.payload_bytes;
  return record;
}

// nullopt: it is not sound.
Result<std::optional<SegmentHeader>> header_of(SegmentView& view) {
  auto bytes = view.at(0, segment_header_bytes);
  if (!bytes) return std::unexpected(bytes.error());
  auto header = decode_segment_header(*bytes);
  if (header && header->number != view.number()) header.reset();
  return header;
}

struct SegmentScan {
  LogEnd end;
  bool stopped = false;  // at something that is no record
};

Result<SegmentScan> scan_segment(SegmentView& view, LogEnd end, const LogVisitor& visit) {
  while (end.position.offset < view.size()) {
    auto found = view.record(end.position.offset);
    if (!found) return std::unexpected(found.error());
    const bool next = *found && (*found)->header.sequence == end.last_sequence + 1;
    if (!next) return SegmentScan{end, true};
    const LogRecord record = to_record(view, end.position.offset, **found);
    const std::uint64_t total = (*found)->header.total_bytes();
    if (auto visited = visit(record); !visited) return std::unexpected(visited.error());
    end.last_sequence = record.sequence;
    end.position.offset += total;
  }
  return SegmentScan{end, false};
}

std::unexpected<Error> fail_damaged(LogPosition at, std::string_view what) {
  return fail(ErrorCode::corrupted,
              "the log is damaged in segment {} at byte {}: {}; nothing was changed", at.segment,
              at.offset, what);
}

}  // namespace

Result<LogEnd> scan_log(const std::string& directory, LogPosition from, std::uint64_t last_sequence,
                        const LogVisitor& visit) {
  auto segments = list_segments(directory);
  if (!segments) return std::unexpected(segments.error());
  LogEnd end{from, last_sequence, 0, 0};
  auto at = std::ranges::lower_bound(*segments, from.segment);
  const bool missing = from.segment != 0 && (at == segments->end() || *at != from.segment);
  if (missing) return fail(ErrorCode::not_found, "log segment {} is missing", from.segment);
  for (; at != segments->end(); ++at) {
    const bool last = std::next(at) == segments->end();
    auto view = SegmentView::open(directory, *at);
    if (!view) return std::unexpected(view.error());
    auto header = header_of(*view);
    if (!header) return std::unexpected(header.error());
    if (!*header) {
      // A crash while a segment was started: it never held an acknowledged record.
      if (!last || view->size() > segment_header_bytes) return fail_damaged({*at, 0}, "bad header");
      end.torn_bytes = view->size();
      return end;
    }
    if (*at != from.segment) end.position = {*at, segment_header_bytes};
    if (end.first_segment == 0) {
      end.first_segment = *at;
      // What came before was dropped by compaction; whether that is so, its record tells.
      if (from.segment == 0) end.last_sequence = (*header)->first_sequence - 1;
    }
    if (end.position.offset > view->size()) {
      return fail(ErrorCode::not_found, "log segment {} ends before byte {}", *at,
                  end.position.offset);
    }
    auto scanned = scan_segment(*view, end, visit);
    if (!scanned) return std::unexpected(scanned.error());
    end = scanned->end;
    if (!scanned->stopped) continue;
    if (!last) return fail_damaged(end.position, "a record is broken and later segments follow");
    auto later = view->resync(end.position.offset, end.last_sequence + 1);
    if (!later) return std::unexpected(later.error());
    if (*later) return fail_damaged(end.position, "a record is broken and later ones follow");
    auto data = view->end_of_data(end.position.offset);
    if (!data) return std::unexpected(data.error());
    end.torn_bytes = *data - end.position.offset;
    return end;
  }
  return end;
}

Result<std::optional<LogPosition>> read_segment(const std::string& directory, LogPosition from,
                                                std::uint64_t bytes, const LogVisitor& visit) {
  auto view = SegmentView::open(directory, from.segment);
  if (!view) return std::unexpected(view.error());
  LogPosition at{from.segment, std::max<std::uint64_t>(from.offset, segment_header_bytes)};
  const std::uint64_t until = at.offset + bytes;
  while (at.offset < view->size()) {
    if (at.offset >= until) return at;
    auto found = view->record(at.offset);
    if (!found) return std::unexpected(found.error());
    if (!*found) return fail_damaged(at, "a record is broken");
    if (auto visited = visit(to_record(*view, at.offset, **found)); !visited) {
      return std::unexpected(visited.error());
    }
    at.offset += (*found)->header.total_bytes();
  }
  return std::nullopt;
}

Result<SegmentCheck> check_segment(const std::string& directory, LogPosition from,
                                   LogPosition until, std::uint64_t bytes) {
  auto view = SegmentView::open(directory, from.segment);
  if (!view) return std::unexpected(view.error());
  SegmentCheck check;
  const std::uint64_t size = from.segment == until.segment ? until.offset : view->size();
  std::uint64_t offset = std::max<std::uint64_t>(from.offset, segment_header_bytes);
  if (from.offset < segment_header_bytes) {
    auto header = header_of(*view);
    if (!header) return std::unexpected(header.error());
    if (!*header) check.damage.push_back({{from.segment, 0}, segment_header_bytes});
  }
  const std::uint64_t begin = offset;
  while (offset < size && offset < begin + bytes) {
    auto found = view->record(offset);
    if (!found) return std::unexpected(found.error());
    if (*found) {
      offset += (*found)->header.total_bytes();
      continue;
    }
    auto next = view->resync(offset + 1, 0);
    if (!next) return std::unexpected(next.error());
    const std::uint64_t resumed = std::min(next->value_or(size), size);
    check.damage.push_back({{from.segment, offset}, resumed - offset});
    offset = resumed;
  }
  check.read_bytes = offset - begin;
  if (offset < size) check.next = LogPosition{from.segment, offset};
  return check;
}

Result<std::vector<LogDamage>> find_log_damage(const std::string& directory, LogPosition until) {
  auto segments = list_segments(directory);
  if (!segments) return std::unexpected(segments.error());
  std::vector<LogDamage> damage;
  for (const auto number : *segments) {
    if (number > until.segment) break;
    auto check = check_segment(directory, {number, 0}, until, ~std::uint64_t{0} >> 1);
    if (!check) return std::unexpected(check.error());
    damage.insert(damage.end(), check->damage.begin(), check->damage.end());
  }
  return damage;
}

}  // namespace holdfast::store
