import { Button, Group, Select, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router-dom";

import { type Bucket, get, type Grant, post, remove } from "../api";
import { filesPath, when } from "../format";
import { complain } from "../notify";

const levels = [
  { value: "read", label: "read" },
  { value: "write", label: "write (and read)" },
  { value: "drop", label: "drop (write, never read)" },
  { value: "admin", label: "admin (write, may grant)" },
];

function Buckets({ buckets }: { buckets: Bucket[] }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const add = useMutation({
    mutationFn: () => post("buckets", { name }),
    onSuccess: () => setName(""),
    onError: complain,
    onSettled: () => queries.invalidateQueries({ queryKey: ["buckets"] }),
  });
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Group align="flex-end">
          <TextInput label="New bucket" value={name} onChange={(event) => setName(event.currentTarget.value)} required />
          <Button type="submit" loading={add.isPending}>
            Create
          </Button>
        </Group>
      </form>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Bucket</Table.Th>
            <Table.Th>Versions</Table.Th>
            <Table.Th>Since</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {buckets.map((bucket) => (
            <Table.Tr key={bucket.name}>
              <Table.Td>
                <Link to={filesPath(bucket.name, "")}>{bucket.name}</Link>
              </Table.Td>
              <Table.Td>{bucket.versioning}</Table.Td>
              <Table.Td>{when(bucket.created)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}

export function AccessPage() {
  const queries = useQueryClient();
  const [grant, setGrant] = useState({ principal: "", bucket: "", prefix: "", level: "read", until: "" });
  const buckets = useQuery({ queryKey: ["buckets"], queryFn: () => get<{ buckets: Bucket[] }>("buckets") });
  const grants = useQuery({ queryKey: ["grants"], queryFn: () => get<{ grants: Grant[] }>("grants") });
  const settled = { onError: complain, onSettled: () => queries.invalidateQueries({ queryKey: ["grants"] }) };
  const add = useMutation({
    mutationFn: () =>
      post("grants", {
        principal: grant.principal,
        bucket: grant.bucket,
        prefix: grant.prefix,
        level: grant.level,
        ...(grant.until ? { not_after: new Date(grant.until).toISOString() } : {}),
      }),
    ...settled,
  });
  const revoke = useMutation({ mutationFn: (id: number) => remove(`grants/${id}`), ...settled });
  const set = (name: keyof typeof grant) => (value: string | null) => setGrant({ ...grant, [name]: value ?? "" });
  return (
    <Stack maw={1080}>
      <Title order={3}>Buckets</Title>
      {buckets.error && <Text c="red">{buckets.error.message}</Text>}
      <Buckets buckets={buckets.data?.buckets ?? []} />
      <Title order={3} mt="md">
        Grants
      </Title>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Group align="flex-end">
          <TextInput label="Who" value={grant.principal} onChange={(e) => set("principal")(e.currentTarget.value)} required />
          <Select
            label="Bucket"
            data={(buckets.data?.buckets ?? []).map((bucket) => bucket.name)}
            value={grant.bucket || null}
            onChange={set("bucket")}
            required
          />
          <TextInput
            label="Folder"
            placeholder="all of it"
            value={grant.prefix}
            onChange={(e) => set("prefix")(e.currentTarget.value)}
          />
          <Select label="May" data={levels} value={grant.level} onChange={set("level")} allowDeselect={false} />
          <TextInput
            label="Until"
            type="datetime-local"
            value={grant.until}
            onChange={(e) => set("until")(e.currentTarget.value)}
          />
          <Button type="submit" loading={add.isPending}>
            Grant
          </Button>
        </Group>
      </form>
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Who</Table.Th>
            <Table.Th>May</Table.Th>
            <Table.Th>Where</Table.Th>
            <Table.Th>Until</Table.Th>
            <Table.Th>By</Table.Th>
            <Table.Th w={90} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {grants.data?.grants.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>{row.principal}</Table.Td>
              <Table.Td>{row.level}</Table.Td>
              <Table.Td>
                {row.bucket}/{row.prefix}
              </Table.Td>
              <Table.Td>{when(row.not_after)}</Table.Td>
              <Table.Td>{row.granted_by || "–"}</Table.Td>
              <Table.Td>
                <Button size="compact-sm" color="red" variant="light" onClick={() => revoke.mutate(row.id)}>
                  Revoke
                </Button>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
