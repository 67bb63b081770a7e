import { AppShell, Burger, Button, Center, Group, Loader, NavLink, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate, Route, Routes, useLocation } from "react-router-dom";

import { call, get, rememberCsrf, type Session } from "./api";
import { filesPath } from "./format";
import { complain } from "./notify";
import { AccessPage } from "./pages/AccessPage";
import { AuditPage } from "./pages/AuditPage";
import { DeletedPage } from "./pages/DeletedPage";
import { FilesPage } from "./pages/FilesPage";
import { PeoplePage } from "./pages/PeoplePage";
import { StatusPage } from "./pages/StatusPage";
import { ToolsPage } from "./pages/ToolsPage";
import { SessionContext } from "./session";

interface Entry {
  id: string;
  label: string;
  to: string;
  admin?: boolean;
}

function entries(session: Session): Entry[] {
  return [
    { id: "files", label: "Files", to: filesPath(session.homes_bucket, `${session.principal}/`) },
    { id: "tools", label: "Tools", to: "/tools" },
    { id: "deleted", label: "Deleted files", to: "/deleted" },
    { id: "people", label: "People", to: "/people", admin: true },
    { id: "access", label: "Buckets and grants", to: "/access", admin: true },
    { id: "audit", label: "Audit", to: "/audit", admin: true },
    { id: "status", label: "Status", to: "/status", admin: true },
  ];
}

async function signOut(): Promise<void> {
  try {
    await call("DELETE", "session");
    window.location.assign("/");
  } catch (error) {
    complain(error);
  }
}

export function App() {
  const [opened, { toggle, close }] = useDisclosure();
  const location = useLocation();
  const query = useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      const session = await get<Session>("session");
      rememberCsrf(session.csrf);
      return session;
    },
    staleTime: 60_000,
  });
  if (!query.data) {
    return (
      <Center h="100vh">{query.error ? <Text c="red">{query.error.message}</Text> : <Loader />}</Center>
    );
  }
  const session = query.data;
  const home = filesPath(session.homes_bucket, `${session.principal}/`);
  return (
    <SessionContext.Provider value={session}>
      <AppShell
        header={{ height: 56 }}
        navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: !opened } }}
        padding="md"
      >
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap">
              <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" />
              <img src="/favicon.svg" width={28} height={28} alt="" />
              <Title order={4}>Holdfast</Title>
            </Group>
            <Group gap="sm" wrap="nowrap">
              <Text size="sm" data-testid="who">
                {session.principal}
                {session.admin ? " (administrator)" : ""}
              </Text>
              <Button size="compact-sm" variant="default" onClick={signOut}>
                Sign out
              </Button>
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs">
          {entries(session)
            .filter((entry) => !entry.admin || session.admin)
            .map((entry) => (
              <NavLink
                key={entry.id}
                component={Link}
                to={entry.to}
                label={entry.label}
                active={location.pathname.startsWith(`/${entry.id}`)}
                onClick={close}
                data-testid={`nav-${entry.id}`}
              />
            ))}
          <Text size="xs" c="dimmed" mt="auto" p="xs">
            Holdfast {session.version}
          </Text>
        </AppShell.Navbar>
        <AppShell.Main>
          <Routes>
            <Route path="/" element={<Navigate to={home} replace />} />
            <Route path="/files/:bucket/*" element={<FilesPage />} />
            <Route path="/tools" element={<ToolsPage />} />
            <Route path="/deleted" element={<DeletedPage />} />
            <Route path="/people" element={<PeoplePage />} />
            <Route path="/access" element={<AccessPage />} />
            <Route path="/audit" element={<AuditPage />} />
            <Route path="/status" element={<StatusPage />} />
            <Route path="*" element={<Text>There is no such page.</Text>} />
          </Routes>
        </AppShell.Main>
      </AppShell>
    </SessionContext.Provider>
  );
}
