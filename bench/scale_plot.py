"""Draws build/bench/scale.json as docs/images/scale.svg: python3 bench/scale_plot.py [JSON [SVG]]."""
import json
import math
import os
import sys

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
PANELS = [
    ("Reading", [("list_start", "LIST, start"), ("list_middle", "LIST, middle"), ("list_end", "LIST, end"),
                 ("list_1000_prefixes", "LIST 1,000 prefixes"), ("list_10_prefixes", "LIST 10 prefixes"),
                 ("get", "GET 64 B"), ("head", "HEAD")], (0.001, 100)),
    ("Writing and opening", [("delete_1000", "DELETE 1,000"), ("delete_1000_scattered", "DELETE 1,000, scattered"), ("complete_1000_parts", "complete 1,000 parts"),
                             ("open_clean", "open, clean"), ("open_killed", "open, killed"),
                             ("open_tail", "open, replays 10,000")], (1, 10_000)),
]
COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#37352f", "#c4320a")
WIDTH, HEIGHT, LEFT, TOP, PANEL, GAP = 1070, 380, 60, 40, 270, 240


def name_of(value):
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def spread(places, least=14):
    """Labels may not lie on each other: moves them apart, keeping their order."""
    out = {}
    last = -1e9
    for key, place in sorted(places.items(), key=lambda item: item[1]):
        last = max(place, last + least)
        out[key] = last
    return out


def panel(sizes, figures, number, title, lines, bounds):
    x0, height = LEFT + number * (PANEL + GAP), HEIGHT - TOP - 50
    low, high = (math.log10(bound) for bound in bounds)
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def x_of(size):
        return x0 + PANEL * (math.log10(size) - first) / max(last - first, 1e-9)

    def y_of(value):
        share = (math.log10(max(value, bounds[0])) - low) / (high - low)
        return TOP + height * (1 - min(share, 1))
    out = [f'<text x="{x0}" y="{TOP - 16}" font-weight="bold">{title}, ms (p50)</text>']
    for power in range(round(low), round(high) + 1):
        y = y_of(10 ** power)
        out.append(f'<line x1="{x0}" y1="{y:.1f}" x2="{x0 + PANEL}" y2="{y:.1f}" stroke="#dddddd"/>'
                   f'<text x="{x0 - 8}" y="{y + 4:.1f}" text-anchor="end">{10 ** power:g}</text>')
    for size in sizes:
        out.append(f'<text x="{x_of(size):.1f}" y="{TOP + height + 20}" text-anchor="middle">{name_of(size)}</text>')
    out.append(f'<text x="{x0 + PANEL / 2}" y="{TOP + height + 40}" text-anchor="middle">objects</text>')
    ends = {key: y_of(figures[sizes[-1]][key]["p50"]) for key, _ in lines}
    labels = spread(ends)
    for (key, label), colour in zip(lines, COLOURS):
        points = " ".join(f"{x_of(size):.1f},{y_of(figures[size][key]['p50']):.1f}" for size in sizes)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x_of(size):.1f}" cy="{y_of(figures[size][key]["p50"]):.1f}" r="3" fill="{colour}"/>'
                for size in sizes]
        out.append(f'<text x="{x0 + PANEL + 10}" y="{labels[key] + 4:.1f}" fill="{colour}">{label} '
                   f'{figures[sizes[-1]][key]["p50"]:.3g}</text>')
    return out


def main():
    source = sys.argv[1] if len(sys.argv) > 1 else os.path.join(REPOSITORY, "build", "bench", "scale.json")
    target = sys.argv[2] if len(sys.argv) > 2 else os.path.join(REPOSITORY, "docs", "images", "scale.svg")
    with open(source, encoding="utf-8") as file:
        figures = {int(size): row for size, row in json.load(file)["sizes"].items()}
    sizes = sorted(figures)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           'font-size="12" fill="#37352f">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
    for number, (title, lines, bounds) in enumerate(PANELS):
        out += panel(sizes, figures, number, title, lines, bounds)
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(out + ["</svg>"]) + "\n")


if __name__ == "__main__":
    main()
