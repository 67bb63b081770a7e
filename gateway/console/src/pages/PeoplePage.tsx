import { ActionIcon, Badge, Button, Checkbox, Code, CopyButton, Group, Menu, Modal, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { get, post, remove, type User } from "../api";
import { when } from "../format";
import { complain, tell } from "../notify";

export function PeoplePage() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [admin, setAdmin] = useState(false);
  const [link, setLink] = useState<{ user: string; url: string; expires: string } | null>(null);
  const users = useQuery({ queryKey: ["users"], queryFn: () => get<{ users: User[] }>("users") });
  const settled = { onError: complain, onSettled: () => queries.invalidateQueries({ queryKey: ["users"] }) };
  const add = useMutation({
    mutationFn: () => post("users", { name, admin }),
    onSuccess: () => setName(""),
    ...settled,
  });
  const change = useMutation({
    mutationFn: async ({ user, verb }: { user: string; verb: string }) => {
      if (verb === "remove") {
        await remove(`users/${encodeURIComponent(user)}`);
        tell(`${user} is removed; the home's files stay in storage`);
        return;
      }
      const answer = await post<{ url?: string; expires?: string }>(`users/${encodeURIComponent(user)}/${verb}`, {});
      if (answer.url) setLink({ user, url: answer.url, expires: answer.expires ?? "" });
    },
    ...settled,
  });
  return (
    <Stack maw={980}>
      <Title order={3}>People</Title>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Group align="flex-end">
          <TextInput
            label="New user"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            data-testid="user-name"
            required
          />
          <Checkbox
            label="administrator"
            checked={admin}
            onChange={(event) => setAdmin(event.currentTarget.checked)}
            mb={8}
          />
          <Button type="submit" loading={add.isPending} data-testid="user-add">
            Add
          </Button>
        </Group>
      </form>
      {users.error && <Text c="red">{users.error.message}</Text>}
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Kind</Table.Th>
            <Table.Th>uid</Table.Th>
            <Table.Th>Since</Table.Th>
            <Table.Th w={48} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {users.data?.users.map((user) => (
            <Table.Tr key={user.name} data-testid={`user-row-${user.name}`}>
              <Table.Td>
                {user.name} {user.admin && <Badge variant="light">administrator</Badge>}{" "}
                {user.disabled && <Badge color="red">disabled</Badge>}
              </Table.Td>
              <Table.Td>{user.kind}</Table.Td>
              <Table.Td>{user.uid || "–"}</Table.Td>
              <Table.Td>{when(user.created)}</Table.Td>
              <Table.Td>
                <Menu position="bottom-end">
                  <Menu.Target>
                    <ActionIcon variant="subtle" aria-label={`Actions for ${user.name}`} data-testid={`user-menu-${user.name}`}>
                      ⋯
                    </ActionIcon>
                  </Menu.Target>
                  <Menu.Dropdown>
                    <Menu.Item onClick={() => change.mutate({ user: user.name, verb: "link" })}>
                      Make a sign-in link
                    </Menu.Item>
                    <Menu.Item
                      onClick={() => change.mutate({ user: user.name, verb: user.disabled ? "enable" : "disable" })}
                    >
                      {user.disabled ? "Enable" : "Disable"}
                    </Menu.Item>
                    <Menu.Item color="red" onClick={() => change.mutate({ user: user.name, verb: "remove" })}>
                      Remove
                    </Menu.Item>
                  </Menu.Dropdown>
                </Menu>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Modal opened={link !== null} onClose={() => setLink(null)} title={`Sign-in link for ${link?.user}`} size="lg">
        <Stack>
          <Text size="sm">It works once, until {when(link?.expires)}. Give it to nobody else.</Text>
          <Code block>{link?.url}</Code>
          <CopyButton value={link?.url ?? ""}>
            {({ copied, copy }) => <Button onClick={copy}>{copied ? "Copied" : "Copy"}</Button>}
          </CopyButton>
        </Stack>
      </Modal>
    </Stack>
  );
}
