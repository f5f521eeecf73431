/**
 * What the standards ask of an authorization server, one row a requirement, in our own words. A test that proves a row
 * carries its id in brackets in its name; `exceptions.ts` gives the reason where no test can. docs/compliance.md is made
 * from the three.
 */
import { oauthDocuments } from './requirements/authorization.ts';
import { clientDocuments } from './requirements/clients.ts';
import { discoveryDocuments } from './requirements/discovery.ts';
import type { Requirement, StandardDocument } from './requirements/document.ts';
import { mcpDocuments } from './requirements/mcp.ts';
import { tokenDocuments } from './requirements/tokens.ts';

export type { Requirement, StandardDocument };

export const documents: readonly StandardDocument[] = [
  ...mcpDocuments,
  ...oauthDocuments,
  ...discoveryDocuments,
  ...clientDocuments,
  ...tokenDocuments,
];

export const requirements: ReadonlyMap<string, Requirement> = new Map(
  documents.flatMap(({ rows }) => rows.map((row) => [row.id, row] as const)),
);

/** Mandatory for MCP: always, or because the feature it is about is offered. */
export const isMandatory = ({ weight }: Requirement): boolean => weight === 'M' || weight === 'm';
