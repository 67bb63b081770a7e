import { notifications } from "@mantine/notifications";

export function tell(message: string): void {
  notifications.show({ message, color: "teal" });
}

export function complain(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  notifications.show({ message, color: "red", autoClose: 10_000 });
}
