/** A user's own: providers, credentials, tokens; docs/reference/http.md. Times are Unix milliseconds. */

export interface Provider {
  id: string;
  name: string;
  title: string;
}

export interface Me {
  id: string;
  name: string;
  role: "administrator" | "user";
}

export interface Credential {
  provider: string;
  names: string[];
  created_at: number;
  expires_at: number | null;
}

export interface Token {
  id: string;
  label: string;
  created_at?: number;
  last_used_at?: number | null;
}

export interface User {
  id: string;
  name: string;
  role: "administrator" | "user";
}
