import { Badge, Button, Modal, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { get, post, type RestoreReport, type Version } from "../api";
import { bytes, when } from "../format";
import { complain, tell } from "../notify";

interface Props {
  bucket: string;
  path: string | null;
  onClose: () => void;
}

export function HistoryModal({ bucket, path, onClose }: Props) {
  const queries = useQueryClient();
  const history = useQuery({
    queryKey: ["history", bucket, path],
    queryFn: () => get<{ versions: Version[] }>("history", { bucket, key: path ?? "" }),
    enabled: path !== null,
  });
  const restore = useMutation({
    mutationFn: (version: Version) => post<RestoreReport>("restore", { bucket, path, at: version.modified }),
    onSuccess: () => tell("Restored; the version that was current is still there."),
    onError: complain,
    onSettled: () => queries.invalidateQueries(),
  });
  const open = async (version: Version) => {
    const answer = await post<{ url: string }>("files/sign", { bucket, key: path, version: version.version });
    window.location.assign(answer.url);
  };
  return (
    <Modal opened={path !== null} onClose={onClose} title={`Versions of ${path?.split("/").pop() ?? ""}`} size="lg">
      {history.error && <Text c="red">{history.error.message}</Text>}
      <Table>
        <Table.Tbody>
          {history.data?.versions.map((version) => (
            <Table.Tr key={version.version}>
              <Table.Td>{when(version.modified)}</Table.Td>
              <Table.Td>
                {version.deleted ? <Badge color="red">deleted</Badge> : bytes(version.size)}{" "}
                {version.latest && <Badge variant="light">current</Badge>}
              </Table.Td>
              <Table.Td ta="right">
                {!version.deleted && (
                  <Button.Group style={{ justifyContent: "flex-end" }}>
                    <Button size="compact-sm" variant="default" onClick={() => open(version).catch(complain)}>
                      Download
                    </Button>
                    {!version.latest && (
                      <Button size="compact-sm" onClick={() => restore.mutate(version)} loading={restore.isPending}>
                        Restore
                      </Button>
                    )}
                  </Button.Group>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
