import { Button, Group, Select, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { get, post, type DeletedItem, type Place, type RestoreReport } from "../api";
import { bytes, when } from "../format";
import { Icon } from "../Icon";
import { complain, tell } from "../notify";
import { useSession } from "../session";

export function DeletedPage() {
  const session = useSession();
  const queries = useQueryClient();
  const home = `${session.homes_bucket}/${session.principal}/`;
  const [place, setPlace] = useState(home);
  const places = useQuery({ queryKey: ["places"], queryFn: () => get<{ places: Place[] }>("places") });
  const slash = place.indexOf("/");
  const bucket = place.slice(0, slash);
  const prefix = place.slice(slash + 1);
  const deleted = useQuery({
    queryKey: ["deleted", place],
    queryFn: () => get<{ deleted: DeletedItem[] }>("deleted", { bucket, prefix }),
    refetchInterval: 3000,
  });
  const restore = useMutation({
    mutationFn: (item: DeletedItem) =>
      post<RestoreReport>("restore", { bucket, path: item.path, at: item.restore_at }),
    onSuccess: (report, item) => {
      if (report.failed > 0) complain(new Error(`${report.failed} of ${item.name} could not be restored`));
      else tell(`${item.name}: ${report.restored} restored, root ${report.actual_root.slice(0, 12)}`);
    },
    onError: complain,
    onSettled: () => queries.invalidateQueries(),
  });
  const choices = (places.data?.places ?? [])
    .filter((entry) => entry.level !== "drop")
    .map((entry) => `${entry.bucket}/${entry.prefix}`);
  return (
    <Stack maw={980}>
      <Title order={3}>Deleted files</Title>
      <Group align="flex-end">
        <Select
          label="In"
          data={[...new Set([home, ...choices])]}
          value={place}
          onChange={(value) => value && setPlace(value)}
          w={360}
          allowDeselect={false}
        />
      </Group>
      <Text size="sm" c="dimmed">
        Every save is a version and a deletion is one too: what is listed here comes back with its content, mode and
        times. Restoring can itself be undone.
      </Text>
      {deleted.error && <Text c="red">{deleted.error.message}</Text>}
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Files</Table.Th>
            <Table.Th>Size</Table.Th>
            <Table.Th>Deleted</Table.Th>
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {deleted.data?.deleted.map((item) => (
            <Table.Tr key={item.path} data-testid={`deleted-row-${item.name}`}>
              <Table.Td>
                <Icon name={item.directory ? "folder" : "file"} />
                {item.name}
                <Text size="xs" c="dimmed">
                  {item.path}
                </Text>
              </Table.Td>
              <Table.Td>{item.count}</Table.Td>
              <Table.Td>{bytes(item.bytes)}</Table.Td>
              <Table.Td>{when(item.deleted_at)}</Table.Td>
              <Table.Td>
                <Button
                  size="compact-sm"
                  loading={restore.isPending && restore.variables?.path === item.path}
                  onClick={() => restore.mutate(item)}
                  data-testid={`restore-${item.name}`}
                >
                  Restore
                </Button>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {deleted.data?.deleted.length === 0 && <Text>Nothing was deleted here.</Text>}
    </Stack>
  );
}
