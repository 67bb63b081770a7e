#include "store/md5_queue.h"

namespace holdfast::store {

Md5Queue::Md5Queue(BlockingPool& pool, std::size_t threads, s3::Md5Lanes lanes)
    : pool_(pool), threads_(threads), lanes_(lanes) {}

void Md5Queue::add(Job job) {
  if (job.piece.bytes.empty()) return job.answer();
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
    const bool enough = working_ > 0 && waiting_.size() < lanes_.width();
    if (enough || working_ == threads_) return;
    ++working_;
  }
  pool_.post([this] { work(); });
}

// Fills the lanes with what waits; false: nothing is left to do, and the thread counts no longer.
bool Md5Queue::take_waiting(std::vector<Job>& taken) {
  const std::lock_guard lock(mutex_);
  while (taken.size() < lanes_.width() && !waiting_.empty()) {
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (taken.empty()) --working_;
  return !taken.empty();
}

void Md5Queue::work() {
  std::vector<Job> jobs;
  std::vector<s3::Md5Lanes::Piece> pieces;
  while (take_waiting(jobs)) {
    pieces.clear();
    for (const auto& job : jobs) pieces.push_back(job.piece);
    lanes_.advance(pieces);
    for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].piece = pieces[i];
    for (auto& job : jobs) {
      if (!job.piece.bytes.empty()) continue;
      job.owner.reset();
      job.answer();
    }
    std::erase_if(jobs, [](const Job& job) { return job.piece.bytes.empty(); });
  }
}

}  // namespace holdfast::store
