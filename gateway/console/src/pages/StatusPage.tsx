import { Alert, Badge, Button, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { get, post, type HomeStatus, type Status } from "../api";

// Deletions that nobody witnessed: nothing was removed in the store, and nothing is until somebody says.
function Parked({ home }: { home: HomeStatus }) {
  const client = useQueryClient();
  const decide = useMutation({
    mutationFn: (decision: string) => post("parked", { user: home.user, decision }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["status"] }),
  });
  const parked = home.parked ?? [];
  if (parked.length === 0) return null;
  return (
    <Alert color="yellow" title={`${parked.length} paths in the home of ${home.user} wait for a decision`}>
      <Stack gap="xs">
        {parked.slice(0, 10).map((item) => (
          <Text size="sm" key={item.path}>
            {item.path}: {item.reason}
          </Text>
        ))}
        {decide.error && <Text c="red">{decide.error.message}</Text>}
        <Group>
          <Button size="xs" loading={decide.isPending} onClick={() => decide.mutate("bring_back")}>
            Bring the files back
          </Button>
          <Button
            size="xs"
            variant="light"
            color="red"
            loading={decide.isPending}
            onClick={() => decide.mutate("let_go")}
          >
            Let the deletion go through
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}

export function StatusPage() {
  const status = useQuery({ queryKey: ["status"], queryFn: () => get<Status>("status"), refetchInterval: 2000 });
  return (
    <Stack maw={980}>
      <Title order={3}>Status</Title>
      {status.error && <Text c="red">{status.error.message}</Text>}
      {status.data && (
        <Text size="sm" c="dimmed">
          Holdfast {status.data.version}, data in {status.data.data}, policy epoch {status.data.epoch}
        </Text>
      )}
      <Title order={5}>Homes</Title>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Home</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Waits to upload</Table.Th>
            <Table.Th>Stubs</Table.Th>
            <Table.Th>Conflicts</Table.Th>
            <Table.Th>Parked</Table.Th>
            <Table.Th>Last error</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {status.data?.homes.map((home) => (
            <Table.Tr key={home.user}>
              <Table.Td>{home.user}</Table.Td>
              <Table.Td>
                <Badge color={home.state === "mounted" ? "teal" : "gray"} variant="light">
                  {home.state}
                </Badge>
              </Table.Td>
              <Table.Td>{home.dirty ?? "–"}</Table.Td>
              <Table.Td>{home.stubs ?? "–"}</Table.Td>
              <Table.Td>{home.conflicts ?? "–"}</Table.Td>
              <Table.Td>{home.parked?.length ?? "–"}</Table.Td>
              <Table.Td>{home.last_error || "–"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {status.data?.homes.map((home) => <Parked key={home.user} home={home} />)}
      <Title order={5}>Tools</Title>
      <Table>
        <Table.Tbody>
          {status.data?.tools.map((tool) => (
            <Table.Tr key={`${tool.tool}-${tool.user}`}>
              <Table.Td>{tool.tool}</Table.Td>
              <Table.Td>{tool.user}</Table.Td>
              <Table.Td>{tool.state}</Table.Td>
              <Table.Td>{tool.reason}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
