// Sizes, times and paths as people read them.

export function bytes(size: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = size;
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${size} B` : `${value.toFixed(1)} ${units[unit]}`;
}

export function when(time: string | null | undefined): string {
  if (!time) return "–";
  const date = new Date(time);
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

// "homes", "alice/a b/" → "/files/homes/alice/a%20b/"
export function filesPath(bucket: string, prefix: string): string {
  return `/files/${[bucket, ...prefix.split("/")].map(encodeURIComponent).join("/")}`;
}
