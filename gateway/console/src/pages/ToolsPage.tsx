import { Badge, Button, Card, Code, Group, Progress, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { get, post, type Tool } from "../api";
import { when } from "../format";
import { complain } from "../notify";

const colours: Record<Tool["state"], string> = {
  stopped: "gray",
  queued: "blue",
  preparing: "blue",
  starting: "blue",
  ready: "teal",
  draining: "yellow",
  failed: "red",
  unknown: "orange",
};
const moving = new Set<Tool["state"]>(["queued", "preparing", "starting", "draining"]);

function ToolCard({ tool }: { tool: Tool }) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (verb: "start" | "stop" | "restart") => post<Tool>(`tools/${tool.template}/${verb}`, {}),
    onError: complain,
    onSettled: () => queries.invalidateQueries({ queryKey: ["tools"] }),
  });
  const id = tool.template;
  const running = tool.state === "ready" || moving.has(tool.state) || tool.state === "unknown";
  return (
    <Card withBorder data-testid={`tool-card-${id}`}>
      <Group justify="space-between" align="flex-start">
        <div>
          <Group gap="xs">
            <Text fw={600}>{tool.title}</Text>
            <Badge color={colours[tool.state]} variant="light" tt="none" data-testid={`tool-state-${id}`}>
              {tool.state}
            </Badge>
          </Group>
          <Text size="sm" c="dimmed">
            since {when(tool.since)}
          </Text>
        </div>
        <Group gap="xs">
          {tool.state === "ready" && (
            <Button component="a" href={tool.url} target="_blank" data-testid={`tool-open-${id}`}>
              Open
            </Button>
          )}
          {!running && tool.state !== "failed" && (
            <Button loading={change.isPending} onClick={() => change.mutate("start")} data-testid={`tool-start-${id}`}>
              Start
            </Button>
          )}
          {(running || tool.state === "failed") && (
            <Button
              variant="default"
              loading={change.isPending}
              onClick={() => change.mutate("restart")}
              data-testid={`tool-restart-${id}`}
            >
              {tool.state === "failed" ? "Start again" : "Restart"}
            </Button>
          )}
          {running && (
            <Button
              variant="default"
              color="red"
              loading={change.isPending}
              onClick={() => change.mutate("stop")}
              data-testid={`tool-stop-${id}`}
            >
              Stop
            </Button>
          )}
        </Group>
      </Group>
      {moving.has(tool.state) && <Progress value={tool.progress} mt="sm" animated aria-label="Progress" />}
      {tool.reason !== "" && (
        <Text mt="sm" c={tool.state === "failed" ? "red" : "dimmed"} data-testid={`tool-reason-${id}`}>
          {tool.reason}
        </Text>
      )}
      {tool.log_tail !== "" && (
        <Code block mt="sm" mah={260} style={{ overflow: "auto" }} data-testid={`tool-log-${id}`}>
          {tool.log_tail}
        </Code>
      )}
    </Card>
  );
}

export function ToolsPage() {
  const tools = useQuery({
    queryKey: ["tools"],
    queryFn: () => get<{ tools: Tool[] }>("tools"),
    // Fast while something moves; a tool may end at any time, so never slower than 2 s.
    refetchInterval: (query) => (query.state.data?.tools.some((tool) => moving.has(tool.state)) ? 300 : 2000),
  });
  return (
    <Stack maw={820}>
      <Title order={3}>Tools</Title>
      <Text c="dimmed" size="sm">
        Your home and your buckets are in every tool, at /home and /buckets. Stopping a tool keeps them.
      </Text>
      {tools.error && <Text c="red">{tools.error.message}</Text>}
      {tools.data?.tools.map((tool) => <ToolCard key={tool.template} tool={tool} />)}
      {tools.data?.tools.length === 0 && <Text>This server launches no tools.</Text>}
    </Stack>
  );
}
