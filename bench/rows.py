"""A row of the table: our figures and a peer's, taken in turn, and what their ratio means."""
import statistics


def short(value):
    """Three digits of a figure."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Row:
    """Figures of one round lie at the same index. The ratio is taken in each round, then its median:
    what disturbs a whole round disturbs both sides of it."""

    def __init__(self, name, unit, peer, fsync, aim=None):
        self.name = name
        self.unit = unit
        self.peer = peer        # who stands beside us
        self.fsync = fsync      # what is durable when
        self.aim = aim          # the least ratio; None: only reported
        self.less = unit in ("s", "ms", "MiB")  # of time and memory less is better
        self.ours = []
        self.theirs = []
        self.notes = []
        self.extra = {}

    def add(self, ours, theirs):
        self.ours.append(ours)
        self.theirs.append(theirs)

    def ratios(self):
        """Our speed over the peer's: of what less is better of, the inverse."""
        return [theirs / ours if self.less else ours / theirs for ours, theirs in zip(self.ours, self.theirs)]

    def ratio(self):
        return statistics.median(self.ratios())

    def verdict(self):
        if self.aim is None:
            return "no aim"
        word = "met" if self.ratio() >= self.aim else "MISSED"
        return f"aim ≥ {self.aim:g}×: {self.ratio():.2f}× {word}"

    def cells(self):
        ratios = self.ratios()
        return (self.name, f"{short(statistics.median(self.ours))} {self.unit}", self.peer,
                f"{short(statistics.median(self.theirs))} {self.unit}",
                f"{self.ratio():.2f}× ({min(ratios):.2f}..{max(ratios):.2f})", self.verdict(), self.fsync)

    def json(self):
        return {"name": self.name, "unit": self.unit, "peer": self.peer, "fsync": self.fsync, "aim": self.aim,
                "ours": self.ours, "theirs": self.theirs, "ratio": self.ratio(), "ratios": self.ratios(),
                "met": None if self.aim is None else self.ratio() >= self.aim, "notes": self.notes, **self.extra}
