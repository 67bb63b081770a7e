import { createContext, useContext } from "react";

import type { Session } from "./api";

export const SessionContext = createContext<Session | null>(null);

// REQUIRES: below the provider, which renders nothing before the session is known.
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("no session");
  return session;
}
