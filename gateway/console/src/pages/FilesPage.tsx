import {
  ActionIcon,
  Anchor,
  Breadcrumbs,
  Button,
  Group,
  Menu,
  Modal,
  Stack,
  Table,
  Text,
  TextInput,
} from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router-dom";

import { type FilePage, get, type Place, post, type StoredObject } from "../api";
import { bytes, filesPath, when } from "../format";
import { Icon } from "../Icon";
import { complain, tell } from "../notify";
import { HistoryModal } from "./HistoryModal";
import { UploadPanel } from "./UploadPanel";

type Question = { kind: "delete" | "rename"; name: string; path: string } | { kind: "folder" } | null;

// Opens a signed URL as a download: the browser streams it to disk, nothing is held in memory.
async function download(bucket: string, object: StoredObject): Promise<void> {
  const answer = await post<{ url: string }>("files/sign", { bucket, key: object.key, key_raw: object.key_raw });
  const link = document.createElement("a");
  link.href = answer.url;
  link.rel = "noreferrer";
  link.click();
}

function Places({ current }: { current: string }) {
  const places = useQuery({ queryKey: ["places"], queryFn: () => get<{ places: Place[] }>("places") });
  return (
    <Group gap="xs">
      {places.data?.places.map((place) => {
        const path = `${place.bucket}/${place.prefix}`;
        return (
          <Button
            key={path}
            component={Link}
            to={filesPath(place.bucket, place.prefix)}
            size="compact-sm"
            variant={current.startsWith(path) ? "filled" : "default"}
            data-testid={`place-${path}`}
          >
            {place.home ? "Home" : path.replace(/\/$/, "")}
          </Button>
        );
      })}
    </Group>
  );
}

function Trail({ bucket, prefix }: { bucket: string; prefix: string }) {
  const parts = prefix.split("/").filter((part) => part !== "");
  return (
    <Breadcrumbs separatorMargin={4}>
      <Anchor component={Link} to={filesPath(bucket, "")}>
        {bucket}
      </Anchor>
      {parts.map((part, index) => (
        <Anchor
          key={`${index}-${part}`}
          component={Link}
          to={filesPath(bucket, `${parts.slice(0, index + 1).join("/")}/`)}
        >
          {part}
        </Anchor>
      ))}
    </Breadcrumbs>
  );
}

