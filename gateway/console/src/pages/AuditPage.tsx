import { Alert, Badge, Button, Group, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { type AuditEvent, get } from "../api";
import { when } from "../format";
import { complain } from "../notify";

interface Verdict {
  ok: boolean;
  events: number;
  first_bad: number | null;
  reason: string;
  head: string;
}

export function AuditPage() {
  const [actor, setActor] = useState("");
  const events = useQuery({
    queryKey: ["audit", actor],
    queryFn: () => get<{ events: AuditEvent[] }>("audit", { limit: "200", actor }),
    refetchInterval: 5000,
  });
  const verify = useMutation({ mutationFn: () => get<Verdict>("audit/verify"), onError: complain });
  return (
    <Stack>
      <Title order={3}>Audit</Title>
      <Group align="flex-end">
        <TextInput label="Who" placeholder="everybody" value={actor} onChange={(e) => setActor(e.currentTarget.value)} />
        <Button variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
          Verify the chain
        </Button>
      </Group>
      {verify.data && (
        <Alert color={verify.data.ok ? "teal" : "red"}>
          {verify.data.ok
            ? `The chain holds: ${verify.data.events} events, head ${verify.data.head}`
            : `Broken at event ${verify.data.first_bad}: ${verify.data.reason}`}
        </Alert>
      )}
      {events.error && <Text c="red">{events.error.message}</Text>}
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Time</Table.Th>
            <Table.Th>Who</Table.Th>
            <Table.Th>What</Table.Th>
            <Table.Th>Target</Table.Th>
            <Table.Th>Outcome</Table.Th>
            <Table.Th>From</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.data?.events.map((event) => (
            <Table.Tr key={event.seq}>
              <Table.Td>{when(event.time)}</Table.Td>
              <Table.Td>{event.actor || "–"}</Table.Td>
              <Table.Td>{event.action}</Table.Td>
              <Table.Td style={{ wordBreak: "break-all" }}>{event.target}</Table.Td>
              <Table.Td>
                <Badge color={event.outcome === "ok" ? "teal" : "red"} variant="light">
                  {event.outcome}
                </Badge>
              </Table.Td>
              <Table.Td>{event.source}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
