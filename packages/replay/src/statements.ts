/** What we need of a database; `store`'s fits. */
export type Statements = {
  query(
    operation: string,
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number }>;
};