export function FilesPage() {
  const { bucket = "", "*": rest = "" } = useParams();
  const prefix = rest === "" || rest.endsWith("/") ? rest : `${rest}/`;
  const queries = useQueryClient();
  const [question, setQuestion] = useState<Question>(null);
  const [text, setText] = useState("");
  const [history, setHistory] = useState<string | null>(null);
  const files = useInfiniteQuery({
    queryKey: ["files", bucket, prefix],
    queryFn: ({ pageParam }) => get<FilePage>("files", { bucket, prefix, after: pageParam }),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: 3000,
  });
  const act = useMutation({
    mutationFn: async () => {
      if (question?.kind === "delete") {
        const folder = question.path.endsWith("/");
        const body = folder ? { bucket, prefix: question.path } : { bucket, keys: [question.path] };
        const answer = await post<{ deleted: number }>("delete", body);
        tell(`${question.name}: ${answer.deleted} deleted; “Deleted files” brings them back`);
      } else if (question?.kind === "rename") {
        const tail = question.path.endsWith("/") ? "/" : "";
        await post("rename", { bucket, from: question.path, to: prefix + text + tail });
      } else if (question?.kind === "folder") {
        await post("folders", { bucket, prefix: `${prefix}${text}/` });
      }
    },
    onSuccess: () => setQuestion(null),
    onError: complain,
    onSettled: () => queries.invalidateQueries({ queryKey: ["files"] }),
  });
  const ask = (next: Question) => {
    setText(next?.kind === "rename" ? next.name : "");
    setQuestion(next);
  };
  const pages = files.data?.pages ?? [];

  const menu = (name: string, path: string, object?: StoredObject) => (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" aria-label={`Actions for ${name}`} data-testid={`file-menu-${name}`}>
          ⋯
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {object && (
          <>
            <Menu.Item onClick={() => download(bucket, object).catch(complain)} data-testid={`download-${name}`}>
              Download
            </Menu.Item>
            <Menu.Item onClick={() => setHistory(path)} data-testid={`history-${name}`}>
              Versions
            </Menu.Item>
          </>
        )}
        <Menu.Item onClick={() => ask({ kind: "rename", name, path })} data-testid={`rename-${name}`}>
          Rename
        </Menu.Item>
        <Menu.Item color="red" onClick={() => ask({ kind: "delete", name, path })} data-testid={`delete-${name}`}>
          Delete
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );

  return (
    <Stack maw={1080}>
      <Places current={`${bucket}/${prefix}`} />
      <Group justify="space-between">
        <Trail bucket={bucket} prefix={prefix} />
        <Button size="compact-sm" variant="default" onClick={() => ask({ kind: "folder" })}>
          New folder
        </Button>
      </Group>
      <UploadPanel key={`${bucket}/${prefix}`} target={{ bucket, prefix }}>
        {files.error && <Text c="red">{files.error.message}</Text>}
        <Table highlightOnHover verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th w={110}>Size</Table.Th>
              <Table.Th w={220}>Saved</Table.Th>
              <Table.Th w={48} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {pages
              .flatMap((page) => page.prefixes)
              .map((folder) => (
                <Table.Tr key={folder.prefix} data-testid={`folder-row-${folder.name}`}>
                  <Table.Td>
                    <Anchor component={Link} to={filesPath(bucket, folder.prefix)}>
                      <Icon name="folder" />
                      {folder.name}
                    </Anchor>
                  </Table.Td>
                  <Table.Td />
                  <Table.Td />
                  <Table.Td>{menu(folder.name, folder.prefix)}</Table.Td>
                </Table.Tr>
              ))}
            {pages
              .flatMap((page) => page.objects)
              .map((object) => (
                <Table.Tr key={object.key_raw ?? object.key} data-testid={`file-row-${object.name}`}>
                  <Table.Td>
                    <Icon name={object.symlink ? "link" : "file"} />
                    {object.name}
                  </Table.Td>
                  <Table.Td>{bytes(object.size)}</Table.Td>
                  <Table.Td>{when(object.mtime ?? object.modified)}</Table.Td>
                  <Table.Td>{menu(object.name, object.key, object)}</Table.Td>
                </Table.Tr>
              ))}
          </Table.Tbody>
        </Table>
        {files.hasNextPage && (
          <Button variant="default" mt="sm" loading={files.isFetchingNextPage} onClick={() => files.fetchNextPage()}>
            Show more
          </Button>
        )}
        {pages.length > 0 && pages[0].prefixes.length + pages[0].objects.length === 0 && (
          <Text c="dimmed" mt="md">
            Nothing here yet.
          </Text>
        )}
      </UploadPanel>
      <HistoryModal bucket={bucket} path={history} onClose={() => setHistory(null)} />
      <Modal
        opened={question !== null}
        onClose={() => setQuestion(null)}
        title={
          question?.kind === "delete"
            ? `Delete ${question.name}?`
            : question?.kind === "rename"
              ? `Rename ${question.name}`
              : "New folder"
        }
      >
        <form
          onSubmit={(event) => {
            event.preventDefault();
            act.mutate();
          }}
        >
          <Stack>
            {question?.kind === "delete" ? (
              <Text size="sm">Its versions are kept; you can bring it back from “Deleted files”.</Text>
            ) : (
              <TextInput
                label="Name"
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                data-autofocus
                data-testid="name-input"
                required
              />
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setQuestion(null)}>
                Cancel
              </Button>
              <Button
                type="submit"
                color={question?.kind === "delete" ? "red" : undefined}
                loading={act.isPending}
                data-testid="confirm"
              >
                {question?.kind === "delete" ? "Delete" : "Save"}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </Stack>
  );
}
